"""The composition root: a pygls server with a session, and a handler for every message."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from lsp_server import protocol, surroundings, wire
from lsp_server.capabilities import client_of, roots_of
from lsp_server.editor import Editor
from lsp_server.features import (
    actions,
    code_lens,
    commands,
    completion,
    configuration,
    cursor,
    diagnostics,
    hover,
    inline_completion,
    loading,
    matches,
    settling,
    sources,
)
from lsp_server.scheduler import EngineState, EngineThread, LookupThread
from lsp_server.session import Session
from lsp_server.wire import FootnoteProtocol

if TYPE_CHECKING:
    from lsp_server.features.loading import LoadModel, OpenIndex


class FootnoteServer(LanguageServer):
    """pygls' server with our protocol; an error of ours is no message box of theirs."""

    protocol: FootnoteProtocol
    session: Session

    def report_server_error(self, error: Exception, source: Any) -> None:
        if not isinstance(error, JsonRpcException):  # those are the client's, and it is told
            wire.report(error)


@dataclass(frozen=True, slots=True)
class Parts:
    """Where models and indexes come from."""

    load_model: LoadModel = loading.load_model
    open_index: OpenIndex = loading.open_index


def own_version() -> str:
    try:
        return version("footnote")
    except PackageNotFoundError:
        return "unknown"


def build_server(parts: Parts | None = None) -> FootnoteServer:
    """A server that has loaded nothing yet; serve it with lsp_server.transport."""
    parts = parts or Parts()
    wire.quiet_pygls()
    server = FootnoteServer(
        "footnote",
        own_version(),
        protocol_cls=FootnoteProtocol,
        converter_factory=wire.converter,
        text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
        notebook_document_sync=types.NotebookDocumentSyncOptions(
            [types.NotebookDocumentFilterWithNotebook(notebook="*")]
        ),
    )
    editor = Editor(server)

    def engine_changed(state: EngineState) -> None:
        if (loop := loops.get("loop")) is not None and not loop.is_closed():
            loop.call_soon_threadsafe(loading.engine_changed, session, editor, state)

    loops: dict[str, asyncio.AbstractEventLoop] = {}
    engine = EngineThread(lambda: parts.load_model(session.settings), engine_changed)
    session = Session(
        server.protocol.documents, engine, LookupThread("candidates"), LookupThread("lookups")
    )
    server.session = session
    _lifecycle(server, session, editor, parts, loops)
    _documents(server, session, editor, parts)
    _requests(server, session, editor)
    _own_messages(server, session, editor)
    return server


def _lifecycle(
    server: FootnoteServer,
    session: Session,
    editor: Editor,
    parts: Parts,
    loops: dict[str, asyncio.AbstractEventLoop],
) -> None:
    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        loops["loop"] = asyncio.get_running_loop()
        session.client = client_of(params.capabilities)
        session.encoding = server.protocol.encoding
        session.initial_options = params.initialization_options
        session.roots = roots_of(params)
        _by_capability(server, session, editor)

    @server.feature(types.INITIALIZED)
    async def initialized(_params: types.InitializedParams) -> None:
        await configuration.first(session, editor)
        loading.begin(session, editor, open_index=parts.open_index)
        if session.client.registers_configuration:
            await editor.register(
                "footnote-configuration",
                types.WORKSPACE_DID_CHANGE_CONFIGURATION,
                types.DidChangeConfigurationRegistrationOptions(section="footnote"),
            )
        if session.client.watches_files:
            from indexer.attribution import ignoring

            watcher = types.FileSystemWatcher(f"**/{ignoring.FOLDER}/{ignoring.NAME}")
            await editor.register(
                "footnote-ignored",
                types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
                types.DidChangeWatchedFilesRegistrationOptions([watcher]),
            )
        if session.client.text_content:
            await editor.register(
                "footnote-sources",
                types.WORKSPACE_TEXT_DOCUMENT_CONTENT,
                types.TextDocumentContentRegistrationOptions(schemes=[protocol.SOURCE_SCHEME]),
            )

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def configured(params: types.DidChangeConfigurationParams) -> None:
        await configuration.changed(
            session, editor, params, load=parts.load_model, open_index=parts.open_index
        )

    @server.feature(types.SHUTDOWN)
    def shutdown(_params: None) -> None:
        session.engine.close()
        session.sources.remove()


