"""Editors by what they say of themselves: ghost text where they have it, one item of a menu elsewhere.

Recorded from the editors themselves, but for lsp-mode: of that the null matters, which tests/editor has seen.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.support.editor import Editor, Stage, only_item

HERE = Path(__file__).parent / "clients"
LSP_MODE = {
    "clientInfo": {"name": "emacs", "version": "30.2"},
    "capabilities": {
        "general": {"positionEncodings": ["utf-32", "utf-16"]},
        "textDocument": {"completion": {"contextSupport": True}, "inlineCompletion": None},
    },
}


def recorded(name: str) -> dict[str, Any]:
    if name == "lsp-mode":
        return LSP_MODE
    ours = HERE / f"{name}.json"
    theirs = resources.files("pytest_lsp.clients").joinpath(f"{name}.json")
    return json.loads((ours if ours.is_file() else theirs).read_text())


def editor_of(stage: Stage, name: str) -> Editor:
    told = recorded(name)
    answers = {
        "client/registerCapability": lambda _params: None,
        "workspace/configuration": lambda _params: [None],
    }
    return Editor(
        stage.command,
        capabilities=told["capabilities"],
        client_info=told["clientInfo"],
        answers=answers,
        allowed={"window/logMessage"},
    )


@pytest.mark.parametrize("name", ["neovim_0.12.4", "lsp-mode"])
def test_an_editor_with_ghost_text_gets_that_and_nothing_in_its_menu(
    stage: Stage, name: str
) -> None:
    stage.write({"text": "value + 1\nprint(x)"})
    with editor_of(stage, name) as editor:
        editor.ready()
        item = editor.suggestion(*editor.open_at("if x:\n    x = <CURSOR>\n"))

    assert "completionProvider" not in editor.hello["capabilities"]
    assert item is not None
    assert item["insertText"] == "x = value + 1\nprint(x)"
    assert item["range"]["start"] == {"line": 1, "character": 4}
    assert item["range"]["end"] == {"line": 1, "character": 8}


@pytest.mark.parametrize(
    "name", ["helix_25.07.1", "neovim_v0.11.0", "neovim_v0.7.0", "emacs_v29.1"]
)
def test_an_editor_without_gets_one_item_of_its_menu(stage: Stage, name: str) -> None:
    stage.write({"text": "ue + 1\nprint(x)"})
    with editor_of(stage, name) as editor:
        editor.ready()
        uri, at = editor.open_at("if x:\n    x = val<CURSOR>\n")
        params = {"textDocument": {"uri": uri}, "position": at, "context": {"triggerKind": 1}}
        item = only_item(editor.client.request("textDocument/completion", params))

    assert item is not None
    assert item["preselect"] is True
    assert item["insertTextMode"] == 1  # as it is: the indentation is ours
    assert item["insertTextFormat"] == 1
    assert item["labelDetails"] == {"description": "Footnote"}
    assert item["filterText"].startswith("val")
    assert item["textEdit"] == {
        "range": {"start": {"line": 1, "character": 8}, "end": {"line": 1, "character": 11}},
        "newText": "value + 1\nprint(x)",
    }
