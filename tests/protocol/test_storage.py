"""Where nothing can be stored, everything is answered, and what could not be kept is said."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lsp_server.client import SERVER
from tests.support import tiny_corpus
from tests.support.editor import Editor

# No file can grow, as on a full disk; pipes are none.
FULL = (
    sys.executable,
    "-I",
    "-c",
    "import os, resource, sys\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    "os.execv(sys.argv[1], sys.argv[1:])",
)


def scripted(folder: Path) -> dict[str, object]:
    """A model that goes on with the one document of the tiny corpus, and time to look that up."""
    lines = tiny_corpus.INTERVALS.splitlines(keepends=True)
    script = folder / "script.json"
    script.write_text(json.dumps({"rules": [{"text": "".join(lines[3:])}]}))
    return {"model": f"scripted:{script}", "attribution": {"budgetMs": 1000}}


def test_on_a_full_disk_suggestions_are_cited_and_the_log_of_them_is_missed_once(
    home: Path, tmp_path: Path
) -> None:
    before = set(home.rglob("*"))
    env = {"FOOTNOTE_HOME": str(home)}
    begun = "".join(tiny_corpus.INTERVALS.splitlines(keepends=True)[:3])
    missed = "accepted suggestions cannot be noted"
    with Editor(
        (*FULL, *SERVER),
        options=scripted(tmp_path),
        env=env,
        said=(missed, "the source cannot be shown"),
        stderr_allowed="OSError at",
    ) as editor:
        editor.ready()
        uri, at = editor.open_at(begun + "<CURSOR>")
        for _ in range(2):
            item = editor.suggestion(uri, at)
            assert "spans" in item["command"]["title"]
            editor.client.request("workspace/executeCommand", item["command"])
        shown = editor.diagnostics(editor.open(tiny_corpus.INTERVALS))[0]["data"]["source"]
        address = f"footnote-source:///{shown['package']}/{shown['version']}/{shown['path']}"
        opened = {"command": "footnote.openSource", "arguments": [address, 1, 2]}
        editor.client.request("workspace/executeCommand", opened)

        assert editor.hover(uri, at) is None
        assert len([each for each in editor.messages() if missed in each]) == 1

    # What was begun is empty; whether the log was there already depends on who used this home before.
    begun_anew = [each for each in home.rglob("*") if each.is_file() and each not in before]
    assert [each.name for each in begun_anew if each.stat().st_size] == []


def test_a_home_that_is_no_folder_costs_the_citations_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file, where a folder should be")
    env = {"FOOTNOTE_HOME": str(home)}
    unread = "index.json cannot be read"
    with Editor(SERVER, options={"model": "scripted:value"}, env=env, said=(unread,)) as editor:
        status = editor.ready()
        assert status["kind"] == "Warning"
        assert unread in status["message"]
        assert editor.suggestion(*editor.open_at("x = <CURSOR>"))["insertText"] == "x = value"