def _by_capability(server: FootnoteServer, session: Session, editor: Editor) -> None:
    """What is announced to some clients only."""
    if not session.client.inline_completion:

        @server.feature(types.TEXT_DOCUMENT_COMPLETION, completion.OPTIONS)
        async def complete(asked: types.CompletionParams) -> types.CompletionList | None:
            return await completion.answer(session, asked)

    if session.client.lenses:

        @server.feature(types.TEXT_DOCUMENT_CODE_LENS, code_lens.OPTIONS)
        async def lenses(asked: types.CodeLensParams) -> list[types.CodeLens]:
            return await code_lens.answer(session, asked)

    if session.client.pulled_diagnostics:

        @server.feature(types.TEXT_DOCUMENT_DIAGNOSTIC, diagnostics.PULL)
        async def pulled(
            asked: types.DocumentDiagnosticParams,
        ) -> types.DocumentDiagnosticReport:
            return await diagnostics.answer(session, editor, asked)


def _documents(server: FootnoteServer, session: Session, editor: Editor, parts: Parts) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        loading.look_again(session, editor, open_index=parts.open_index)
        diagnostics.opened(session, editor, params.text_document.uri)
        cursor.opened(session, params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        loading.look_again(session, editor, open_index=parts.open_index)
        diagnostics.changed(session, editor, params.text_document.uri)
        cursor.changed(session, params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def stored(_params: types.DidChangeWatchedFilesParams) -> None:
        diagnostics.all_again(session, editor)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        diagnostics.closed(session, editor, params.text_document.uri)
        if (document := session.documents.get(params.text_document.uri)) is not None:
            session.cache.forget(document.uri)
            surroundings.forget(session)


def _requests(server: FootnoteServer, session: Session, editor: Editor) -> None:
    # pygls announces the capability only when options are given.
    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def inline(params: types.InlineCompletionParams) -> types.InlineCompletionList | None:
        return await inline_completion.answer(session, params)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hovered(params: types.HoverParams) -> types.Hover | None:
        return await hover.answer(session, params)

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, actions.OPTIONS)
    async def acted(
        params: types.CodeActionParams,
    ) -> list[types.CodeAction | types.Command] | None:
        return await actions.answer(session, params)

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolved(action: types.CodeAction) -> types.CodeAction:
        return await actions.resolve(session, editor, action)

    @server.feature(types.WORKSPACE_TEXT_DOCUMENT_CONTENT)
    async def source(
        params: types.TextDocumentContentParams,
    ) -> types.TextDocumentContentResult | None:
        return await sources.answer(session, params)


def _own_messages(server: FootnoteServer, session: Session, editor: Editor) -> None:
    @server.feature(protocol.CURSOR)
    def moved(params: Any) -> None:
        cursor.moved(session, params)

    @server.feature(protocol.EXPLAIN)
    def explain(_params: Any) -> dict[str, Any]:
        return commands.explain(session)

    @server.command(protocol.COMMAND_EXPLAIN)
    def explain_command(*_arguments: Any) -> dict[str, Any]:
        return commands.explain(session)

    @server.feature(protocol.MATCHES)
    async def all_matches(_params: Any) -> dict[str, Any]:
        return await matches.answer(session)

    @server.command(protocol.COMMAND_ACCEPTED)
    async def accepted(*arguments: Any) -> None:
        await commands.accepted(session, editor, arguments)

    @server.command(protocol.COMMAND_IGNORE)
    async def ignore(*arguments: Any) -> bool:
        return await settling.ignore(session, editor, arguments)

    @server.command(protocol.COMMAND_REGENERATE)
    async def regenerate(*arguments: Any) -> dict[str, Any] | None:
        return await settling.regenerate(session, editor, arguments)

    @server.command(protocol.COMMAND_OPEN_SOURCE)
    async def open_source(*arguments: Any) -> dict[str, Any] | None:
        return await sources.open_source(session, editor, arguments)

    @server.command(protocol.COMMAND_RESTART)
    def restart(*_arguments: Any) -> None:
        commands.restart_model(session)
