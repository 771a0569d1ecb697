"""A file of the corpus, read-only, from the index's own store: for textDocumentContent and footnote.openSource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from indexer.attribution.matches import Source
from lsp_server import wire
from lsp_server.addresses import parts_of, source_uri

if TYPE_CHECKING:
    from lsp_server.editor import Editor
    from lsp_server.session import Session


@dataclass(frozen=True, slots=True)
class Shown:
    """Where an editor can read a source, and its text."""

    uri: str
    text: str


async def answer(
    session: Session, params: types.TextDocumentContentParams
) -> types.TextDocumentContentResult | None:
    package, version, path = parts_of(params.uri)
    text = await text_of(session, Source(package, version, path, 1, 1, "", ""))
    return None if text is None else types.TextDocumentContentResult(text)


async def text_of(session: Session, source: Source) -> str | None:
    """The whole file of a source; None where the index does not hold it."""
    index = session.index.index
    if index is None or not source.path:
        return None
    try:
        return await session.lookups.run(index.source_text, source)
    except Exception as error:  # noqa: BLE001 -- a damaged store has no text to show
        wire.report(error)
        return None


async def readable(session: Session, source: Source) -> Shown | None:
    """A source under an address that this editor can open."""
    try:
        return await _readable(session, source)
    except OSError as error:
        wire.report(error)
        return None


async def _readable(session: Session, source: Source) -> Shown | None:
    """Raises OSError where a file would have to be written and cannot be."""
    text = await text_of(session, source)
    if text is None:
        return None
    if session.client.text_content:
        return Shown(source_uri(source), text)
    file = await session.lookups.run(session.sources.write, source.release, source.path, text)
    return Shown(file.as_uri(), text)


async def open_source(
    session: Session, editor: Editor, arguments: tuple[Any, ...]
) -> dict[str, Any] | None:
    """footnote.openSource [address, first line, last line]: show it; returns where it can be read."""
    address, first, last = _arguments(arguments)
    package, version, path = parts_of(address)
    try:
        shown = await _readable(session, Source(package, version, path, first, last, "", ""))
    except OSError as error:
        wire.report(error)
        editor.warn(f"the source cannot be shown, for no file can be written: {error.strerror}")
        return None
    if shown is None:
        editor.warn("the text of this source is not in the attribution index")
        return None
    selection = types.Range(types.Position(first - 1, 0), types.Position(last, 0))
    if session.client.show_document:
        await editor.show_document(shown.uri, selection)
    else:
        editor.tell(f"the source is at {shown.uri}, line {first}")
    return {"uri": shown.uri, "startLine": first, "endLine": last}


def _arguments(arguments: tuple[Any, ...]) -> tuple[str, int, int]:
    """Whatever a client sends, as an address and lines from 1."""
    address = arguments[0] if arguments and isinstance(arguments[0], str) else ""
    lines = [each for each in arguments[1:3] if isinstance(each, int) and each > 0]
    first = lines[0] if lines else 1
    return address, first, max([first, *lines])
