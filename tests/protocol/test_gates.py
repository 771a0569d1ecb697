"""Where nothing is suggested, the trace says why by name: the real server with a real model, tiny."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lsp_server.client import SERVER
from tests.support.editor import Editor, Stage
from tests.support.tiny import write_tiny

AUTOMATIC, INVOKED = 2, 1
BEGUN = "import something\n\n"


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    model = write_tiny(tmp_path_factory.mktemp("model") / "tiny")
    options = {"model": str(model), "completion": {"minShowDelayMs": 0, "maxDebounceMs": 0}}
    with Editor(SERVER, options=options) as editor:
        editor.ready()
        yield editor


@pytest.mark.parametrize(
    ("marked", "kind", "more", "reason"),
    [
        (BEGUN + "na<CURSOR>me = 1\n", AUTOMATIC, {}, "mid-word"),
        (BEGUN + "na<CURSOR>me = 1\n", INVOKED, {}, "mid-word"),
        (BEGUN + "x = <CURSOR> + y(1)\n", AUTOMATIC, {}, "rest-of-line"),
        ("x = <CURSOR>\n", AUTOMATIC, {}, "little-text"),
        (BEGUN + "words <CURSOR>", AUTOMATIC, {"language": "markdown"}, "language-off"),
        (BEGUN + "words <CURSOR>", AUTOMATIC, {"language": "plaintext"}, "language-off"),
        (BEGUN + "words <CURSOR>", INVOKED, {"language": "git-commit"}, "language-off"),
        (BEGUN + "KEY=<CURSOR>", INVOKED, {"name": "service/.env.local"}, "excluded"),
        (BEGUN + "x = <CURSOR>", INVOKED, {"name": "uv.lock"}, "excluded"),
        ("x = 1\n" * 200_000 + "y = <CURSOR>", INVOKED, {}, "large-file"),
    ],
)
def test_a_closed_gate_is_named(
    gated: Editor, marked: str, kind: int, more: dict[str, Any], reason: str
) -> None:
    uri, at = gated.open_at(marked, **more)
    assert gated.suggestion(uri, at, kind=kind) is None
    assert gated.reasons()[0] == f"gated:{reason}"
    gated.close_document(uri)


@pytest.mark.parametrize("marked", [BEGUN + "print(<CURSOR>):\n", BEGUN * 4000 + "x = <CURSOR>"])
def test_what_finishes_a_line_and_a_file_of_many_lines_close_none(
    gated: Editor, marked: str
) -> None:
    uri, at = gated.open_at(marked)
    gated.suggestion(uri, at, kind=AUTOMATIC)
    assert not gated.reasons()[0].startswith("gated:")


def test_comments_are_left_alone_from_the_moment_that_this_is_set(gated: Editor) -> None:
    uri, at = gated.open_at(BEGUN + "# remember <CURSOR>")
    for wanted in (False, True):
        settings = {"footnote": {"completion": {"inComments": wanted}}}
        gated.client.notify("workspace/didChangeConfiguration", {"settings": settings})
        gated.suggestion(uri, at, kind=AUTOMATIC)
        assert (gated.reasons()[0] == "gated:comment") is not wanted
        gated.suggestion(uri, at, kind=INVOKED)
        assert gated.reasons()[0] != "gated:comment"


def test_of_an_ignored_file_nothing_reaches_the_model_until_it_is_allowed(
    editor: Editor, stage: Stage, tmp_path: Path
) -> None:
    stage.write({"text": "value"})
    rules = tmp_path / ".footnoteignore"
    rules.write_text("private/\n")
    name = (tmp_path / "private" / "a.py").as_uri()
    uri, at = editor.open_at("private = <CURSOR>", name=name)
    editor.rest(uri, at)
    for kind in (AUTOMATIC, INVOKED):
        assert editor.suggestion(uri, at, kind=kind) is None
        assert editor.reasons()[0] == "gated:footnoteignore"
    other, there = editor.open_at("public = <CURSOR>", name=(tmp_path / "a.py").as_uri())
    assert editor.suggestion(other, there) is not None
    assert {"private = "} & set(stage.began()) == set()

    rules.unlink()
    assert editor.suggestion(uri, at)["insertText"] == "private = value"
