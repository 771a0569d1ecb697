"""What the server says to the editor without being asked."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lsp_server import protocol, wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pygls.lsp.server import LanguageServer

_ANSWER_S = 2.0  # an editor that has not answered by then will not


class Editor:
    """The editor at the other end, as features see it."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._told: protocol.StatusParams | None = None

    def publish(self, uri: str, version: int | None, found: list[types.Diagnostic]) -> None:
        self._server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri, found, version)
        )

    def warn(self, message: str) -> None:
        """Show a message that a person should act upon."""
        self._server.window_show_message(
            types.ShowMessageParams(types.MessageType.Warning, f"Footnote: {message}")
        )

    def tell(self, message: str) -> None:
        """Show a message that a person has asked for."""
        self._server.window_show_message(
            types.ShowMessageParams(types.MessageType.Info, f"Footnote: {message}")
        )

    async def choose(self, question: str, answers: Sequence[str]) -> str | None:
        """Ask a person; None where nothing is chosen. Waits as long as they think."""
        wish = types.ShowMessageRequestParams(
            types.MessageType.Info, question, [types.MessageActionItem(each) for each in answers]
        )
        try:
            chosen = await self._server.window_show_message_request_async(wish)
        except Exception as error:  # noqa: BLE001 -- an editor that cannot ask has no answer
            wire.report(error)
            return None
        return None if chosen is None else chosen.title

    async def apply(self, edit: types.WorkspaceEdit) -> bool:
        """Change documents; whether that was done."""
        wish = types.ApplyWorkspaceEditParams(edit)
        async with _answering():
            done = await self._server.workspace_apply_edit_async(wish)
            return bool(done.applied)
        return False

    async def show_document(self, uri: str, selection: types.Range) -> None:
        """Bring a document to the front, with some of it selected."""
        wish = types.ShowDocumentParams(uri, take_focus=True, selection=selection)
        async with _answering():  # an editor that cannot has said so to its user
            await self._server.window_show_document_async(wish)

    def log(self, message: str) -> None:
        self._server.window_log_message(types.LogMessageParams(types.MessageType.Info, message))

    def tell_status(self, status: protocol.StatusParams) -> None:
        if status != self._told:
            self._told = status
            self._server.protocol.notify(protocol.STATUS, protocol.to_json(status))

    async def configuration(self, section: str) -> Any:
        """What the editor has set under a section, or None where it does not say."""
        wish = types.ConfigurationParams([types.ConfigurationItem(section=section)])
        async with _answering():
            answers = await self._server.workspace_configuration_async(wish)
            return answers[0] if answers else None
        return None

    async def refresh_diagnostics(self) -> None:
        """There are others than the editor has asked for."""
        async with _answering():  # or else it asks again after the next edit
            await self._server.workspace_diagnostic_refresh_async(None)

    async def refresh_lenses(self) -> None:
        """Likewise, above accepted text."""
        async with _answering():
            await self._server.workspace_code_lens_refresh_async(None)

    async def register(self, identity: str, method: str, options: Any = None) -> None:
        """Ask the editor to send us a method that it lets servers ask for at run time."""
        wish = types.Registration(id=identity, method=method, register_options=options)
        async with _answering():  # or else it is not sent, and we do without
            await self._server.client_register_capability_async(types.RegistrationParams([wish]))

    async def progress(self, token: str, title: str) -> Progress | None:
        """Begin a progress bar; None where the editor shows none."""
        bar = self._server.work_done_progress
        async with _answering():
            await bar.create_async(token)
            bar.begin(token, types.WorkDoneProgressBegin(title=title, cancellable=False))
            return Progress(self._server, token)
        return None


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    """Wait for an answer, but not long; what an editor refuses or fails to do is logged, and left."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            yield
    except Exception as error:  # noqa: BLE001 -- no editor stops the server
        wire.report(error)


class Progress:
    """One progress bar in the editor."""

    def __init__(self, server: LanguageServer, token: str) -> None:
        self._bar = server.work_done_progress
        self._token = token

    def say(self, message: str) -> None:
        self._bar.report(self._token, types.WorkDoneProgressReport(message=message))

    def end(self, message: str) -> None:
        self._bar.end(self._token, types.WorkDoneProgressEnd(message=message))
