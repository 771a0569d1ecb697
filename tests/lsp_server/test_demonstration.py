"""`footnote demo`: what it chooses, how it renames, and that it runs on a small corpus."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from indexer.shards import write_shards
from lsp_server.commands.demo import main
from lsp_server.demonstration.copying import renamed_copy
from lsp_server.demonstration.places import chosen_places
from tests.support import tiny_corpus
from tests.support.documents import document

CLICK = """\
import os


class KeepOpen:
    def __init__(self, file):
        self._file = file

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __iter__(self):
        return iter(self._file)
"""


def test_a_place_is_cut_at_the_cursor_and_remembers_what_was_there() -> None:
    (place,) = chosen_places(
        [
            document("x", "other.py", package="other"),
            document(CLICK, "click/formatting.py", package="Click"),
        ]
    )

    assert place.hidden
    assert place.before + place.hidden + place.after == CLICK
    assert place.text.split("\n")[place.line][: place.column] == place.before.split("\n")[-1]
    assert "\n" not in place.hidden


def test_a_file_without_the_chosen_text_is_cut_behind_a_return_or_at_its_end() -> None:
    (place,) = chosen_places(
        [document("def f():\n    return 3\n", "click/formatting.py", package="click")]
    )
    assert place.hidden == "3"
    (place,) = chosen_places([document("x = 3\n", "click/formatting.py", package="click")])
    assert (place.before, place.hidden) == ("x = 3", "")


def test_a_copy_has_other_names_and_the_same_shape() -> None:
    text = f"import os\n\n\n{tiny_corpus.INTERVALS}"
    copy = renamed_copy(
        [document("x = (", "broken.py", package="a"), document(text, "spans/a.py", package="spans")]
    )

    assert copy is not None
    assert (copy.name, copy.package, copy.path) == ("merge_intervals", "spans", "spans/a.py")
    assert (copy.start_line, copy.end_line) == (4, 3 + tiny_corpus.INTERVALS.count("\n"))
    assert shape(copy.text) == shape(tiny_corpus.INTERVALS)
    before, after = names(tiny_corpus.INTERVALS), names(copy.text)
    assert before & after <= {"sorted", "max", "len", "range", "sum", "ValueError"}
    assert copy.renamed >= 6


@pytest.mark.parametrize(
    "text",
    [
        "def f(a, b, c, d, e, g):\n    return a\n",
        "x = 1\n" * 40,
        "def f():\n" + "    print('no names')\n" * 20,
        "def f(a, b, c, d, e, g):\n    global x\n" + "    x = a + b + c + d + e + g\n" * 20,
        "def f(a, b, c, d, e, g):\n" + "    # only words\n" * 20 + "    return a\n",
    ],
    ids=["short", "no function", "no names", "global", "comments"],
)
def test_a_function_that_would_show_little_is_passed_over(text: str) -> None:
    assert renamed_copy([document(text, "a.py", package="a")]) is None


def test_the_demonstration_runs_to_its_end_on_a_small_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path))
    tiny_corpus.build(tmp_path)
    held_out = [document(CLICK, "click/formatting.py", package="click")]
    write_shards(tmp_path / "held-out", held_out, meta={"name": "held-out"})

    assert main(["--model", "scripted:suggested()"]) == 0
    shown = capsys.readouterr().out
    assert "click 1.0: click/formatting.py, line" in shown
    assert "«suggested()»" in shown
    assert "its author wrote: " in shown
    assert "a copied function" in shown
    assert "with other names" in shown
    assert "| - [spans 1.2](https://example.org/spans)" in shown
    assert "vim.lsp.inline_completion.enable()" in shown


def test_without_data_it_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path))
    assert main([]) == 2
    assert "run `footnote setup`" in capsys.readouterr().err


def shape(text: str) -> str:
    """The tree without the names and the text of strings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for field in ("id", "arg"):
            if hasattr(node, field):
                setattr(node, field, "_")
    return ast.dump(tree)


def names(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
