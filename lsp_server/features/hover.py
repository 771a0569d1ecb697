"""textDocument/hover: whose text this is, as far as the corpus knows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from lsp_server import citations, convert
from lsp_server.features.diagnostics import findings_of

if TYPE_CHECKING:
    from lsp_server.session import Session

_PATIENCE_S = 1.0


async def answer(session: Session, params: types.HoverParams) -> types.Hover | None:
    document = session.documents.get(params.text_document.uri)
    if document is None:
        return None
    place = convert.place_of(document.lines, params.position, session.encoding)
    lines, version = list(document.lines), document.version
    try:
        found = await asyncio.wait_for(findings_of(session, document), _PATIENCE_S)
    except TimeoutError:
        return None
    if found is None or found.version != version:
        return None
    here = [
        match for match in found.matches if match.start_line <= place.line + 1 <= match.end_line
    ]
    if not here:
        return None
    markdown = session.client.markdown
    kind = types.MarkupKind.Markdown if markdown else types.MarkupKind.PlainText
    return types.Hover(
        contents=types.MarkupContent(kind, citations.hover_text(here, markdown=markdown)),
        range=convert.range_of_lines(
            lines,
            min(match.start_line for match in here),
            max(match.end_line for match in here),
            session.encoding,
        ),
    )
