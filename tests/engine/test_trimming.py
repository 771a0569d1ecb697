"""Each rule has a file of cases; a case is what stands around the gap, what came, and what is left."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from engine import trimming
from engine.surroundings import Surroundings
from engine.trimming import RULES, Draft, stop_rule, trim, within, without_specials
from tests.support.tiny import SPECIALS

FILES = sorted((Path(__file__).parent / "cases").glob("*.toml"))
KEYS = {
    "name", "before", "completion", "after", "language", "multiline", "automatic", "capped",
    "line_end", "expect", "replace_after", "dropped",
}  # fmt: skip


def cases(only: str = "") -> list[Any]:
    found = []
    for file in FILES:
        rule = file.stem.split("-", 1)[1]
        for case in tomllib.loads(file.read_text())["case"]:
            assert set(case) <= KEYS, f"{file.name}: {case['name']}"
            assert ("expect" in case) != ("dropped" in case), f"{file.name}: {case['name']}"
            if only in ("", rule):
                found.append(pytest.param(rule, case, id=f"{rule}: {case['name']}"))
    return found


def around(case: dict[str, Any]) -> Surroundings:
    return Surroundings(
        before=case.get("before", ""),
        after=case.get("after", ""),
        language=case.get("language", "python"),
        multiline=case.get("multiline", False),
        automatic=case.get("automatic", False),
        line_end=case.get("line_end", "\n"),
    )


@pytest.mark.parametrize(("rule", "case"), cases())
def test_a_case(rule: str, case: dict[str, Any]) -> None:
    draft = Draft(case["completion"], case.get("capped", False))
    if rule == "trim":
        draft = trim(draft.text, around(case), capped=draft.capped, specials=SPECIALS)
    elif rule == "without_specials":
        draft = without_specials(draft, SPECIALS)
    else:
        draft = getattr(trimming, rule)(draft, around(case))

    assert draft.dropped == case.get("dropped", "")
    if not draft.dropped:
        assert draft.text == case["expect"]
        assert draft.replace_after == case.get("replace_after", 0)


def test_every_rule_has_cases_and_they_run_in_the_order_of_their_numbers() -> None:
    numbered = [file.stem.split("-", 1)[1] for file in FILES if not file.stem.startswith("99")]

    assert numbered == ["without_specials", *(rule.__name__ for rule in RULES)]


def test_a_dropped_draft_has_no_text_and_replaces_nothing() -> None:
    draft = trim("x", Surroundings("f(", ")", automatic=True))

    assert draft == Draft("", dropped="short")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("return a", None),
        ("return a\n", "line"),
        ("no " * 10, "repetition"),
    ],
)
def test_a_line_stops_at_its_end_or_in_a_loop(text: str, why: str | None) -> None:
    assert stop_rule(Surroundings("    ", "", multiline=False))(text) == why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = 1\n", None),
        ("a = 1\n    ret", None),
        ("a = 1\nd", "scope"),
        ("".join(f"a{number} = 1\n    " for number in range(11)), None),
        ("".join(f"a{number} = 1\n    " for number in range(12)), "scope"),
        ("a = 1\n    last()", None),
        ("a = 1\n    last()\n", "scope"),
        ("a()\n    a()\n    a()\n", "repetition"),
    ],
)
def test_several_lines_stop_where_the_rules_would_cut(text: str, why: str | None) -> None:
    place = Surroundings("def f():\n    ", "\n    last()\n", multiline=True)

    assert stop_rule(place)(text) == why


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("same", "same", 0), ("ab", "ba", 2), ("a", "", 1)],
)
def test_edits_are_counted_up_to_the_limit(one: str, other: str, edits: int) -> None:
    assert within(one, other, edits)
    assert within(other, one, edits)
    assert edits == 0 or not within(one, other, edits - 1)
