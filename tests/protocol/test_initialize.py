"""The first exchange: what is announced, to whom, and how soon."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest

from lsp_server.client import Client, RequestFailed
from tests.support.editor import Editor, Stage

RECORDED = ["visual_studio_code_v1.65.2.json", "neovim_v0.11.0.json", "emacs_v29.1.json"]
# Helix 25.07 announces no inline completion and prefers UTF-8.
HELIX = {
    "general": {"positionEncodings": ["utf-8", "utf-32", "utf-16"]},
    "textDocument": {
        "completion": {"completionItem": {"snippetSupport": True}},
        "hover": {"contentFormat": ["markdown"]},
        "publishDiagnostics": {"versionSupport": True},
    },
    "window": {"workDoneProgress": True},
    "workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": False}},
}


def hello(stage: Stage, capabilities: dict[str, Any]) -> dict[str, Any]:
    allowed = {"window/logMessage"}
    with Editor(stage.command, capabilities=capabilities, allowed=allowed) as editor:
        return editor.hello["capabilities"]


def test_inline_completion_is_announced_to_a_client_that_has_it(editor: Editor) -> None:
    told = editor.hello["capabilities"]

    assert told["inlineCompletionProvider"] == {}
    assert "completionProvider" not in told
    assert told["hoverProvider"] is True
    assert told["textDocumentSync"]["change"] == 2


def test_a_client_without_ghost_text_is_offered_a_menu_item(stage: Stage) -> None:
    told = hello(stage, HELIX)

    assert "." in told["completionProvider"]["triggerCharacters"]
    assert told["positionEncoding"] == "utf-16"  # its last wish, but it has it
    assert told["inlineCompletionProvider"] == {}


@pytest.mark.parametrize("name", RECORDED)
def test_the_recorded_capabilities_of_an_editor_are_understood(stage: Stage, name: str) -> None:
    recorded = json.loads(resources.files("pytest_lsp.clients").joinpath(name).read_text())

    told = hello(stage, recorded["capabilities"])

    assert "completionProvider" in told  # none of these versions had ghost text over LSP
    assert told["positionEncoding"] == "utf-16"


def test_before_initialize_every_request_is_refused_and_notifications_are_dropped(
    stage: Stage,
) -> None:
    client = Client(stage.command)
    client.notify("textDocument/didOpen", {"textDocument": "whatever"})
    with pytest.raises(RequestFailed) as refused:
        client.request("textDocument/hover", {})
    assert refused.value.code == -32002

    client.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    with pytest.raises(RequestFailed) as again:
        client.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    assert again.value.code == -32600

    client.request("shutdown")
    with pytest.raises(RequestFailed) as late:
        client.request("textDocument/hover", {})
    assert late.value.code == -32600
    client.notify("exit")
    assert client.wait() == 0
    assert client.stderr == []


def test_exit_without_shutdown_ends_with_an_error(stage: Stage) -> None:
    client = Client(stage.command)
    client.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    client.notify("exit")

    assert client.wait() == 1
    assert client.stderr == []
