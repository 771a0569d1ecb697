"""textDocument/hover: where the passage under the cursor also occurs, and how it reads there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from lsp_server import citations, comparison, convert
from lsp_server.features.sources import readable
from lsp_server.passages import findings_of

if TYPE_CHECKING:
    from indexer import Match
    from lsp_server.documents import Document
    from lsp_server.session import Session

_PATIENCE_S = 1.0


async def answer(session: Session, params: types.HoverParams) -> types.Hover | None:
    document = session.documents.get(params.text_document.uri)
    if document is None:
        return None
    place = convert.place_of(document.lines, params.position, session.encoding)
    lines, version = list(document.lines), document.version
    try:
        async with asyncio.timeout(_PATIENCE_S):
            found = await findings_of(session, document)
    except TimeoutError:
        return None
    if found is None or found.version != version:
        return None
    here = citations.longest_first(
        each.match
        for each in found.passages
        if each.match.start_line <= place.line + 1 <= each.match.end_line
    )
    if not here:
        return None
    markdown = session.client.markdown
    kind = types.MarkupKind.Markdown if markdown else types.MarkupKind.PlainText
    excerpt = await _excerpt(session, document, lines, here[0])
    text = citations.hover_text(here, markdown=markdown, excerpt=excerpt, learned=session.learned())
    return types.Hover(
        contents=types.MarkupContent(kind, text),
        range=convert.range_of_lines(
            lines,
            min(match.start_line for match in here),
            max(match.end_line for match in here),
            session.encoding,
        ),
    )


async def _excerpt(session: Session, document: Document, lines: list[str], match: Match) -> str:
    """How the source begins, what differs here, and a link to all of it; empty without its text."""
    source, passage = match.source, "".join(lines[match.start_line - 1 : match.end_line])
    shown = await readable(session, source)
    if shown is None:
        return ""
    text = shown.text

    def compared() -> tuple[list[str], str]:
        return (
            comparison.beginning(text, source),
            comparison.differences(text, source, convert.speakable(passage)),
        )

    begins, differ = await session.lookups.run(compared)
    if session.client.markdown:
        link = f"[Open the source (offline)]({shown.uri}#L{source.start_line})"
        block = comparison.fenced(begins, document.language)
    else:
        link = f"The source (offline): {shown.uri}"
        block = "\n".join(f"    {line}" for line in begins)
    return "\n\n".join(part for part in (block, differ, link) if part)
