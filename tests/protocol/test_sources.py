"""What a passage is compared with, and how its source is opened: in any editor, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from tests.support import tiny_corpus
from tests.support.editor import GHOST, Editor, Stage

ADDRESS = "footnote-source:/spans/1.2/spans/intervals.py"
MODERN: dict[str, Any] = {
    **GHOST,
    "window": {"showDocument": {"support": True}},
    "workspace": {"textDocumentContent": {"dynamicRegistration": True}},
}
PLAIN: dict[str, Any] = {"textDocument": {"inlineCompletion": {}, "publishDiagnostics": {}}}


@pytest.fixture(scope="module")
def modern(stage: Stage, home: Path) -> Iterator[Editor]:
    with session(stage, home, MODERN) as editor:
        yield editor


@pytest.fixture(scope="module")
def plain(stage: Stage, home: Path) -> Iterator[Editor]:
    with session(stage, home, PLAIN) as editor:
        yield editor
    assert list((home / "shown").iterdir()) == []


def session(stage: Stage, home: Path, capabilities: dict[str, Any]) -> Editor:
    env = {"FOOTNOTE_HOME": str(home)}
    said = ("the source is at", "not in the attribution index")
    answers = {"window/showDocument": lambda _params: {"success": True}}
    editor = Editor(stage.command, capabilities=capabilities, env=env, said=said, answers=answers)
    editor.ready()
    return editor


def open_source(editor: Editor, *arguments: Any) -> Any:
    params = {"command": "footnote.openSource", "arguments": arguments}
    return editor.client.request("workspace/executeCommand", params)


def hovered(editor: Editor, text: str) -> str:
    uri = editor.open(text)
    editor.diagnostics(uri)
    return editor.hover(uri, {"line": 8, "character": 0})["contents"]["value"]


def test_the_hover_shows_how_the_source_begins_and_what_is_called_otherwise(
    modern: Editor,
) -> None:
    text = hovered(modern, f"import os\n\n\n{tiny_corpus.RENAMED}")

    assert "similar, with other names" in text
    assert "BSD-3-Clause" in text
    assert "```python\ndef merge_intervals(intervals, gap=0, limit=None):" in text
    assert "`done` for `merged`" in text
    assert f"[Open the source (offline)]({ADDRESS}#L4)" in text


def test_where_nothing_differs_nothing_is_said_to(modern: Editor) -> None:
    text = hovered(modern, tiny_corpus.INTERVALS)

    assert "100% similar, verbatim" in text
    assert "Here " not in text


def test_without_markdown_the_hover_is_plain(plain: Editor) -> None:
    uri = plain.open(tiny_corpus.RENAMED)
    plain.diagnostics(uri)
    hover = plain.hover(uri, {"line": 8, "character": 0})
    text = hover["contents"]["value"]

    assert hover["contents"]["kind"] == "plaintext"
    assert "**" not in text
    assert "```" not in text
    assert "    def merge_intervals(intervals, gap=0, limit=None):" in text
    assert "The source (offline): file://" in text


def test_the_source_is_opened_at_its_lines(modern: Editor) -> None:
    assert open_source(modern, ADDRESS, 4, 20)["uri"] == ADDRESS
    asked = [ask for ask in modern.client.asked if ask["method"] == "window/showDocument"]
    assert asked[-1]["params"]["uri"] == ADDRESS
    assert asked[-1]["params"]["selection"]["start"] == {"line": 3, "character": 0}
    assert asked[-1]["params"]["selection"]["end"] == {"line": 20, "character": 0}


def test_other_editors_get_a_file_that_cannot_be_written(plain: Editor) -> None:
    found = open_source(plain, ADDRESS, 4, 20)
    file = Path(url2pathname(urlsplit(found["uri"]).path))

    assert tiny_corpus.INTERVALS in file.read_text(encoding="utf-8")
    assert file.name == "intervals.py"
    assert file.stat().st_mode & 0o222 == 0
    assert open_source(plain, ADDRESS)["uri"] == found["uri"]
    assert any(found["uri"] in said for said in plain.messages())


@pytest.mark.parametrize(
    "arguments", [(), (None,), ("footnote-source:/spans/9/x.py",), (7, "x"), ("../../etc/passwd",)]
)
def test_what_is_not_there_is_not_opened(plain: Editor, arguments: tuple[Any, ...]) -> None:
    seen = len(plain.messages())
    assert open_source(plain, *arguments) is None
    assert "not in the attribution index" in plain.messages()[seen]
