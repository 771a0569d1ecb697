"""Whatever a client sends, a request is answered and the server goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.editor import Editor, Stage

INVALID_PARAMS = -32602


@pytest.fixture(scope="module")
def careless(stage: Stage) -> Iterator[Editor]:
    """A server that may say that it could not read something; nothing else."""
    with Editor(stage.command, stderr_allowed="a message that cannot be read") as editor:
        editor.ready()
        yield editor


def refusal(editor: Editor, method: str, params: Any) -> int:
    reply = editor.client.reply(editor.client.ask(method, params))
    assert "result" not in reply
    return reply["error"]["code"]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/inlineCompletion", None),
        ("textDocument/inlineCompletion", []),
        ("textDocument/inlineCompletion", {"textDocument": {"uri": "file:///a.py"}}),
        (
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": "file:///a.py"},
                "position": {"line": 0, "character": 0},
                "context": {"triggerKind": 7},
            },
        ),
        ("textDocument/hover", {"textDocument": {"uri": 3}, "position": "here"}),
        ("textDocument/hover", {"textDocument": {}, "position": {"line": 0}}),
        ("workspace/executeCommand", {"command": "no.such.command"}),
        ("workspace/executeCommand", {"command": 3, "arguments": 4}),
    ],
)
def test_a_malformed_request_is_refused(editor: Editor, method: str, params: Any) -> None:
    assert refusal(editor, method, params) == INVALID_PARAMS
    assert editor.suggestion(*editor.open_at("x = <CURSOR>")) is not None


def test_an_unknown_method_is_refused_as_such(editor: Editor) -> None:
    assert refusal(editor, "textDocument/nothingLikeIt", {"a": [1, {"b": None}]}) == -32601


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff\xfe not utf-8",
        b"[]",
        b"3",
        b"null",
        b'{"jsonrpc": "2.0"}',
        b'{"method": "textDocument/didOpen", "params": {"textDocument": 3}, "jsonrpc": "2.0"}',
        b'{"id": 99, "result": null, "jsonrpc": "2.0"}',
        b"[" * 5000,
    ],
)
def test_content_that_is_no_message_does_not_stop_the_server(
    careless: Editor, content: bytes
) -> None:
    careless.client.send_raw(content)
    assert careless.suggestion(*careless.open_at("x = <CURSOR>")) is not None


def test_a_header_in_other_letters_is_read(editor: Editor) -> None:
    content = json.dumps({"jsonrpc": "2.0", "id": "mine", "method": "footnote/explain"}).encode()
    editor.client.expect("mine")
    editor.client.send_bytes(
        b"content-type: application/json\r\ncontent-length:%d\r\n\r\n%b" % (len(content), content)
    )

    assert "requests" in editor.client.reply("mine")["result"]


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_both_numberings_of_the_trigger_are_answered(editor: Editor, kind: int) -> None:
    uri, at = editor.open_at("x = <CURSOR>")
    assert editor.suggestion(uri, at, kind=kind) is not None


def test_a_zero_makes_one_mean_automatic(stage: Stage) -> None:
    stage.write({"text": "value"})
    with Editor(stage.command) as editor:
        editor.ready()
        uri, at = editor.open_at("first = <CURSOR>")
        editor.suggestion(uri, at, kind=1)
        uri, at = editor.open_at("second = <CURSOR>")
        editor.suggestion(uri, at, kind=0)
        uri, at = editor.open_at("third = <CURSOR>")
        editor.suggestion(uri, at, kind=1)

    assert [call["automatic"] for call in stage.calls()] == [False, False, True]


def test_unknown_fields_are_ignored(editor: Editor) -> None:
    uri, at = editor.open_at("x = <CURSOR>")
    item = editor.suggestion(uri, at, selectedCompletionInfo=None, extra={"jsonrpc": "2.0"})
    assert item is not None
