"""What pygls leaves open on the wire: every request gets an answer, UTF-16 first, our own text."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    LanguageServerProtocol,
    default_converter,
    lsp_method,
)

from lsp_server import convert
from lsp_server.documents import Documents
from lsp_server.protocol import CURSOR

_log = logging.getLogger(__name__)
_LARGEST = 2**31 - 1  # of an LSP integer


class TriggerKinds:
    """The two numberings of InlineCompletionTriggerKind.

    Drafts of LSP 3.18, and clients built on them, say Invoked 0 and Automatic 1; the final text
    says 1 and 2. A 0 gives such a client away, and from then on its 1 means Automatic.
    """

    def __init__(self) -> None:
        self.draft = False

    def read(self, value: Any, _type: type) -> types.InlineCompletionTriggerKind:
        if value == 0 and not isinstance(value, bool):
            self.draft = True
            return types.InlineCompletionTriggerKind.Invoked
        if self.draft and value == 1:
            return types.InlineCompletionTriggerKind.Automatic
        return types.InlineCompletionTriggerKind(value)


def converter() -> Any:
    """pygls' converter, generous with trigger kinds and with positions out of range."""
    made = default_converter()  # type: ignore[no-untyped-call]
    made.register_structure_hook(types.InlineCompletionTriggerKind, TriggerKinds().read)
    made.register_structure_hook(types.Position, _position)
    made.register_structure_hook(types.VersionedTextDocumentIdentifier, _versioned)
    return made


def _position(value: Any, _type: type) -> types.Position:
    # A didChange that cannot be read would leave our text behind the editor's for good.
    line, character = value["line"], value["character"]
    return types.Position(_within(line), _within(character))


def _versioned(value: Any, _type: type) -> types.VersionedTextDocumentIdentifier:
    # Older clients may send null for a version; the change is the text's all the same.
    version = value.get("version")
    known = version if isinstance(version, int) else 0
    return types.VersionedTextDocumentIdentifier(version=known, uri=str(value["uri"]))


def _within(number: Any) -> int:
    return int(min(max(number, 0), _LARGEST))


@dataclass
class CursorMoved:
    """The one notification that LSP does not know, as a message."""

    params: types.TextDocumentPositionParams
    method: str
    jsonrpc: str


def _say_what_null_means(params: Any) -> None:
    """lsp-mode has ghost text and no options for it, which its Lisp writes as null."""
    try:
        told = params["capabilities"]["textDocument"]
        if params["clientInfo"]["name"] == "emacs" and told["inlineCompletion"] is None:
            told["inlineCompletion"] = {}
    except (KeyError, TypeError):
        return


