"""workspace/textDocumentContent: a file of the corpus, read-only, from the index's own store."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lsprotocol import types

from lsp_server import wire

if TYPE_CHECKING:
    from lsp_server.session import Session


async def answer(
    session: Session, params: types.TextDocumentContentParams
) -> types.TextDocumentContentResult | None:
    index = session.index.index
    if index is None:
        return None

    def read() -> str | None:
        from indexer import Source

        package, version, *path = unquote(urlsplit(params.uri).path).lstrip("/").split("/")
        return index.source_text(Source(package, version, "/".join(path), 1, 1, "", ""))

    try:
        text = await session.lookups.run(read)
    except Exception as error:  # noqa: BLE001 -- an address that is none has no text
        wire.report(error)
        return None
    return None if text is None else types.TextDocumentContentResult(text)
