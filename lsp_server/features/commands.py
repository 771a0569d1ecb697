"""workspace/executeCommand and footnote/explain: accepted, why no suggestion, load again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from indexer.home import data_home
from lsp_server import acceptances, alternatives, wire
from lsp_server.documents import cells_around, place_at
from lsp_server.features import loading
from lsp_server.protocol import ExplainResult, to_json

if TYPE_CHECKING:
    from lsp_server.cache import Made
    from lsp_server.documents import Document
    from lsp_server.editor import Editor
    from lsp_server.session import Session


async def accepted(session: Session, editor: Editor, arguments: tuple[Any, ...]) -> None:
    """A suggestion was taken as a whole; it may be asked about, and cited ones are logged."""
    if not arguments:
        return
    key = str(arguments[0])
    session.trace.accepted(key)
    made = session.cache.made(key)
    document = None if made is None else session.documents.get(made.uri)
    if made is None or document is None:
        return
    alternatives.accepted(session, document, made)
    if made.suggestion.matches and session.settings.attribution.acceptance_log:
        await _log(session, editor, document, made)


async def _log(session: Session, editor: Editor, document: Document, made: Made) -> None:
    above, _ = cells_around(document)
    line = place_at(document.lines, max(0, made.offset - len(above))).line + 1

    def note() -> None:
        acceptances.note(data_home(), made.suggestion, file=document.path, line=line)

    try:
        await session.lookups.run(note)
    except OSError as error:
        wire.report(error)
        problem = f"accepted suggestions cannot be noted in {data_home()}: {error.strerror}"
        if session.first_time(problem):
            editor.warn(problem)


def explain(session: Session) -> dict[str, Any]:
    return to_json(ExplainResult(session.trace.newest_first()))


def restart_model(session: Session) -> None:
    loading.restart_model(session)
