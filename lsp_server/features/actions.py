"""textDocument/codeAction and codeAction/resolve: what can be done about a near-verbatim passage."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lsp_server import alternatives, convert, crediting, protocol
from lsp_server.addresses import source_uri
from lsp_server.documents import Place, body, split_lines
from lsp_server.features.sources import text_of
from lsp_server.passages import file_of, findings_of, root_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsp_server.documents import Document
    from lsp_server.editor import Editor
    from lsp_server.session import Passage, Session

OPTIONS = types.CodeActionOptions(
    code_action_kinds=[types.CodeActionKind.QuickFix, types.CodeActionKind.RefactorRewrite],
    resolve_provider=True,
)
_PATIENCE_S = 1.0
_MOST_PASSAGES = 3  # of one place
_COMMENT, _NOTICE = "comment", "notice"


class _NotReadable(Exception):
    """A file that is to be added to cannot be read; the message names it."""


async def answer(
    session: Session, params: types.CodeActionParams
) -> list[types.CodeAction | types.Command] | None:
    document = session.documents.get(params.text_document.uri)
    if document is None:
        return None
    if params.context.trigger_kind == types.CodeActionTriggerKind.Automatic:
        # Editors ask so after every key, and again when the marks have changed.
        known = session.findings.get(document)
        if known is None or known.version != document.version:
            return None
    first = convert.place_of(document.lines, params.range.start, session.encoding).line + 1
    last = convert.place_of(document.lines, params.range.end, session.encoding).line + 1
    try:
        async with asyncio.timeout(_PATIENCE_S):
            found = await findings_of(session, document)
    except TimeoutError:
        return None
    if found is None or found.version != document.version:
        return None
    here = [
        each
        for each in found.passages
        if each.match.start_line <= last and first <= each.match.end_line
    ]
    actions: list[types.CodeAction] = []
    for passage in here[:_MOST_PASSAGES]:
        actions += await _actions_for(session, document, passage, params.context)
    wanted = params.context.only
    shown = [each for each in actions if wanted is None or _is_wanted(each, wanted)]
    if not session.client.code_action_literals:
        return [each.command for each in shown if each.command is not None]
    return list(shown)


def _is_wanted(action: types.CodeAction, wanted: Sequence[types.CodeActionKind | str]) -> bool:
    kind = str(getattr(action.kind, "value", action.kind))
    names = [str(getattr(each, "value", each)) for each in wanted]
    return any(not name or kind == name or kind.startswith(f"{name}.") for name in names)


async def _actions_for(
    session: Session, document: Document, passage: Passage, context: types.CodeActionContext
) -> list[types.CodeAction]:
    source = passage.match.source
    name = source.release
    address = [source_uri(source), source.start_line, source.end_line]
    where = [document.uri, passage.id]
    solves = [each for each in context.diagnostics if _is_about(each, session, document, passage)]

    def action(title: str, *, solving: bool = True, **more: Any) -> types.CodeAction:
        kind = more.pop("kind", types.CodeActionKind.QuickFix)
        return types.CodeAction(title, kind, solves if solving and solves else None, **more)

    actions = []
    if any(info.text for info in session.index.infos.values()):
        command = types.Command("Open source", protocol.COMMAND_OPEN_SOURCE, arguments=address)
        title = f"Open the source: {name}, {source.path}"
        actions.append(action(title, solving=False, command=command))
    for kind, title in (
        (_COMMENT, f"Insert an attribution comment: {name} ({source.license})"),
        (_NOTICE, f"Add {name} to {crediting.NOTICES}"),
    ):
        data = {"uri": document.uri, "id": passage.id, "action": kind}
        if not _is_possible(session, document, passage, kind):
            continue
        if session.client.resolves_edits:
            actions.append(action(title, data=data))
            continue
        with suppress(_NotReadable):
            if (edit := await _edit_for(session, document, passage, kind)) is not None:
                actions.append(action(title, edit=edit))
    if file_of(document) is not None:
        command = types.Command("Ignore", protocol.COMMAND_IGNORE, arguments=where)
        actions.append(action("Ignore this passage, with a reason", command=command))
    if alternatives.removal_of(session, document, passage.match) is not None:
        command = types.Command("Regenerate", protocol.COMMAND_REGENERATE, arguments=where)
        actions.append(
            action(
                "Replace by another suggestion",
                kind=types.CodeActionKind.RefactorRewrite,
                command=command,
            )
        )
    return actions


def _is_about(
    diagnostic: types.Diagnostic, session: Session, document: Document, passage: Passage
) -> bool:
    if diagnostic.source != protocol.DIAGNOSTIC_SOURCE:
        return False
    if isinstance(diagnostic.data, dict) and "id" in diagnostic.data:
        return bool(diagnostic.data["id"] == passage.id)
    start = convert.place_of(document.lines, diagnostic.range.start, session.encoding)
    return start.line + 1 == passage.match.start_line


def _is_possible(session: Session, document: Document, passage: Passage, kind: str) -> bool:
    """What can be told without reading a file: that there is a way, and nothing is done already."""
    source = passage.match.source
    if kind == _COMMENT:
        above = document.lines[: passage.match.start_line - 1]
        has_comments = bool(crediting.comment(source, [], language=document.language))
        return has_comments and not crediting.is_credited(source, above)
    root = root_of(session, document)
    if root is None:
        return False
    notices = root / crediting.NOTICES
    is_open = session.documents.get(notices.as_uri()) is not None
    return is_open or session.client.creates_files or notices.is_file()


async def resolve(session: Session, editor: Editor, action: types.CodeAction) -> types.CodeAction:
    """Make the edit of an action that is about to be taken."""
    data = action.data if isinstance(action.data, dict) else {}
    document = session.documents.get(str(data.get("uri", "")))
    if document is None:
        return action
    passage = await passage_of(session, document, str(data.get("id", "")))
    if passage is None:
        return action
    try:
        action.edit = await _edit_for(session, document, passage, str(data.get("action", "")))
    except _NotReadable as problem:
        editor.warn(str(problem))
    return action


async def passage_of(session: Session, document: Document, identity: str) -> Passage | None:
    """The passage of that name, if it is still there."""
    found = await findings_of(session, document)
    passages = () if found is None else found.passages
    return next((each for each in passages if each.id == identity), None)


async def _edit_for(
    session: Session, document: Document, passage: Passage, kind: str
) -> types.WorkspaceEdit | None:
    """None where it is done already. Raises _NotReadable."""
    text = await text_of(session, passage.match.source)
    holders = crediting.holders_in(text or "")
    if kind == _COMMENT:
        return _comment_edit(session, document, passage, holders)
    root = root_of(session, document)
    return None if root is None else await _notice_edit(session, document, passage, holders, root)


def _comment_edit(
    session: Session, document: Document, passage: Passage, holders: list[str]
) -> types.WorkspaceEdit | None:
    source, lines = passage.match.source, document.lines
    at = min(passage.match.start_line, len(lines)) - 1
    at = crediting.line_for_comment(lines, at)
    if at >= len(lines) or crediting.is_credited(source, lines[:at]):
        return None
    line = lines[at]
    indent = line[: len(line) - len(line.lstrip())].rstrip("\r\n")
    end = line[len(body(line)) :] or _line_end(document)
    said = crediting.comment(source, holders, language=document.language)
    text = "".join(f"{indent}{each}{end}" for each in said)
    place = convert.position_of(lines, Place(at, 0), session.encoding)
    edit = types.TextEdit(types.Range(place, place), text)
    return _edit_of(session, document.uri, document.version, edit)


async def _notice_edit(
    session: Session, document: Document, passage: Passage, holders: list[str], root: Path
) -> types.WorkspaceEdit | None:
    file, source = root / crediting.NOTICES, passage.match.source
    shown = session.documents.get(file.as_uri())
    if shown is None:
        try:
            old = await session.lookups.run(_read, file)
        except (OSError, ValueError) as error:  # what cannot be read must not be written to
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise _NotReadable(f"{file} is left as it is: {why}") from None
    else:
        old = shown.text
    path = file_of(document)
    used_in = path.relative_to(root).as_posix() if path is not None else document.shown_path
    lines = split_lines(old or "")
    place = Place(len(lines) - 1, len(lines[-1]))
    if old is not None and crediting.has_section(old, source):
        use = crediting.another_use(old, source, used_in=used_in)
        if use is None:
            return None
        place, new = Place(use[0], 0), use[1]
    else:
        new = crediting.appended(old or "", crediting.section(source, holders, used_in=used_in))
    if any(line.endswith("\r\n") for line in lines):
        new = new.replace("\n", "\r\n")
    end = convert.position_of(lines, place, session.encoding)
    edit = types.TextEdit(types.Range(end, end), new)
    uri = file.as_uri() if shown is None else shown.uri
    version = None if shown is None else shown.version
    return _edit_of(session, uri, version, edit, creates=old is None)


def _edit_of(
    session: Session, uri: str, version: int | None, edit: types.TextEdit, *, creates: bool = False
) -> types.WorkspaceEdit:
    if not session.client.document_changes:
        return types.WorkspaceEdit(changes={uri: [edit]})
    document = types.OptionalVersionedTextDocumentIdentifier(uri, version)
    changes: list[Any] = [types.TextDocumentEdit(document, [edit])]
    if creates:
        options = types.CreateFileOptions(ignore_if_exists=True)
        changes.insert(0, types.CreateFile(uri, options=options))
    return types.WorkspaceEdit(document_changes=changes)


def _read(file: Path) -> str | None:
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _line_end(document: Document) -> str:
    return next((line[len(body(line)) :] for line in document.lines if line != body(line)), "\n")
