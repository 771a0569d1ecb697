"""textDocument/publishDiagnostics: near-verbatim passages, once the typist has paused."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING
from urllib.parse import quote

from lsprotocol import types

from lsp_server import citations, convert, protocol, wire
from lsp_server.session import Findings
from lsp_server.suggestions import LARGEST_DOCUMENT

if TYPE_CHECKING:
    from indexer import Match, Source
    from lsp_server.documents import Document
    from lsp_server.editor import Editor
    from lsp_server.session import Session


def opened(session: Session, editor: Editor, uri: str) -> None:
    _schedule(session, editor, uri, delay_ms=0)


def changed(session: Session, editor: Editor, uri: str) -> None:
    _schedule(session, editor, uri, session.settings.attribution.diagnostics_delay_ms)


def closed(session: Session, editor: Editor, uri: str) -> None:
    document = session.documents.get(uri)
    if document is not None:
        _stop(session, document)
        session.findings.pop(document, None)
        editor.publish(document.uri, None, [])


def all_again(session: Session, editor: Editor) -> None:
    """The index or the settings have changed."""
    session.findings.clear()
    for document in session.documents:
        opened(session, editor, document.uri)


def _schedule(session: Session, editor: Editor, uri: str, delay_ms: int) -> None:
    document = session.documents.get(uri)
    if document is None:
        return
    _stop(session, document)
    if not session.settings.attribution.diagnostics:
        editor.publish(document.uri, None, [])
    elif session.index.index is not None:
        work = _check(session, editor, document, delay_ms / 1000)
        session.checks[document] = session.spawn(work)


def _stop(session: Session, document: Document) -> None:
    if (running := session.checks.pop(document, None)) is not None:
        running.cancel()


async def _check(session: Session, editor: Editor, document: Document, delay: float) -> None:
    await asyncio.sleep(delay)
    found = await findings_of(session, document)
    if found is None or found.version != document.version:
        return
    published = [_diagnostic(session, document, match) for match in found.matches]
    editor.publish(
        document.uri,
        document.version if session.client.versioned_diagnostics else None,
        published,
    )


async def findings_of(session: Session, document: Document) -> Findings | None:
    """The matches in the document as it is now; None without an index or where it fails."""
    known = session.findings.get(document)
    if known is not None and known.version == document.version:
        return known
    index = session.index.index
    text, version = document.text, document.version
    if index is None or len(text) > LARGEST_DOCUMENT:
        return None
    unwanted = threading.Event()

    def check() -> list[Match]:
        return index.check_document(
            convert.speakable(text),
            language=document.language,
            path=document.shown_path,
            cancelled=unwanted.is_set,
        )

    try:
        matches = await session.lookups.run(check)
    except asyncio.CancelledError:
        unwanted.set()
        raise
    except Exception as error:  # noqa: BLE001 -- a failed check leaves the file unmarked
        wire.report(error)
        return None
    found = Findings(version, tuple(matches))
    if session.documents.get(document.uri) is document:
        session.findings[document] = found
    return found


def _diagnostic(session: Session, document: Document, match: Match) -> types.Diagnostic:
    client = session.client
    source = match.source
    web = source.url.startswith(("https://", "http://"))
    related = None
    if client.related_information:
        related = [_related(each) for each in (source, *match.others)]
    return types.Diagnostic(
        range=convert.range_of_lines(
            document.lines, match.start_line, match.end_line, session.encoding
        ),
        message=citations.headline(match),
        severity=(
            types.DiagnosticSeverity.Warning
            if match.tier == "warning"
            else types.DiagnosticSeverity.Information
        ),
        source=protocol.DIAGNOSTIC_SOURCE,
        code=protocol.DIAGNOSTIC_CODE,
        code_description=(
            types.CodeDescription(source.url) if web and client.code_description else None
        ),
        related_information=related,
        data=_data(match) if client.diagnostic_data else None,
    )


def _related(source: Source) -> types.DiagnosticRelatedInformation:
    start = types.Position(source.start_line - 1, 0)
    end = types.Position(source.end_line, 0)
    return types.DiagnosticRelatedInformation(
        location=types.Location(source_uri(source), types.Range(start, end)),
        message=f"{citations.release(source)}, {source.license}",
    )


def source_uri(source: Source) -> str:
    """The address of a corpus file: footnote-source:/package/version/path."""
    parts = (source.package, source.version, source.path)
    return f"{protocol.SOURCE_SCHEME}:/" + "/".join(quote(part) for part in parts)


def _data(match: Match) -> dict[str, object]:
    from indexer.attribution.matches import match_json

    return dict(match_json(match))
