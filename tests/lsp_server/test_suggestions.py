"""Gates and waits: where nothing is suggested, and how long a keystroke is given."""

from __future__ import annotations

from typing import Any

import pytest

from lsp_server.asks import LARGEST_DOCUMENT, ask_at
from lsp_server.cache import Suggestion
from lsp_server.documents import Document, Documents, split_lines
from lsp_server.exclusions import IgnoreFiles, pattern_of
from lsp_server.scheduler import LookupThread
from lsp_server.session import Session
from lsp_server.settings import parse
from lsp_server.suggestions import debounce_seconds, gate


def document(text: str = "x = ", path: str = "/p/a.py", language: str = "python") -> Document:
    return Document(f"file://{path}", language, 1, split_lines(text))


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("**/.env*", "/projects/mine/.env.local", True),
        ("**/.env*", "/projects/mine/env.py", False),
        ("**/*secret*", "/project/my_secrets.py", True),
        ("**/*secret*", "/projects/secretary/project/a.py", False),
        ("*.pem", "/project/key.pem", True),
        ("generated/*.py", "/project/generated/a.py", True),
        ("generated/*.py", "/project/generated/deep/a.py", False),
        ("**/node_modules/**", "/project/node_modules/a/b.js", True),
        ("/etc/**", "/etc/hosts", True),
        ("/etc/**", "/projects/etc/hosts", False),
        ("a?.py", "/project/ab.py", True),
        ("[a].py", "/project/a.py", False),
        ("**/*.{pem,key}", "/project/my.key", True),
        ("**/*.{pem,key}", "/project/my.crt", False),
        ("**/*.generated.*", "/project/a.generated.ts", True),
        ("**/*secret*", "/project/Secrets.py", True),
        ("**/*.{open", "/project/a.{open", True),
    ],
)
def test_a_glob_fits_as_in_editors(glob: str, path: str, fits: bool) -> None:
    assert bool(pattern_of(glob).fullmatch(path)) is fits


@pytest.mark.parametrize(
    ("doc", "settings", "why"),
    [
        (document(), {}, None),
        (document(), {"enabled": False}, "off"),
        (document(language="markdown"), {}, "language-off"),
        (document(), {"languages": {"python": False}}, "language-off"),
        (document(path="/p/.env"), {}, "excluded"),
        (document(text="x" * (LARGEST_DOCUMENT + 1)), {}, "large-file"),
        (document(text="x" * LARGEST_DOCUMENT), {}, None),
    ],
)
def test_a_gate_names_its_reason(doc: Document, settings: dict, why: str | None) -> None:
    read, problems = parse(settings)
    assert problems == []
    assert gate(ask_at(doc, 0, automatic=True), read, IgnoreFiles()) == why


def session(*, on_battery: bool = False, **settings: Any) -> Session:
    engine: Any = None
    session = Session(Documents(), engine, LookupThread("a"), LookupThread("b"))
    session.settings, problems = parse({"completion": settings})
    assert problems == []
    session.power.on_battery = on_battery
    return session


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> float:
    """A clock that stands still."""
    monkeypatch.setattr("lsp_server.suggestions.time.monotonic", lambda: 100.0)
    return 100.0


def test_the_wait_adapts_to_the_typist_and_is_capped(now: float) -> None:
    typed = document()
    ask = ask_at(typed, 4, automatic=True)
    assert debounce_seconds(ask, session()) == 0.0  # nobody has typed yet

    typed.edited_at = now
    typed.keystroke_gap_ms = 10_000.0
    assert debounce_seconds(ask, session()) == pytest.approx(0.075)
    typed.keystroke_gap_ms = 0.0
    assert debounce_seconds(ask, session()) == 0.0


def test_behind_an_accepted_suggestion_there_is_nothing_to_wait_for(now: float) -> None:
    typed, here = document("x = value"), session()
    typed.edited_at = now
    here.cache.put(Suggestion("s1", "value"), uri=typed.uri, prefix="x = ", suffix="")

    assert debounce_seconds(ask_at(typed, 9, automatic=True), here) == 0.0
    assert debounce_seconds(ask_at(typed, 8, automatic=True), here) > 0.0


def test_on_battery_the_wait_is_twice_as_long_unless_that_is_not_wanted(now: float) -> None:
    typed = document()
    typed.edited_at = now
    ask = ask_at(typed, 4, automatic=True)
    waits = [
        debounce_seconds(ask, session(on_battery=on_battery, saveBattery=wanted))
        for on_battery, wanted in ((False, True), (True, True), (True, False))
    ]
    assert waits == pytest.approx([0.075, 0.15, 0.075])


def test_after_an_opener_there_is_nothing_to_wait_for(now: float) -> None:
    typed = document("print(")
    typed.edited_at = now
    typed.keystroke_gap_ms = 10_000.0
    assert debounce_seconds(ask_at(typed, 6, automatic=True), session()) == 0.0


def test_half_a_surrogate_pair_becomes_text() -> None:
    ask = ask_at(document("a\ud83db"), 2, automatic=False)
    assert (ask.prefix, ask.suffix) == ("a\ufffd", "b")
