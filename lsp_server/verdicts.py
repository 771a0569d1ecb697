"""What the corpus says about a suggestion: asked while it waits to be shown, kept when it comes late."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.api import Ban, ban_from
from lsp_server.documents import split_lines
from lsp_server.session import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from indexer import Match
    from lsp_server.asks import Ask
    from lsp_server.cache import Suggestion
    from lsp_server.session import Session

_WARMED = 1200  # characters before the cursor: more than the tokens that a check looks back


async def judged(
    session: Session, ask: Ask, suggestions: Sequence[Suggestion], *, seconds: float
) -> tuple[Suggestion, ...]:
    """The suggestions with their verdicts, as far as these come in time; late ones go to the cache."""
    checks = [_check(session, ask, each) for each in suggestions]
    running = [each for each in checks if each is not None]
    if running:
        await asyncio.wait(running, timeout=max(0.0, seconds))
    return tuple(map(_with_verdict, suggestions, checks))


def _check(
    session: Session, ask: Ask, suggestion: Suggestion
) -> asyncio.Task[tuple[Match, ...]] | None:
    index = session.index.index
    if suggestion.checked or index is None:
        return None

    known = session.findings.get(ask.document)
    project = Project() if known is None else known.project

    def look_up() -> tuple[Match, ...]:
        after = ask.suffix[suggestion.replace_after :]
        found = index.check_completion(
            ask.prefix, suggestion.text, after, language=ask.document.language, own=project.own
        )
        return tuple(project.reported(list(found), ask.prefix + suggestion.text + after))

    def keep(done: asyncio.Task[tuple[Match, ...]]) -> None:
        if not done.cancelled() and done.exception() is None:  # the session reports those
            session.cache.judge(suggestion.id, done.result())

    check = session.spawn(session.candidates.run(look_up))
    check.add_done_callback(keep)
    return check


def _with_verdict(
    suggestion: Suggestion, check: asyncio.Task[tuple[Match, ...]] | None
) -> Suggestion:
    if check is None or not check.done() or check.cancelled() or check.exception() is not None:
        return suggestion
    return replace(suggestion, matches=check.result(), checked=True)


def unjudged(session: Session, suggestion: Suggestion) -> bool:
    """The index could have told, and did not in time."""
    return session.index.index is not None and not suggestion.checked


def warm(session: Session, ask: Ask) -> Callable[[], None]:
    """Look the text before the cursor up while the model writes; the result ends that.

    What goes on from there is mostly found in the same places, which are then in memory.
    """
    index = session.index.index
    enough = threading.Event()
    if index is None:
        return enough.set
    cut = ask.prefix.rfind("\n", 0, max(0, len(ask.prefix) - _WARMED)) + 1

    def look_up() -> None:
        if not enough.is_set():
            index.check_completion(
                ask.prefix[:cut],
                ask.prefix[cut:],
                ask.suffix,
                language=ask.document.language,
                cancelled=enough.is_set,
            )

    session.spawn(session.candidates.run(look_up))
    return enough.set


def ban_of(prefix: str, suggestion: Suggestion) -> Ban:
    """What brings another text: the same as far as it is nobody's, then another way.

    The match is known by its lines, those of the whole text.
    """
    first_line = len(split_lines(prefix))
    start = min((match.start_line for match in suggestion.matches), default=0)
    return ban_from(suggestion.text, start - first_line)


def seconds_until(moment: float) -> float:
    return max(0.0, moment - time.monotonic())
