"""Indexes that come, go, or have something removed from them while the server runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from indexer.attribution.builder import build_index
from indexer.attribution.removal import Removal, remove
from indexer.shards import write_shards
from lsp_server.client import ServerSilent
from tests.support import tiny_corpus
from tests.support.documents import document
from tests.support.editor import NO_INDEX, Editor, Stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OWN = tiny_corpus.INTERVALS.replace("merge", "fuse").replace("ordered", "placed")
_ROUNDS = 40  # edits, after each of which the server may look


def edited_until(
    editor: Editor, uri: str, enough: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """The marks once they are as wanted, while somebody types."""
    for version in range(2, _ROUNDS):
        editor.change(uri, {"range": {"start": TOP, "end": TOP}, "text": "\n"})
        if enough(found := editor.diagnostics(uri, version)):
            return found
    raise AssertionError(f"the marks stay as they are: {found}")


TOP = {"line": 0, "character": 0}


def test_an_own_index_that_is_built_meanwhile_is_asked_as_well_and_one_that_goes_no_more(
    stage: Stage, tmp_path: Path
) -> None:
    tiny_corpus.build(tmp_path)
    with Editor(stage.command, env={"FOOTNOTE_HOME": str(tmp_path)}, said=()) as editor:
        editor.ready()
        uri = editor.open(tiny_corpus.INTERVALS)
        (found,) = editor.diagnostics(uri)
        assert found["data"]["source"]["package"] == "spans"

        remove(tmp_path / "index", Removal("spans"))
        assert edited_until(editor, uri, lambda found: not found) == []
        editor.close_document(uri)

        meta = {"name": "ours", "recipe_hash": "", "selection": "own"}
        shards = [document(OWN, "fuse.py", package="ours", license="LicenseRef-Own")]
        write_shards(tmp_path / "own", shards, meta=meta)
        build_index(tmp_path / "own", tmp_path / "indexes" / "ours", jobs=1)
        uri = editor.open(OWN)
        (found,) = edited_until(editor, uri, bool)
        assert found["data"]["source"]["package"] == "ours"


def test_an_index_that_is_built_while_the_server_runs_without_one_is_opened(
    stage: Stage, tmp_path: Path
) -> None:
    with Editor(stage.command, env={"FOOTNOTE_HOME": str(tmp_path)}, said=(NO_INDEX,)) as editor:
        assert editor.ready()["index"]["state"] == "unavailable"
        uri = editor.open(tiny_corpus.INTERVALS)
        tiny_corpus.build(tmp_path)
        for _ in range(_ROUNDS):
            editor.change(uri, {"range": {"start": TOP, "end": TOP}, "text": "\n"})
            try:
                editor.client.wait_for(
                    lambda note: (
                        note["method"] == "$/footnote/status"
                        and note["params"]["index"]["state"] == "ready"
                    ),
                    0.3,
                )
            except ServerSilent:
                continue
            break
        assert editor.diagnostics(uri)
