"""textDocument/publishDiagnostics and textDocument/diagnostic: near-verbatim passages, once the typist has paused."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from indexer.attribution.licensing import PERMISSIVE, class_of
from indexer.attribution.matches import match_json
from lsp_server import citations, convert, passages, protocol
from lsp_server.addresses import source_uri
from lsp_server.asks import LARGEST_DOCUMENT
from lsp_server.passages import findings_of

if TYPE_CHECKING:
    from indexer import Match, Source
    from lsp_server.documents import Document
    from lsp_server.editor import Editor
    from lsp_server.session import Findings, Passage, Session
    from lsp_server.settings import AttributionSettings

PULL = types.DiagnosticOptions(
    inter_file_dependencies=False, workspace_diagnostics=False, identifier="footnote"
)
_SETTLE_S = 2.0  # of rest after an edit, until the whole text is looked up once more
_SEVERITIES = {
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
    "hint": types.DiagnosticSeverity.Hint,
}


def opened(session: Session, editor: Editor, uri: str) -> None:
    _schedule(session, editor, uri, delay_ms=0)


def changed(session: Session, editor: Editor, uri: str) -> None:
    document = session.documents.get(uri)
    if document is not None:
        passages.edited(session, document)
    _schedule(session, editor, uri, session.settings.attribution.diagnostics_delay_ms)


def closed(session: Session, editor: Editor, uri: str) -> None:
    document = session.documents.get(uri)
    if document is not None:
        _stop(session, document)
        passages.forget(session, document)
        session.accepted.pop(document, None)
        if not session.pulls:
            editor.publish(document.uri, None, [])


def all_again(session: Session, editor: Editor) -> None:
    """The index, the settings or an ignore file have changed."""
    for document in session.documents:
        passages.forget(session, document)
        opened(session, editor, document.uri)
    if session.pulls:
        session.spawn(editor.refresh_diagnostics())
    if session.client.refreshes_lenses:
        session.spawn(editor.refresh_lenses())


async def answer(
    session: Session, editor: Editor, params: types.DocumentDiagnosticParams
) -> types.DocumentDiagnosticReport:
    """What the client asks for itself; from the first time on nothing is sent to it unasked."""
    if not session.pulls:
        session.pulls = True
        for each in session.documents:
            _stop(session, each)
            editor.publish(each.uri, None, [])
    document = session.documents.get(params.text_document.uri)
    if document is None or not session.settings.attribution.diagnostics:
        return types.RelatedFullDocumentDiagnosticReport(items=[])
    version = document.version
    rest_s = session.settings.attribution.diagnostics_delay_ms / 1000
    if document.edited_at:
        await asyncio.sleep(max(0.0, document.edited_at + rest_s - time.monotonic()))
    found = await findings_of(session, document)
    if document.version != version:
        raise JsonRpcException(
            "the text has changed",
            int(types.LSPErrorCodes.ServerCancelled),
            {"retriggerRequest": False},
        )
    _complain(session, editor, found)
    if found is not None and not found.is_whole:
        _stop(session, document)
        session.checks[document] = session.spawn(_settle(session, editor, document, found))
    return _report(session, document, found, params.previous_result_id)


def _report(
    session: Session, document: Document, found: Findings | None, known: str | None
) -> types.DocumentDiagnosticReport:
    items = _diagnostics(session, document, found)
    name = hashlib.sha256(repr(items).encode("utf-8", "replace")).hexdigest()[:16]
    if known == name:
        return types.RelatedUnchangedDocumentDiagnosticReport(result_id=name)
    return types.RelatedFullDocumentDiagnosticReport(items=items, result_id=name)


def _schedule(session: Session, editor: Editor, uri: str, delay_ms: int) -> None:
    document = session.documents.get(uri)
    if document is None:
        return
    _stop(session, document)
    if session.pulls:
        return
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
    _complain(session, editor, found)
    too_large = len(document.text) > LARGEST_DOCUMENT
    if too_large or (found is not None and found.version == document.version):
        _publish(session, editor, document, found)
    if found is not None and not found.is_whole:
        await _settle(session, editor, document, found)


def _complain(session: Session, editor: Editor, found: Findings | None) -> None:
    """Damage of an index may show when it is asked only, as what is wrong in an ignore file; said once."""
    ignoring = "" if found is None else found.project.problem
    for problem in (session.index.problem, ignoring):
        if problem and session.first_time(problem):
            editor.warn(problem)


async def _settle(session: Session, editor: Editor, document: Document, part: Findings) -> None:
    """Only what had changed was looked up: say so if the whole text tells something else."""
    await asyncio.sleep(_SETTLE_S)
    found = await findings_of(session, document, whole=True)
    if found is None or found.passages == part.passages or found.version != document.version:
        return
    if session.pulls:
        await editor.refresh_diagnostics()
    else:
        _publish(session, editor, document, found)


def _publish(session: Session, editor: Editor, document: Document, found: Findings | None) -> None:
    version = document.version if session.client.versioned_diagnostics else None
    editor.publish(document.uri, version, _diagnostics(session, document, found))


def _diagnostics(
    session: Session, document: Document, found: Findings | None
) -> list[types.Diagnostic]:
    shown = () if found is None else found.passages
    return [
        diagnostic_of(session, document, each, severity)
        for each in shown
        if (severity := severity_of(each.match, session.settings.attribution)) is not None
    ]


def severity_of(match: Match, settings: AttributionSettings) -> types.DiagnosticSeverity | None:
    """By the licence, and one step less where the match is not sure enough for a warning."""
    is_permissive = class_of(match.source.license) == PERMISSIVE
    name = settings.permissive_severity if is_permissive else settings.other_severity
    severity = _SEVERITIES.get(name)
    if severity is None or match.tier == "warning":
        return severity
    return types.DiagnosticSeverity(min(severity + 1, types.DiagnosticSeverity.Hint))


def diagnostic_of(
    session: Session,
    document: Document,
    passage: Passage,
    severity: types.DiagnosticSeverity | None,
) -> types.Diagnostic:
    client, match = session.client, passage.match
    source = match.source
    web = source.url.startswith(("https://", "http://"))
    found = convert.range_of_lines(
        document.lines, match.start_line, match.end_line, session.encoding
    )
    related = None
    if client.related_information:
        # Who cannot read the source's own address is shown the passage here.
        here = None if client.text_content else types.Location(document.uri, found)
        related = [_related(each, here) for each in (source, *match.others)]
    return types.Diagnostic(
        range=found,
        message=citations.headline(match),
        severity=severity,
        source=protocol.DIAGNOSTIC_SOURCE,
        code=protocol.DIAGNOSTIC_CODE,
        code_description=(
            types.CodeDescription(source.url) if web and client.code_description else None
        ),
        related_information=related,
        data={"id": passage.id, **match_json(match)} if client.diagnostic_data else None,
    )


def _related(source: Source, here: types.Location | None) -> types.DiagnosticRelatedInformation:
    start = types.Position(source.start_line - 1, 0)
    end = types.Position(source.end_line, 0)
    return types.DiagnosticRelatedInformation(
        location=here or types.Location(source_uri(source), types.Range(start, end)),
        message=f"{source.release}, {source.path} {citations.lines(source)}, {source.license}",
    )
