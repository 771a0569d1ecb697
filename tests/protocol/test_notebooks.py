"""Cells of a notebook: documents of their own, completed with the cells above and below in their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_corpus
from tests.support.editor import GHOST, Editor, Stage

NOTEBOOK = "file:///project/study.ipynb"
START = {"line": 0, "character": 0}
CODE, PROSE = 2, 1


@pytest.fixture(scope="module")
def studying(stage: Stage, home: Path, tcp: bool) -> Iterator[Editor]:
    capabilities = {**GHOST, "notebookDocument": {"synchronization": {}}}
    options = {"attribution": {"diagnosticsDelayMs": 50}}
    env = {"FOOTNOTE_HOME": str(home)}
    with Editor(
        stage.command, capabilities=capabilities, options=options, env=env, said=(), tcp=tcp
    ) as editor:
        editor.ready()
        yield editor


def uri_of(name: str) -> str:
    return f"vscode-notebook-cell:/project/study.ipynb#{name}"


def item(name: str, text: str, language: str = "python") -> dict[str, Any]:
    return {"uri": uri_of(name), "languageId": language, "version": 1, "text": text}


def cell(name: str, kind: int = CODE) -> dict[str, Any]:
    return {"kind": kind, "document": uri_of(name)}


def open_notebook(editor: Editor, *items: dict[str, Any]) -> None:
    cells = [
        {"kind": PROSE if each["languageId"] == "markdown" else CODE, "document": each["uri"]}
        for each in items
    ]
    notebook = {"uri": NOTEBOOK, "notebookType": "jupyter-notebook", "version": 1, "cells": cells}
    editor.client.notify(
        "notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": items}
    )


def change(editor: Editor, **cells: Any) -> None:
    document = {"uri": NOTEBOOK, "version": 2}
    editor.client.notify(
        "notebookDocument/didChange", {"notebookDocument": document, "change": {"cells": cells}}
    )


def close(editor: Editor, *names: str) -> None:
    closed = {
        "notebookDocument": {"uri": NOTEBOOK},
        "cellTextDocuments": [{"uri": uri_of(each)} for each in names],
    }
    editor.client.notify("notebookDocument/didClose", closed)


def seen(editor: Editor, stage: Stage, name: str, line: int, character: int) -> str:
    """What the model is shown before and behind a place."""
    stage.write({"text": "{prefix}¦{suffix}"})
    at = {"line": line, "character": character}
    found = editor.suggestion(uri_of(name), at)
    assert found is not None, editor.reasons()[0]
    assert found["range"]["end"] == at
    return found["insertText"]


def test_notebooks_are_asked_for(studying: Editor) -> None:
    told = studying.hello["capabilities"]["notebookDocumentSync"]
    assert told["notebookSelector"] == [{"notebook": "*"}]


def test_a_cell_is_completed_with_those_of_its_language_around_it(
    studying: Editor, stage: Stage
) -> None:
    open_notebook(
        studying,
        item("a", "import os\n"),
        item("b", "# Prose", "markdown"),
        item("c", "x = "),
        item("d", "print(x)"),
    )
    assert seen(studying, stage, "c", 0, 4) == "x = import os\n\nx = ¦\n\nprint(x)"
    assert seen(studying, stage, "a", 0, 9) == "import osimport os¦\n\n\nx =\n\nprint(x)"
    close(studying, *"abcd")


def test_cells_move_come_go_and_are_edited(studying: Editor, stage: Stage) -> None:
    open_notebook(studying, item("a", "one"), item("b", "two"), item("c", "three"))
    # The last one moves to the front.
    change(studying, structure={"array": {"start": 2, "deleteCount": 1}})
    change(studying, structure={"array": {"start": 0, "deleteCount": 0, "cells": [cell("c")]}})
    assert seen(studying, stage, "b", 0, 3) == "twothree\n\none\n\ntwo¦"

    new = {"array": {"start": 1, "deleteCount": 1, "cells": [cell("n")]}}
    change(
        studying,
        structure={**new, "didOpen": [item("n", "new")], "didClose": [{"uri": uri_of("a")}]},
    )
    typed = {"range": {"start": START, "end": START}, "text": "re"}
    edited = {"document": {"uri": uri_of("n"), "version": 2}, "changes": [typed]}
    change(studying, textContent=[edited])
    assert seen(studying, stage, "b", 0, 3) == "twothree\n\nrenew\n\ntwo¦"
    assert studying.suggestion(uri_of("a"), START) is None

    close(studying, *"cnb")
    assert studying.suggestion(uri_of("b"), START) is None


def test_typing_along_in_a_cell_asks_no_model(studying: Editor, stage: Stage) -> None:
    open_notebook(studying, item("a", "one"), item("b", "x = "))
    stage.write({"text": "value"})
    at = {"line": 0, "character": 4}
    assert studying.suggestion(uri_of("b"), at, kind=2)["insertText"] == "x = value"
    typed = {"range": {"start": at, "end": at}, "text": "va"}
    edited = {"document": {"uri": uri_of("b"), "version": 2}, "changes": [typed]}
    change(studying, textContent=[edited])
    behind = {"line": 0, "character": 6}
    assert studying.suggestion(uri_of("b"), behind, kind=2)["insertText"] == "x = value"
    assert len(stage.calls()) == 1
    close(studying, *"ab")


def test_a_copy_in_a_cell_is_marked_there(studying: Editor) -> None:
    open_notebook(studying, item("a", "import os"), item("m", tiny_corpus.INTERVALS))
    (found,) = studying.diagnostics(uri_of("m"))
    assert found["range"]["start"]["line"] == 0
    close(studying, *"am")


def test_what_is_said_of_an_unknown_notebook_is_borne(studying: Editor, stage: Stage) -> None:
    change(studying, structure={"array": {"start": 9, "deleteCount": 9, "cells": [cell("?")]}})
    close(studying, "?")
    open_notebook(studying, item("a", "one"))
    change(studying, structure={"array": {"start": 7, "deleteCount": 9, "cells": [cell("?")]}})
    assert seen(studying, stage, "a", 0, 3) == "oneone¦"
    close(studying, "a")