class FootnoteProtocol(LanguageServerProtocol):
    """Keeps documents as `Documents` and answers what pygls would drop."""

    def __init__(self, server: Any, converter: Any) -> None:
        super().__init__(server, converter)
        self.documents = Documents()
        self.encoding: str = convert.UTF16
        self.stop: Callable[[], None] = lambda: None
        self._initialized = False

    @property
    def exit_code(self) -> int:
        """0 after a shutdown request, as the protocol wants it."""
        return 0 if self._shutdown else 1

    def receive(self, message: Any) -> None:
        """Handle one parsed message; whatever it is, a request in it is answered once."""
        if not isinstance(message, dict):
            self._refuse(None, types.ErrorCodes.InvalidRequest, "a message is a JSON object")
            return
        method, identity = message.get("method"), message.get("id")
        is_request = isinstance(method, str) and isinstance(identity, str | int)
        if is_request and (refusal := self._refusal(str(method))) is not None:
            self._refuse(identity, *refusal)
            return
        if not is_request and method is not None and not self._wanted(method):
            return
        try:
            structured = self.structure_message({"jsonrpc": self.VERSION, "params": None} | message)
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with it, the client is told
            if is_request:
                code = types.ErrorCodes.InvalidParams
                self._refuse(identity, code, f"the parameters of {method} cannot be read")
            elif method is None and (waiting := self._awaited(identity)):
                waiting.set_exception(JsonRpcInvalidParams())
            else:
                _log.warning("a message that cannot be read was left out (%s)", name_of(error))
            return
        self.handle_message(structured)

    def structure_message(self, data: dict[str, Any]) -> Any:
        """As pygls does it, without its log of the whole message."""
        if "method" not in data:
            return super().structure_message(data)
        if data["method"] == types.INITIALIZE:
            _say_what_null_means(data["params"])
        if "id" in data:
            other: type = JsonRPCRequestMessage
        else:
            other = CursorMoved if data["method"] == CURSOR else JsonRPCNotification
        return self._converter.structure(data, self.get_message_type(data["method"]) or other)

    def refuse_unparsable(self) -> None:
        self._refuse(None, types.ErrorCodes.ParseError, "the message is not JSON")

    def _awaited(self, identity: Any) -> Any:
        """Who waits for the client's answer with this id, if anybody does."""
        return self._request_futures.pop(identity, None)

    def _refusal(self, method: str) -> tuple[int, str] | None:
        if self._shutdown:
            return types.ErrorCodes.InvalidRequest, "the server has been shut down"
        if method == types.INITIALIZE:
            if self._initialized:
                return types.ErrorCodes.InvalidRequest, "initialize was sent before"
            return None
        if not self._initialized:
            return types.ErrorCodes.ServerNotInitialized, "initialize comes first"
        return None

    def _wanted(self, method: Any) -> bool:
        if method == types.EXIT:
            return True
        return self._initialized and not self._shutdown

    def _refuse(self, identity: Any, code: int, text: str) -> None:
        error = {"code": int(code), "message": text}
        self._send_data({"jsonrpc": self.VERSION, "id": identity, "error": error})

    def _execute_handler(
        self,
        msg_id: Any,
        handler: Any,
        callback: Callable[[Any], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        # pygls keeps what became of a notification for ever: every edit would take memory.
        def done(future: Any) -> None:
            if not future.cancelled():  # at the end all are, while pygls goes through them
                self._request_futures.pop(msg_id, None)
            callback(future)

        super()._execute_handler(msg_id, handler, done, args, kwargs)

    def _handle_cancel_notification(self, msg_id: Any) -> None:
        # A cancel that crosses its answer on the way is nothing to warn about.
        if (future := self._request_futures.pop(msg_id, None)) is not None:
            future.cancel()

    def _send_handler_result(self, future: Any, *, msg_id: Any) -> None:
        error = None if future.cancelled() else future.exception()
        if error is None:
            super()._send_handler_result(future, msg_id=msg_id)
            return
        self._request_futures.pop(msg_id, None)
        if isinstance(error, JsonRpcException):
            self._send_response(msg_id, error=error.to_response_error())
        else:
            report(error)
            self._refuse(msg_id, types.ErrorCodes.InternalError, "see the log of the server")

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, Any]:
        # pygls takes the client's first choice.
        general = params.capabilities.general
        self.encoding = convert.preferred_encoding(general.position_encodings if general else None)
        if general is not None:
            general.position_encodings = [types.PositionEncodingKind(self.encoding)]
        self._initialized = True
        return (yield from super().lsp_initialize(params))

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_args: Any) -> Generator[Any, Any, None]:
        self.stop()
        yield from ()

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(
        self, params: types.DidOpenTextDocumentParams
    ) -> Generator[Any, Any, None]:
        item = params.text_document
        self.documents.open(item.uri, str(item.language_id), item.version, item.text)
        yield from self._tell(types.TEXT_DOCUMENT_DID_OPEN, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(
        self, params: types.DidChangeTextDocumentParams
    ) -> Generator[Any, Any, None]:
        document = self.documents.get(params.text_document.uri)
        if document is None:
            return
        for change in params.content_changes:
            convert.apply_change(document, change, self.encoding)
        # A version that is not a newer one must not make what was known of the old text true.
        document.version = max(params.text_document.version, document.version + 1)
        yield from self._tell(types.TEXT_DOCUMENT_DID_CHANGE, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(
        self, params: types.DidCloseTextDocumentParams
    ) -> Generator[Any, Any, None]:
        uri = params.text_document.uri
        if self.documents.get(uri) is not None:
            yield from self._tell(types.TEXT_DOCUMENT_DID_CLOSE, params)
            self.documents.close(uri)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(
        self, params: types.DidOpenNotebookDocumentParams
    ) -> Generator[Any, Any, None]:
        notebook = params.notebook_document
        self.documents.open_notebook(notebook.uri)
        yield from self._cells_opened(params.cell_text_documents)
        self.documents.splice(notebook.uri, 0, 0, [each.document for each in notebook.cells])

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(
        self, params: types.DidChangeNotebookDocumentParams
    ) -> Generator[Any, Any, None]:
        if (cells := params.change.cells) is None:
            return
        if (structure := cells.structure) is not None:
            array = structure.array
            yield from self._cells_opened(structure.did_open or ())
            added = [each.document for each in array.cells or ()]
            uri = params.notebook_document.uri
            self.documents.splice(uri, array.start, array.delete_count, added)
            yield from self._cells_closed(structure.did_close or ())
        for each in cells.text_content or ():
            change = types.DidChangeTextDocumentParams(each.document, each.changes)
            yield from self.lsp_text_document__did_change(change)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(
        self, params: types.DidCloseNotebookDocumentParams
    ) -> Generator[Any, Any, None]:
        yield from self._cells_closed(params.cell_text_documents)
        self.documents.close_notebook(params.notebook_document.uri)

    def _cells_opened(self, cells: Sequence[types.TextDocumentItem]) -> Generator[Any, Any, None]:
        for each in cells:
            yield from self.lsp_text_document__did_open(types.DidOpenTextDocumentParams(each))

    def _cells_closed(
        self, cells: Sequence[types.TextDocumentIdentifier]
    ) -> Generator[Any, Any, None]:
        for each in cells:
            yield from self.lsp_text_document__did_close(types.DidCloseTextDocumentParams(each))

    def _tell(self, method: str, params: Any) -> Generator[Any, Any, None]:
        if (handler := self.fm.features.get(method)) is not None:
            yield handler, (params,), None


def report(error: BaseException) -> None:
    """Log what went wrong and where, never a message that may quote somebody's text."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in frames[-6:]]
    _log.error("%s at %s", name_of(error), " > ".join(places))


def name_of(error: BaseException) -> str:
    return type(error).__name__


def quiet_pygls() -> None:
    """pygls logs whole messages, and with them the user's text; ours are logged in `report`."""
    for name in ("pygls", "asyncio"):
        with suppress(ValueError):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
