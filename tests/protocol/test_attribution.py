"""Citations from a real index: diagnostics, hovers, and what happens to a suggestion that matches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_corpus
from tests.support.editor import GHOST, Editor, Stage

CAPABILITIES: dict[str, Any] = {
    **GHOST,
    "workspace": {"textDocumentContent": {"dynamicRegistration": True}},
}
HEAD = tiny_corpus.INTERVALS[: tiny_corpus.INTERVALS.index("    merged = []")]
BODY = tiny_corpus.INTERVALS[len(HEAD) :]


@pytest.fixture(scope="module")
def editor(stage: Stage, home: Path) -> Iterator[Editor]:
    env = {"FOOTNOTE_HOME": str(home)}
    with Editor(stage.command, capabilities=CAPABILITIES, env=env, said=()) as editor:
        assert editor.ready()["index"]["state"] == "ready"
        yield editor


def mode(editor: Editor, **attribution: Any) -> None:
    settings = {"footnote": {"attribution": {"budgetMs": 1000, **attribution}}}
    editor.client.notify("workspace/didChangeConfiguration", {"settings": settings})


def test_a_renamed_copy_is_marked_when_the_file_is_opened(editor: Editor) -> None:
    uri = editor.open(f"import os\n\n\n{tiny_corpus.RENAMED}\n\nprint(os)\n")
    (found,) = editor.diagnostics(uri)

    assert (found["source"], found["code"]) == ("footnote", "near-verbatim")
    assert found["severity"] == 3  # a permissive licence
    assert "spans 1.2, spans/intervals.py lines" in found["message"]
    assert "BSD-3-Clause" in found["message"]
    assert found["codeDescription"]["href"] == "https://example.org/spans"
    assert found["data"]["kind"] == "renamed"
    lines = tiny_corpus.RENAMED.count("\n")
    assert found["range"]["start"]["line"] in range(3, 6)
    assert found["range"]["end"]["line"] in range(lines, lines + 3)
    (related,) = found["relatedInformation"]
    assert related["location"]["uri"] == "footnote-source:/spans/1.2/spans/intervals.py"

    hover = editor.hover(uri, found["range"]["start"])
    assert (
        "[spans 1.2](https://example.org/spans) `spans/intervals.py`" in hover["contents"]["value"]
    )
    assert hover["range"] == found["range"]
    assert editor.hover(uri, {"line": 0, "character": 0}) is None


def test_the_source_can_be_read_without_a_network(editor: Editor) -> None:
    wanted = {"uri": "footnote-source:/spans/1.2/spans/intervals.py"}
    answer = editor.client.request("workspace/textDocumentContent", wanted)
    assert tiny_corpus.INTERVALS in answer["text"]
    for uri in ("footnote-source:/spans/9.9/spans/intervals.py", "footnote-source:/x", "::", ""):
        assert editor.client.request("workspace/textDocumentContent", {"uri": uri}) is None
    asked = [ask["params"]["registrations"][0]["method"] for ask in editor.client.asked]
    assert asked == ["workspace/textDocumentContent"]


def test_marks_follow_the_text_and_go_with_the_document(editor: Editor) -> None:
    uri = editor.open("x = 1\n")
    assert editor.diagnostics(uri, version=1) == []

    end = {"line": 1, "character": 0}
    editor.type(uri, end, tiny_corpus.INTERVALS)
    (found,) = editor.diagnostics(uri, version=2)
    assert found["data"]["kind"] == "verbatim"
    assert found["range"]["start"] == {"line": 1, "character": 0}

    editor.change(uri, {"text": "x = 1\n"})
    assert editor.diagnostics(uri, version=3) == []
    editor.change(uri, {"text": tiny_corpus.INTERVALS})
    assert editor.diagnostics(uri, version=4) != []
    seen = len(editor.client.notes)
    editor.close_document(uri)
    cleared = editor.client.wait_for(
        lambda note: (
            note["method"] == "textDocument/publishDiagnostics" and note["params"]["uri"] == uri
        ),
        since=seen,
    )
    assert cleared["params"]["diagnostics"] == []


def test_columns_of_marks_count_as_the_client_does(editor: Editor) -> None:
    text = tiny_corpus.INTERVALS.replace("    return merged", '    "😋"; return merged')
    (found,) = editor.diagnostics(editor.open(text))
    last = text.rstrip("\n").rpartition("\n")[2]
    assert found["range"]["end"]["character"] == len(last) + 1


def test_unrelated_code_and_odd_text_are_not_marked(editor: Editor) -> None:
    for text in (tiny_corpus.UNRELATED, "", "\r\n" * 100, "\x00", "(" * 5000, "\ud800"):
        assert editor.diagnostics(editor.open(text), version=1) == []


def test_marks_can_be_switched_off(editor: Editor) -> None:
    uri = editor.open(tiny_corpus.INTERVALS)
    assert editor.diagnostics(uri) != []
    seen = len(editor.client.notes)
    mode(editor, diagnostics=False)
    editor.client.wait_for(
        lambda note: (
            note["method"] == "textDocument/publishDiagnostics"
            and note["params"]["uri"] == uri
            and note["params"]["diagnostics"] == []
        ),
        since=seen,
    )
    mode(editor)
    editor.close_document(uri)


def test_a_suggestion_that_matches_says_so(editor: Editor, stage: Stage) -> None:
    mode(editor)
    stage.write({"text": BODY.lstrip()})
    uri, at = editor.open_at(f"# warn\n{HEAD}    <CURSOR>\n")
    item = editor.suggestion(uri, at)

    assert item["insertText"] == BODY.lstrip()
    assert item["command"]["title"] == "100% like spans 1.2 (BSD-3-Clause)"


def test_hiding_drops_a_suggestion_that_matches_and_no_other(editor: Editor, stage: Stage) -> None:
    mode(editor, mode="hide")
    stage.write({"when": f"{HEAD}    ", "text": BODY.lstrip()}, {"text": "something_else()"})
    uri, at = editor.open_at(f"# hide\n{HEAD}    <CURSOR>\n")

    assert editor.suggestion(uri, at) is None
    assert editor.reasons()[0] == "dropped:near-verbatim"
    assert editor.suggestion(*editor.open_at("<CURSOR>"))["insertText"] == "something_else()"


def test_regenerating_asks_for_another_suggestion(editor: Editor, stage: Stage) -> None:
    mode(editor, mode="regenerate")
    stage.write({"text": BODY.lstrip(), "instead": "return my_own(ordered)"})
    uri, at = editor.open_at(f"# other\n{HEAD}    <CURSOR>\n")

    assert editor.suggestion(uri, at)["insertText"] == "return my_own(ordered)"
    assert [len(call["banned"]) for call in stage.calls()] == [0, 1]


def test_regenerating_keeps_what_is_nobodys_and_bans_the_match_from_its_first_word_on(
    editor: Editor, stage: Stage
) -> None:
    mode(editor, mode="regenerate")
    mine = "def mine(value):\n    return [value, 1]\n\n\n"
    stage.write({"text": mine + tiny_corpus.INTERVALS, "instead": mine + "other()"})
    uri, at = editor.open_at("# keep\n<CURSOR>\n")

    assert editor.suggestion(uri, at)["insertText"] == mine + "other()"
    first, second = stage.calls()
    assert first["banned"] == []
    ((after, text),) = second["banned"]
    assert after == mine
    assert text.startswith("def merge_intervals")


def test_regenerating_gives_up_when_nothing_else_comes(editor: Editor, stage: Stage) -> None:
    mode(editor, mode="regenerate")
    stage.write({"text": BODY.lstrip(), "instead": BODY.lstrip()})
    uri, at = editor.open_at(f"# stubborn\n{HEAD}    <CURSOR>\n")

    assert editor.suggestion(uri, at) is None
    assert editor.reasons()[0] == "dropped:near-verbatim"
    assert len(stage.calls()) == 3


def test_a_menu_item_says_so_as_well(stage: Stage, home: Path) -> None:
    stage.write({"text": BODY.lstrip()})
    options = {"attribution": {"budgetMs": 1000}}
    plain = {"textDocument": {"completion": {}}}
    env = {"FOOTNOTE_HOME": str(home)}
    with Editor(stage.command, capabilities=plain, options=options, env=env, said=()) as editor:
        editor.ready()
        uri, at = editor.open_at(f"{HEAD}    <CURSOR>\n")
        params = {"textDocument": {"uri": uri}, "position": at, "context": {"triggerKind": 1}}
        (item,) = editor.client.request("textDocument/completion", params)["items"]

    assert item["labelDetails"]["description"] == "100% like spans 1.2 (BSD-3-Clause)"
    assert "spans/intervals.py lines" in item["documentation"]["value"]
    assert item["documentation"]["kind"] == "plaintext"


def test_a_damaged_index_is_said_once_and_the_server_goes_on(stage: Stage, tmp_path: Path) -> None:
    tiny_corpus.build(tmp_path)
    (tmp_path / "index" / "index.json").write_text("{", encoding="utf-8")
    stage.write({"text": "value"})
    env = {"FOOTNOTE_HOME": str(tmp_path)}
    with Editor(stage.command, env=env, said=("cannot be read",)) as editor:
        status = editor.ready()
        assert status["index"]["state"] == "unavailable"
        assert "footnote" in status["message"]
        assert editor.suggestion(*editor.open_at("x = <CURSOR>")) is not None
        assert len(editor.messages()) == 1


def test_damage_that_shows_while_serving_is_said_once(stage: Stage, tmp_path: Path) -> None:
    tiny_corpus.build(tmp_path)
    blocks = tmp_path / "index" / "text.blocks"
    record = tmp_path / "index" / "index.json"
    values = json.loads(record.read_text(encoding="utf-8"))
    blocks.write_bytes(b"x" * blocks.stat().st_size)
    values["files"]["text.blocks"]["sha256"] = hashlib.sha256(blocks.read_bytes()).hexdigest()
    record.write_text(json.dumps(values), encoding="utf-8")  # as a large file that is not hashed
    stage.write({"text": "value"})
    env = {"FOOTNOTE_HOME": str(tmp_path)}
    with Editor(stage.command, env=env, said=("is damaged",)) as editor:
        editor.ready()
        for _ in range(2):
            uri = editor.open(tiny_corpus.INTERVALS)
            assert editor.hover(uri, {"line": 3, "character": 0}) is None
        assert editor.suggestion(*editor.open_at("x = <CURSOR>")) is not None
        assert len(editor.messages()) == 1


def test_an_index_of_another_corpus_is_named(stage: Stage, home: Path) -> None:
    stage.write({"text": "value"}, corpus_hash="another")
    env = {"FOOTNOTE_HOME": str(home)}
    with Editor(stage.command, env=env, said=("another corpus",)) as editor:
        status = editor.ready()
        assert (status["kind"], status["index"]["belongs"]) == ("Warning", "no")
        assert len(editor.messages()) == 1
