"""Other ways to reach the server: a port of this machine, and a client that is not ours."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from typing import Any

import pytest
from lsprotocol import types
from pygls.lsp.client import BaseLanguageClient

from lsp_server.client import SERVER, Client


def test_a_port_serves_one_editor_of_this_machine() -> None:
    process = subprocess.Popen(
        [*SERVER, "--tcp", "0"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stdout is not None
    told = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", process.stderr.readline())
    assert told is not None
    address = ("127.0.0.1", int(told.group(1)))
    with socket.create_connection(address) as connection:
        stream = connection.makefile("rwb")
        hello = request(
            stream, 1, "initialize", {"processId": None, "capabilities": {}, "rootUri": None}
        )
        assert hello["result"]["serverInfo"]["name"] == "footnote"
        with socket.create_connection(address) as second:
            assert second.recv(1) == b""  # one editor at a time
        request(stream, 2, "shutdown", None)
        send(stream, {"jsonrpc": "2.0", "method": "exit"})
        assert stream.read() == b""
        stream.close()

    assert process.wait() == 0
    assert process.stdout.read() == ""
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize("way", ["--tcp", "--http"])
def test_a_port_that_is_taken_is_named(way: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = subprocess.run([*SERVER, way, port], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert f"footnote serve: cannot listen on port {port}" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_interrupt_in_the_terminal_ends_the_server_quietly() -> None:
    client = Client()
    client.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    os.kill(client.pid, signal.SIGINT)

    assert client.wait() == 130
    assert client.stderr == []


async def test_a_client_of_another_make_understands_every_answer() -> None:
    client = BaseLanguageClient("other", "1")
    statuses: list[Any] = []
    client.feature("$/footnote/status")(lambda params: statuses.append(params))
    client.feature(types.WINDOW_SHOW_MESSAGE)(lambda _params: None)
    await client.start_io(*SERVER)
    uri = "file:///project/a.py"
    hello = await client.initialize_async(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(),
            initialization_options={"model": "scripted:echo"},
        )
    )
    assert hello.capabilities.inline_completion_provider == types.InlineCompletionOptions()
    client.initialized(types.InitializedParams())
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "python", 1, "x = \n"))
    )
    params = types.InlineCompletionParams(
        types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked),
        types.TextDocumentIdentifier(uri),
        types.Position(0, 4),
    )
    answer = None
    while answer is None:  # null while the model loads; the test's time limit ends a vain wait
        answer = await client.text_document_inline_completion_async(params)
    assert isinstance(answer, types.InlineCompletionList)
    assert answer.items[0].insert_text == "x = [x = |]"
    hover = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(0, 0))
    assert await client.text_document_hover_async(hover) is None
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()
    assert statuses


def send(stream: Any, message: dict[str, Any]) -> None:
    content = json.dumps(message).encode()
    stream.write(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
    stream.flush()


def request(stream: Any, identity: int, method: str, params: Any) -> dict[str, Any]:
    send(stream, {"jsonrpc": "2.0", "id": identity, "method": method, "params": params})
    while True:
        length = 0
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        message = json.loads(stream.read(length))
        if message.get("id") == identity:
            return message
