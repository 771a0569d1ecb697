"""workspace/executeCommand and footnote/explain: accepted, why no suggestion, load again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsp_server.features import loading
from lsp_server.protocol import ExplainResult, to_json

if TYPE_CHECKING:
    from lsp_server.session import Session


def accepted(session: Session, arguments: tuple[Any, ...]) -> None:
    """A suggestion was taken as a whole; only the trace keeps it."""
    if arguments:
        session.trace.accepted(str(arguments[0]))


def explain(session: Session) -> dict[str, Any]:
    return to_json(ExplainResult(session.trace.newest_first()))


def restart_model(session: Session) -> None:
    loading.restart_model(session)
