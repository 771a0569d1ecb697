"""Work before anybody asks: where it is left alone, and that a request ends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine.api import Completion, CompletionOptions, Gap
from lsp_server import ahead
from lsp_server.asks import ask_at
from lsp_server.documents import Document, Documents, Place
from lsp_server.power import Power
from lsp_server.scheduler import ASLEEP, LOADING, READY, UNAVAILABLE, EngineState, LookupThread
from lsp_server.session import Session
from lsp_server.settings import parse
from lsp_server.suggestions import suggest


class Engine:
    """Answers at once, and notes what it was given to do."""

    def __init__(self, *texts: str) -> None:
        self.state = EngineState(READY)
        self.texts = list(texts)
        self.done: list[tuple[Gap, CompletionOptions]] = []
        self.asked = 0

    async def ahead(self, gap: Gap, options: CompletionOptions) -> Completion:
        self.done.append((gap, options))
        return Completion(self.texts.pop(0) if self.texts else "", "end")

    async def complete(self, gap: Gap, options: CompletionOptions) -> Completion:
        self.asked += 1
        return Completion(self.texts.pop(0) if self.texts else "", "end")

    def supersede(self) -> None:
        """There is nothing in flight."""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(ahead, "_REST_S", 0.0)
    return Engine()


def session_of(engine: Engine, **settings: Any) -> Session:
    session = Session(Documents(), engine, LookupThread("a"), LookupThread("b"))  # type: ignore[arg-type]
    session.settings, problems = parse(settings)
    assert problems == []
    session.power = Power(lambda: session.power.on_battery)  # not this machine's
    return session


def opened(session: Session, text: str = "x = ", path: str = "a.py") -> Document:
    return session.documents.open(f"file:///p/{path}", "python", 1, text)


async def rested(session: Session) -> None:
    """Let what is to be done when idle come to its end."""
    if session._idle is not None:
        await asyncio.wait({session._idle})


async def test_the_prompt_alone_is_read_where_the_cursor_rests(engine: Engine) -> None:
    session = session_of(engine)
    ahead.rests(session, opened(session, "x = \ny"), 4)
    await rested(session)

    ((gap, options),) = engine.done
    assert (gap.prefix, gap.suffix, gap.path) == ("x = ", "\ny", "p/a.py")
    assert options.max_new_tokens == 0


@pytest.mark.parametrize(
    ("settings", "path", "state"),
    [
        ({"completion": {"warmUp": False}}, "a.py", READY),
        ({"enabled": False}, "a.py", READY),
        ({}, ".env", READY),
        ({}, "a.py", ASLEEP),
        ({}, "a.py", UNAVAILABLE),
    ],
)
async def test_nothing_is_read_where_nothing_would_be_suggested(
    engine: Engine, settings: dict[str, Any], path: str, state: str
) -> None:
    session = session_of(engine, **settings)
    engine.state = EngineState(state)
    ahead.rests(session, opened(session, path=path), 4)
    await rested(session)

    assert engine.done == []


async def test_a_model_that_loads_is_given_the_prompt_for_later(engine: Engine) -> None:
    session = session_of(engine)
    engine.state = EngineState(LOADING)
    ahead.rests(session, opened(session), 4)
    await rested(session)

    assert len(engine.done) == 1


async def test_text_that_has_changed_or_gone_is_not_read(engine: Engine) -> None:
    session = session_of(engine)
    document = opened(session)
    ahead.rests(session, document, 4)
    document.version = 2
    await rested(session)
    ahead.rests(session, document, 4)
    session.documents.close(document.uri)
    await rested(session)

    assert engine.done == []


async def test_a_request_ends_what_was_to_be_done(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "_REST_S", 60.0)
    session = session_of(engine)
    document = opened(session)
    ahead.rests(session, document, 4)
    idle = session._idle
    assert idle is not None
    entry = session.trace.begin(file="a.py", language="python", line=1, trigger="invoked")
    await suggest(session, ask_at(document, 4, automatic=False), entry)
    await asyncio.wait({idle})

    assert idle.cancelled()
    assert (engine.done, engine.asked) == ([], 1)


async def test_after_an_answer_there_is_nothing_to_read(engine: Engine) -> None:
    session = session_of(engine)
    document = opened(session)
    ask = ask_at(document, 4, automatic=False)
    entry = session.trace.begin(file="a.py", language="python", line=1, trigger="invoked")
    await suggest(session, ask, entry)

    assert ahead.was_asked(session, document, 4)
    assert not ahead.was_asked(session, document, 3)
    ahead.unanswered(session, ask, entry, 4)  # by the model: it has read the text
    await rested(session)
    assert engine.done == []
    document.version = 2
    assert not ahead.was_asked(session, document, 4)


async def shown(session: Session, document: Document) -> None:
    """One suggestion is asked for and shown."""
    ask = ask_at(document, document.offset(document.edited_place or Place(0, 4)), automatic=True)
    entry = session.trace.begin(file="a.py", language="python", line=1, trigger="automatic")
    (suggestion,) = await suggest(session, ask, entry)
    ahead.shown(session, ask, suggestion)


@pytest.mark.parametrize("on", [True, False])
async def test_what_follows_a_suggestion_is_computed_unless_that_is_off(
    engine: Engine, on: bool
) -> None:
    session = session_of(engine, completion={"lookAhead": on, "minShowDelayMs": 0})
    engine.texts = ["one", "two"]
    await shown(session, opened(session, "x = \ny"))
    await rested(session)

    assert [gap.prefix for gap, _ in engine.done] == (["x = one"] if on else [])
    assert len(session.trace.newest_first()) == 1


async def test_on_battery_nothing_is_done_ahead(engine: Engine) -> None:
    session = session_of(engine, completion={"minShowDelayMs": 0})
    session.power.on_battery = True
    engine.texts = ["one", "two"]
    document = opened(session)
    ahead.rests(session, document, 4)
    await rested(session)
    await shown(session, document)
    await rested(session)

    assert (engine.done, engine.asked) == ([], 1)


async def test_where_nothing_follows_it_is_not_tried_again(engine: Engine) -> None:
    session = session_of(engine, completion={"minShowDelayMs": 0})
    engine.texts = ["one"]
    document = opened(session)
    for _ in range(3):
        await shown(session, document)
        await rested(session)

    assert (len(engine.done), engine.asked) == (1, 1)


async def test_what_follows_is_known_while_the_suggestion_is_typed(engine: Engine) -> None:
    session = session_of(engine, completion={"minShowDelayMs": 0, "maxDebounceMs": 0})
    engine.texts = ["one", "two"]
    document = opened(session)
    await shown(session, document)
    await rested(session)
    for stroke in "on":
        end = document.end()
        document.replace(end, end, stroke)
        document.version += 1
        await shown(session, document)
        await rested(session)

    assert (len(engine.done), engine.asked) == (1, 1)


@pytest.mark.parametrize(("text", "multiline"), [("[\n    1,\n]", False), ("[1]", None)])
async def test_behind_an_accepted_block_one_line_is_asked_for(
    engine: Engine, text: str, multiline: bool | None
) -> None:
    session = session_of(engine, completion={"minShowDelayMs": 0})
    engine.texts = [text, "two"]
    await shown(session, opened(session))
    await rested(session)  # what follows is made as if it were accepted

    ((gap, options),) = engine.done
    assert gap.prefix == f"x = {text}"
    assert options.multiline is multiline
