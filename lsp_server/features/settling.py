"""footnote.ignoreMatch and footnote.regenerate: settle a passage for the project, or have it written anew."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lsp_server import alternatives, convert
from lsp_server.convert import speakable
from lsp_server.documents import place_at
from lsp_server.features import diagnostics
from lsp_server.features.actions import passage_of
from lsp_server.passages import file_of

if TYPE_CHECKING:
    from lsp_server.documents import Document
    from lsp_server.editor import Editor
    from lsp_server.session import Passage, Session

REASONS = ("It is our own code", "It may be used here", "It is too common to be anybody's")


async def ignore(session: Session, editor: Editor, arguments: tuple[Any, ...]) -> bool:
    """footnote.ignoreMatch [document, passage, reason]: whether it is ignored from now on.

    Without a reason one is asked for.
    """
    from indexer.attribution.ignoring import IgnoreFileUnusable, add_ignored, ignore_file

    document, passage = await _named(session, editor, arguments)
    if document is None or passage is None or (path := file_of(document)) is None:
        return False
    reason = arguments[2] if len(arguments) > 2 and isinstance(arguments[2], str) else ""
    if not reason.strip():
        question = "Footnote: why is this passage to be ignored in this project?"
        reason = await editor.choose(question, REASONS) or ""
    if not reason.strip():
        return False
    text, today = speakable(document.text), datetime.now(UTC).date()

    def add() -> None:
        add_ignored(ignore_file(path), passage.match, text, reason=reason.strip(), today=today)

    try:
        await session.lookups.run(add)
    except IgnoreFileUnusable as unusable:
        editor.warn(str(unusable))
        return False
    diagnostics.all_again(session, editor)
    return True


async def regenerate(
    session: Session, editor: Editor, arguments: tuple[Any, ...]
) -> dict[str, Any] | None:
    """footnote.regenerate [document, passage]: take our text out from where it matches.

    Returns where the cursor belongs; what is suggested there next goes another way.
    """
    document, passage = await _named(session, editor, arguments)
    if document is None or passage is None:
        return None
    removal = alternatives.removal_of(session, document, passage.match)
    if removal is None:
        editor.tell("this text was not suggested by Footnote, or it has been changed since")
        return None
    lines, text = list(document.lines), document.text
    start = place_at(lines, removal.start)
    found = convert.range_of(lines, start, place_at(lines, removal.end), session.encoding)
    edit = types.TextEdit(found, removal.restored)
    if not await editor.apply(types.WorkspaceEdit(changes={document.uri: [edit]})):
        return None
    alternatives.ban_at(session, document.uri, speakable(text[: removal.start]), removal.ban)
    cursor = types.Range(found.start, found.start)
    if session.client.show_document:
        await editor.show_document(document.uri, cursor)
    position = {"line": found.start.line, "character": found.start.character}
    return {"uri": document.uri, "position": position}


async def _named(
    session: Session, editor: Editor, arguments: tuple[Any, ...]
) -> tuple[Document | None, Passage | None]:
    """The document and the passage in it that a client names."""
    uri, identity = [*arguments, None, None][:2]
    document = session.documents.get(uri) if isinstance(uri, str) else None
    if document is None:
        return None, None
    passage = await passage_of(session, document, str(identity))
    if passage is None:
        editor.tell("this passage is no longer there")
    return document, passage
