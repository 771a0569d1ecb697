"""The protocol without a process: what it keeps of messages that it has handled."""

from __future__ import annotations

from lsp_server.features import loading
from lsp_server.server import Parts, build_server

URI = "file:///project/a.py"


class Sink:
    """A writer that counts."""

    def __init__(self) -> None:
        self.n_messages = 0

    def write(self, _data: bytes) -> None:
        self.n_messages += 1

    def close(self) -> None:
        """Nothing is open."""


async def test_of_edits_and_requests_that_are_done_nothing_is_kept() -> None:
    protocol = build_server(Parts(loading.load_model, loading.open_index)).protocol
    sink = Sink()
    protocol.set_writer(sink)

    def say(method: str, params: object, **more: object) -> None:
        protocol.receive({"jsonrpc": "2.0", "method": method, "params": params, **more})

    say("initialize", {"processId": None, "rootUri": None, "capabilities": {}}, id=1)
    item = {"uri": URI, "languageId": "python", "version": 1, "text": "x = 1\n"}
    say("textDocument/didOpen", {"textDocument": item})
    at = {"line": 0, "character": 0}
    for version in range(2, 12):
        change = {"range": {"start": at, "end": at}, "text": "a"}
        document = {"uri": URI, "version": version}
        say("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})
    say("footnote/explain", None, id=2)

    assert protocol.documents.get(URI).text == "a" * 10 + "x = 1\n"
    assert sink.n_messages == 2
    assert protocol._request_futures == {}
    protocol._server.session.interrupt()
