"""Every reason that is given has words."""

from __future__ import annotations

import re

import pytest

from lsp_server.reasons import in_words
from lsp_server.scheduler import ASLEEP, CLOSED, LOADING, UNAVAILABLE
from tests.support.repository import ROOT

STOPS = ("end", "line", "scope", "length", "time", "repetition", "cancelled")


def given() -> set[str]:
    """Those that the sources name."""
    texts = [
        path.read_text(encoding="utf-8")
        for package in ("engine", "lsp_server")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "reasons.py"
    ]
    found = {name for text in texts for name in re.findall(r'"((?:gated|dropped):[\w-]+)"', text)}
    found |= {
        f"dropped:{name}" for text in texts for name in re.findall(r'dropped="([\w-]+)"', text)
    }
    gates = ("engine/gates.py", "lsp_server/suggestions.py")
    for gate in gates:
        text = (ROOT / gate).read_text(encoding="utf-8")
        found |= {f"gated:{name}" for name in re.findall(r'return "([\w-]+)"', text)}
    return found


def test_the_sources_are_read() -> None:
    assert {"gated:mid-word", "gated:excluded", "dropped:secret", "dropped:unsure"} <= given()


@pytest.mark.parametrize(
    "reason",
    sorted(
        {*given(), *STOPS, "cache", "model", "superseded", "model-failed"}
        | {f"model-{state}" for state in (ASLEEP, CLOSED, LOADING, UNAVAILABLE)}
    ),
)
def test_a_reason_has_words(reason: str) -> None:
    assert " " in in_words(reason)


def test_what_is_not_known_keeps_its_name() -> None:
    assert in_words("gated:tomorrow") == "gated:tomorrow"
