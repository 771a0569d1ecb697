"""What is done before anybody asks, while nothing is asked; whatever is asked ends it at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.api import CompletionOptions, ModelUnavailable
from lsp_server import surroundings
from lsp_server.asks import Ask, ask_at
from lsp_server.scheduler import LOADING, READY
from lsp_server.suggestions import follow, gap_of, gate, is_followed

if TYPE_CHECKING:
    from lsp_server.cache import Suggestion
    from lsp_server.documents import Document
    from lsp_server.session import Session
    from lsp_server.trace import Entry

_REST_S = 0.15  # without a message before work begins: longer than most pauses between keys

_PROMPT_ONLY = CompletionOptions(max_new_tokens=0)


def rests(session: Session, document: Document, offset: int) -> None:
    """The cursor may stay there: soon the model reads the text around it."""
    if session.following is not None and is_followed(
        session, ask_at(document, offset, automatic=True)
    ):
        return  # a suggestion was accepted, and the model is at work on what follows it
    if _warms_up(session) or session.settings.context.enabled:
        session.when_idle(_read(session, document, document.version, offset))


def _warms_up(session: Session) -> bool:
    return session.settings.completion.warm_up and not session.saves_battery


def unanswered(session: Session, ask: Ask, entry: Entry, offset: int) -> None:
    """Nothing was suggested; the model may not even have been asked."""
    if session.asking is ask and not _is_past(session, ask) and "source" not in entry.details:
        rests(session, ask.document, offset)


def was_asked(session: Session, document: Document, offset: int) -> bool:
    """Whether the newest request was made there, so that there is nothing to read."""
    ask = session.asking
    return (
        isinstance(ask, Ask)
        and ask.document is document
        and not _is_past(session, ask)
        and len(ask.own_prefix) == offset
    )


def shown(session: Session, ask: Ask, suggestion: Suggestion) -> None:
    """The typist reads a suggestion: soon what follows it is computed, as if it were accepted."""
    if session.settings.completion.look_ahead and not session.saves_battery:
        session.when_idle(_look(session, ask, suggestion))


async def _look(session: Session, ask: Ask, suggestion: Suggestion) -> None:
    await asyncio.sleep(_REST_S)
    if _is_past(session, ask) or session.engine.state.name != READY:
        return
    accepted = replace(
        ask,
        prefix=ask.prefix + suggestion.text,
        suffix=ask.suffix[suggestion.replace_after :],
        automatic=True,
    )
    where = (ask.document.uri, accepted.prefix, accepted.suffix)
    # Typing along a suggestion shows the rest of it: what follows is the same, and done already.
    if (
        where == session.looked_at
        or gate(accepted, session.settings, session.ignore_files) is not None
    ):
        return
    if session.cache.find(uri=where[0], prefix=where[1], suffix=where[2]) is not None:
        return
    entry = session.trace.unlisted(
        file=ask.document.shown_path,
        language=ask.document.language,
        line=accepted.prefix.count("\n") + 1,
        trigger="ahead",
    )
    if await follow(session, accepted, entry):
        session.looked_at = where


async def _read(session: Session, document: Document, version: int, offset: int) -> None:
    await asyncio.sleep(_REST_S)
    if document.version != version or session.engine.state.name not in (LOADING, READY):
        return
    ask = ask_at(document, offset, automatic=False)
    if _is_past(session, ask) or gate(ask, session.settings, session.ignore_files) is not None:
        return
    await surroundings.rested(session, ask, gap_of(session, ask))
    if not _warms_up(session):
        return
    try:
        options = replace(_PROMPT_ONLY, context_tokens=surroundings.most_tokens(session))
        await session.engine.ahead(gap_of(session, ask), options)
    except ModelUnavailable:
        return  # the status says so


def _is_past(session: Session, ask: Ask) -> bool:
    """Whether the document has changed since, or was closed."""
    document = ask.document
    return document.version != ask.version or session.documents.get(document.uri) is not document
