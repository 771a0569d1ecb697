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
    package, version, path = _parts(params.uri)
    if index is None or not path:
        return None

    def read() -> str | None:
        from indexer import Source

        return index.source_text(Source(package, version, path, 1, 1, "", ""))

    try:
        text = await session.lookups.run(read)
    except Exception as error:  # noqa: BLE001 -- a damaged store has no text to show
        wire.report(error)
        return None
    return None if text is None else types.TextDocumentContentResult(text)


def _parts(uri: str) -> tuple[str, str, str]:
    """Package, version and path of footnote-source:/package/version/path; empty where it is not."""
    try:
        path = unquote(urlsplit(uri).path)
    except ValueError:
        return "", "", ""
    package, _, rest = path.lstrip("/").partition("/")
    version, _, path = rest.partition("/")
    return package, version, path
