"""Who asks by a key gets several suggestions, each with its own citation; who types gets one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_corpus
from tests.support.editor import Editor, Stage

HEAD = tiny_corpus.INTERVALS[: tiny_corpus.INTERVALS.index("    merged = []")]
BODY = tiny_corpus.INTERVALS[len(HEAD) :].lstrip()
MINE = "return my_own(ordered)"


@pytest.fixture(scope="module")
def citing(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """A server with an index."""
    home: Path = tmp_path_factory.mktemp("home")
    tiny_corpus.build(home)
    with Editor(stage.command, env={"FOOTNOTE_HOME": str(home)}, said=()) as editor:
        assert editor.ready()["index"]["state"] == "ready"
        yield editor


def mode(editor: Editor, name: str) -> None:
    settings = {"footnote": {"attribution": {"budgetMs": 1000, "mode": name}}}
    editor.client.notify("workspace/didChangeConfiguration", {"settings": settings})


def texts(items: list[dict[str, Any]]) -> list[str]:
    return [item["insertText"] for item in items]


def test_asking_brings_several_and_typing_one(editor: Editor, stage: Stage) -> None:
    stage.write({"text": "one", "others": ["two", "three", "four"]})
    uri, at = editor.open_at("x = <CURSOR>")

    assert texts(editor.suggestions(uri, at, kind=2)) == ["x = one"]
    assert texts(editor.suggestions(uri, at)) == ["x = one", "x = two", "x = three"]
    assert [call["candidates"] for call in stage.calls()] == [1, 3]


def test_asking_again_and_typing_along_any_of_them_ask_no_model(
    editor: Editor, stage: Stage
) -> None:
    stage.write({"text": "alpha", "others": ["beta one", "beta two"]})
    uri, at = editor.open_at("y = <CURSOR>")
    editor.suggestions(uri, at)
    behind = editor.type(uri, at, "beta")

    assert texts(editor.suggestions(uri, behind)) == ["y = beta one", "y = beta two"]
    assert texts(editor.suggestions(uri, behind, kind=2)) == ["y = beta one"]
    assert len(stage.calls()) == 1


def test_others_are_shown_where_the_first_has_no_text(editor: Editor, stage: Stage) -> None:
    stage.write({"text": "", "others": ["two"]})
    uri, at = editor.open_at("z = <CURSOR>")

    assert texts(editor.suggestions(uri, at)) == ["z = two"]


def test_accepting_any_of_them_is_noted_at_their_request(editor: Editor, stage: Stage) -> None:
    stage.write({"text": "one", "others": ["two"]})
    items = editor.suggestions(*editor.open_at("v = <CURSOR>"))
    (identity,) = items[1]["command"]["arguments"]
    assert identity != items[0]["command"]["arguments"][0]
    editor.client.request(
        "workspace/executeCommand", {"command": "footnote.accepted", "arguments": [identity]}
    )

    entry = editor.client.request("footnote/explain")["requests"][0]
    assert entry["details"]["accepted"] is True
    assert entry["details"]["candidates"] == 2


def test_each_has_its_own_citation(citing: Editor, stage: Stage) -> None:
    mode(citing, "warn")
    stage.write({"text": MINE, "others": [BODY]})
    items = citing.suggestions(*citing.open_at(f"# warn\n{HEAD}    <CURSOR>\n"))

    assert [item["command"]["title"] for item in items] == [
        "Completion accepted",
        "100% like spans 1.2 (BSD-3-Clause)",
    ]


@pytest.mark.parametrize("name", ["hide", "regenerate"])
def test_those_that_match_are_hidden_and_the_others_stay(
    name: str, citing: Editor, stage: Stage
) -> None:
    mode(citing, name)
    stage.write({"text": BODY, "others": [MINE]})
    uri, at = citing.open_at(f"# {name}\n{HEAD}    <CURSOR>\n")

    assert texts(citing.suggestions(uri, at)) == [MINE]
    assert texts(citing.suggestions(uri, at)) == [MINE]
    assert len(stage.calls()) == 1
