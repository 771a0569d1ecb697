"""textDocument/codeLens: whose text it is, above each passage that was suggested here and accepted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server import alternatives, citations, convert, protocol
from lsp_server.addresses import source_uri
from lsp_server.passages import findings_of

if TYPE_CHECKING:
    from lsp_server.documents import Document
    from lsp_server.session import Passage, Session

OPTIONS = types.CodeLensOptions(resolve_provider=False)


async def answer(session: Session, params: types.CodeLensParams) -> list[types.CodeLens]:
    """Editors ask after every edit: the answer waits, as the marks do, until the typist has paused."""
    document = session.documents.get(params.text_document.uri)
    wanted = session.settings.attribution
    if document is None or not wanted.code_lens:
        return []
    version = document.version
    if document.edited_at:
        rest_s = wanted.diagnostics_delay_ms / 1000
        await asyncio.sleep(max(0.0, document.edited_at + rest_s - time.monotonic()))
    if not session.accepted.get(document):
        return []
    found = await findings_of(session, document)
    if document.version != version:
        # An answer, even an empty one, would take the place of what is shown.
        raise JsonRpcException("the text has changed", int(types.LSPErrorCodes.ContentModified))
    return [
        _lens(session, document, each)
        for each in (() if found is None else found.passages)
        if alternatives.removal_of(session, document, each.match) is not None
    ]


def _lens(session: Session, document: Document, passage: Passage) -> types.CodeLens:
    match, source = passage.match, passage.match.source
    shown = any(info.text for info in session.index.infos.values())
    return types.CodeLens(
        convert.range_of_lines(
            document.lines, match.start_line, match.start_line, session.encoding
        ),
        types.Command(
            f"Suggested, {citations.badge([match])}",
            protocol.COMMAND_OPEN_SOURCE if shown else "",
            arguments=[source_uri(source), source.start_line, source.end_line],
        ),
    )
