"""A line above accepted text that is somebody's: shown there, gone with it, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_corpus
from tests.support.editor import GHOST, Editor, Stage, framed, until

LENSES: dict[str, Any] = {
    "textDocument": {**GHOST["textDocument"], "codeLens": {}},
    "workspace": {"codeLens": {"refreshSupport": True}},
}
START = {"line": 0, "character": 0}


@pytest.fixture(scope="module")
def editor(stage: Stage, home: Path) -> Iterator[Editor]:
    options = {"attribution": {"diagnosticsDelayMs": 50}}
    env = {"FOOTNOTE_HOME": str(home)}
    with Editor(stage.command, capabilities=LENSES, options=options, env=env, said=()) as editor:
        assert editor.hello["capabilities"]["codeLensProvider"] == {"resolveProvider": False}
        editor.ready()
        yield editor


def lenses(editor: Editor, uri: str) -> Any:
    return editor.client.request("textDocument/codeLens", {"textDocument": {"uri": uri}})


@pytest.fixture
def accepted(editor: Editor, stage: Stage) -> str:
    """A document with a suggestion in it that was taken as it was."""
    stage.write({"text": tiny_corpus.INTERVALS})
    uri, at = editor.open_at("import os\n\n<CURSOR>")
    item = editor.suggestion(uri, at)
    editor.change(uri, {"range": item["range"], "text": item["insertText"]})
    editor.client.request("workspace/executeCommand", item["command"])
    return uri


def test_above_accepted_text_stands_whose_it_is_and_what_opens_the_source(
    editor: Editor, accepted: str
) -> None:
    (lens,) = lenses(editor, accepted)

    assert lens["range"]["start"]["line"] == 2
    assert lens["command"]["title"] == "Suggested, 100% like spans 1.2 (BSD-3-Clause)"
    assert lens["command"]["command"] == "footnote.openSource"
    assert lens["command"]["arguments"][0] == "footnote-source:/spans/1.2/spans/intervals.py"


def test_it_moves_with_the_text_and_goes_where_that_is_written_anew(
    editor: Editor, accepted: str
) -> None:
    editor.type(accepted, START, "import sys\n")
    (lens,) = lenses(editor, accepted)
    assert lens["range"]["start"]["line"] == 3

    editor.change(accepted, {"text": "import os\n\n" + tiny_corpus.RENAMED})
    assert lenses(editor, accepted) == []


def test_what_was_not_suggested_is_marked_otherwise(editor: Editor) -> None:
    uri = editor.open(tiny_corpus.INTERVALS)

    assert editor.diagnostics(uri)
    assert lenses(editor, uri) == []
    assert lenses(editor, "file:///unknown.py") == []


def test_an_edit_leaves_what_is_shown_until_it_is_known_anew(editor: Editor, accepted: str) -> None:
    editor.type(accepted, START, "#\n")
    edit = {
        "textDocument": {"uri": accepted, "version": 9},
        "contentChanges": [{"range": {"start": START, "end": START}, "text": "#\n"}],
    }
    editor.client.expect("before")
    editor.client.send_bytes(
        framed("textDocument/codeLens", {"textDocument": {"uri": accepted}}, id="before")
        + framed("textDocument/didChange", edit)
    )

    assert editor.client.reply("before")["error"]["code"] == -32801
    assert len(lenses(editor, accepted)) == 1


def test_they_can_be_switched_off_at_once(editor: Editor, accepted: str) -> None:
    assert lenses(editor, accepted)
    for wanted in (False, True):
        before = len(editor.client.asked)
        settings = {"footnote": {"attribution": {"codeLens": wanted, "diagnosticsDelayMs": 50}}}
        editor.client.notify("workspace/didChangeConfiguration", {"settings": settings})
        until(lambda: "workspace/codeLens/refresh" in methods(editor, before))  # noqa: B023
        assert bool(lenses(editor, accepted)) is wanted


def methods(editor: Editor, since: int) -> list[str]:
    return [each["method"] for each in editor.client.asked[since:]]


def test_an_editor_without_them_is_offered_none(stage: Stage) -> None:
    with Editor(stage.command) as editor:
        assert "codeLensProvider" not in editor.hello["capabilities"]
