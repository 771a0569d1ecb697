"""Verdicts in time and late, and where a matching suggestion leaves the way it must not go."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from typing import Any, cast

import pytest

from engine.api import Completion, CompletionOptions, Gap
from indexer import Match, Source
from lsp_server import suggestions
from lsp_server.asks import ask_at
from lsp_server.cache import Suggestion
from lsp_server.documents import Documents
from lsp_server.scheduler import READY, EngineState, LookupThread
from lsp_server.session import Index, Session
from lsp_server.settings import parse
from lsp_server.verdicts import ban_of, judged, unjudged

SOURCE = Source("spans", "1.2", "a.py", 1, 9, "MIT", "")
PREFIX = "import os\n\nx = "  # the cursor is on line 3


def suggestion(text: str, *lines: int) -> Suggestion:
    found = tuple(Match(line, line + 5, "warning", "verbatim", 1.0, 60, SOURCE) for line in lines)
    return Suggestion("s1", text, matches=found, checked=True)


@pytest.mark.parametrize(
    ("text", "lines", "after"),
    [
        ("1\ny = 2\n  z = 3\nw = 4\n", (5,), "1\ny = 2\n  "),
        ("1\ny = 2\n", (4,), "1\n"),
        ("1\r\ny = 2\r\n\tz = 3\r\n", (5,), "1\r\ny = 2\r\n\t"),
        ("1\ny = 2\n\n\nz = 3\n", (5,), "1\ny = 2\n\n\n"),  # a blank line is no way
        ("1\ny = 2\n", (7, 4), "1\n"),  # the first of several
        ("  1\ny = 2\n", (3,), "  "),  # begins in the line that is there
        ("\n    1\n", (1,), "\n    "),  # or before the suggestion
        ("1\ny = 2\n", (90,), ""),  # or nowhere
    ],
)
def test_the_match_is_left_at_its_first_word(text: str, lines: tuple[int, ...], after: str) -> None:
    ban = ban_of(PREFIX, suggestion(text, *lines))

    assert ban.after == after
    assert ban.after + ban.text == text
    assert ban.forbids(text)


class SlowIndex:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()

    def check_completion(self, *_texts: str, **_more: Any) -> list[Match]:
        self.may_answer.wait()
        return [Match(1, 2, "warning", "verbatim", 1.0, 60, SOURCE)]


async def test_a_verdict_that_is_late_holds_nothing_up_and_is_kept() -> None:
    index = SlowIndex()
    engine: Any = None
    session = Session(Documents(), engine, LookupThread("a"), LookupThread("b"))
    session.index = Index(READY, cast("Any", index))
    document = session.documents.open("file:///a.py", "python", 1, "x = ")
    ask = ask_at(document, 4, automatic=True)
    shown = suggestion("1\ny = 2\n")
    fresh = replace(shown, matches=(), checked=False)
    session.cache.put(fresh, uri=document.uri, prefix="x = ", suffix="")

    (now,) = await judged(session, ask, [fresh], seconds=0.0)
    assert (now.matches, now.checked) == ((), False)
    assert unjudged(session, now)

    index.may_answer.set()
    (later,) = await judged(session, ask, [fresh], seconds=60.0)
    assert (len(later.matches), later.checked) == (1, True)
    kept = session.cache.find(uri=document.uri, prefix="x = ", suffix="")
    assert kept is not None
    assert kept.matches == later.matches
    (known,) = await judged(session, ask, [kept], seconds=0.0)
    assert known is kept


class Engine:
    """Answers at once."""

    state = EngineState(READY)

    async def complete(self, gap: Gap, options: CompletionOptions) -> Completion:
        return Completion("1\ny = 2\n", "end")

    def supersede(self) -> None:
        """There is nothing in flight."""


async def test_a_verdict_is_waited_for_while_the_suggestion_waits_for_its_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = SlowIndex()
    engine: Any = Engine()
    session = Session(Documents(), engine, LookupThread("a"), LookupThread("b"))
    session.index = Index(READY, cast("Any", index))
    session.settings, _ = parse(
        {"attribution": {"budgetMs": 0}, "completion": {"maxDebounceMs": 0, "minShowDelayMs": 2000}}
    )
    document = session.documents.open("file:///a.py", "python", 1, "x = ")
    document.edited_at = time.monotonic() + 60  # it is shown in a minute, if that were waited for
    asyncio.get_running_loop().call_later(0.01, index.may_answer.set)
    monkeypatch.setattr(suggestions, "_wait", at_once)
    entry = session.trace.begin(file="", language="python", line=1, trigger="automatic")

    (shown,) = await suggestions.suggest(session, ask_at(document, 4, automatic=True), entry)
    assert shown.checked
    assert len(shown.matches) == 1


async def at_once(*_arguments: object) -> None:
    """Do not wait for the moment itself."""
