"""Text of ours that was accepted and is found to match: taken out again, and never to be written so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.api import Ban
from lsp_server.verdicts import ban_of

if TYPE_CHECKING:
    from indexer import Match
    from lsp_server.cache import Made
    from lsp_server.documents import Document
    from lsp_server.session import Session

_KEPT_ACCEPTED = 50  # in a document
_KEPT_BANS = 20
_PREFIX = 1024  # characters before a place by which it is known


@dataclass(frozen=True, slots=True)
class Removal:
    """What to take out of a document, and what stood there before."""

    start: int  # characters of the document
    end: int
    restored: str
    ban: Ban


def accepted(session: Session, document: Document, made: Made) -> None:
    known = session.accepted.setdefault(document, [])
    known.append(made)
    del known[:-_KEPT_ACCEPTED]


def removal_of(session: Session, document: Document, match: Match) -> Removal | None:
    """For a match in text that we suggested, as long as that stands as it was written."""
    text = document.text
    for made in reversed(session.accepted.get(document, [])):
        written = made.suggestion.text
        start = _place_of(written, text, match)
        if start is not None:
            ban = ban_of(text[:start], replace(made.suggestion, matches=(match,)))
            kept = start + len(ban.after)
            return Removal(kept, start + len(written), made.replaced, Ban(ban.text))
    return None


def _place_of(written: str, text: str, match: Match) -> int | None:
    """Where a text stands among the lines of a match."""
    start = text.find(written)
    while start >= 0:
        first_line = text.count("\n", 0, start) + 1
        last_line = first_line + written.rstrip("\n").count("\n")
        if first_line <= match.end_line and match.start_line <= last_line:
            return start
        start = text.find(written, start + 1)
    return None


def ban_at(session: Session, uri: str, prefix: str, ban: Ban) -> None:
    """Behind this text nothing that goes on so is suggested any more."""
    key = (uri, prefix[-_PREFIX:])
    session.bans[key] = (*session.bans.pop(key, ()), ban)
    while len(session.bans) > _KEPT_BANS:
        del session.bans[next(iter(session.bans))]


def bans_at(session: Session, uri: str, prefix: str) -> tuple[Ban, ...]:
    return session.bans.get((uri, prefix[-_PREFIX:]), ())
