"""footnote/cursor, textDocument/didOpen and didChange: where the cursor is, as far as they tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from lsp_server import ahead, convert

if TYPE_CHECKING:
    from lsp_server.session import Session


def moved(session: Session, params: object) -> None:
    """The editor says where the cursor is."""
    if not isinstance(params, types.TextDocumentPositionParams):
        return
    document = session.documents.get(params.text_document.uri)
    if document is not None:
        place = convert.place_of(document.lines, params.position, session.encoding)
        offset = document.offset(place)
        if not ahead.was_asked(session, document, offset):
            ahead.rests(session, document, offset)


def opened(session: Session, uri: str) -> None:
    """Nobody says where the cursor is: at the end, where new text is written most often."""
    document = session.documents.get(uri)
    if document is not None:
        ahead.rests(session, document, document.offset(document.end()))


def changed(session: Session, uri: str) -> None:
    """The cursor is behind what was changed."""
    document = session.documents.get(uri)
    if document is not None and document.edited_place is not None:
        ahead.rests(session, document, document.offset(document.edited_place))
