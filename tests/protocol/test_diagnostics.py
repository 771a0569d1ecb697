"""Marks in documents: sent or asked for, by licence, without what is one's own, and after edits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from indexer import Match, Source
from indexer.attribution.ignoring import add_ignored
from tests.support import tiny_corpus
from tests.support.editor import GHOST, Editor, Stage, framed, until

PULL: dict[str, Any] = {
    "textDocument": {**GHOST["textDocument"], "diagnostic": {"dynamicRegistration": True}},
    "workspace": {"diagnostics": {"refreshSupport": True}},
}
FILLER = "".join(f"    part_{at} = first.field_{at * 7 % 31} + {at}\n" for at in range(400))
LONG = f"def step(first):\n{FILLER}\n\n{tiny_corpus.INTERVALS}"


@pytest.fixture(scope="module")
def editor(stage: Stage, home: Path) -> Iterator[Editor]:
    env = {"FOOTNOTE_HOME": str(home)}
    options = {"attribution": {"diagnosticsDelayMs": 50}}
    with Editor(stage.command, options=options, env=env, said=()) as editor:
        editor.ready()
        yield editor


@pytest.fixture(scope="module")
def pulling(stage: Stage, home: Path) -> Iterator[Editor]:
    env = {"FOOTNOTE_HOME": str(home)}
    options = {"attribution": {"diagnosticsDelayMs": 50}}
    with Editor(stage.command, capabilities=PULL, options=options, env=env, said=()) as editor:
        assert editor.hello["capabilities"]["diagnosticProvider"]["workspaceDiagnostics"] is False
        editor.ready()
        yield editor


def pulled(editor: Editor, uri: str, **more: Any) -> dict[str, Any]:
    return editor.client.request("textDocument/diagnostic", {"textDocument": {"uri": uri}, **more})


def test_marks_move_with_an_edit_above_them(editor: Editor) -> None:
    uri = editor.open(LONG)
    (before,) = editor.diagnostics(uri, version=1)
    editor.type(uri, {"line": 3, "character": 0}, "    x = 1\n")
    (after,) = editor.diagnostics(uri, version=2)

    assert after["range"]["start"]["line"] == before["range"]["start"]["line"] + 1
    assert after["range"]["end"]["line"] == before["range"]["end"]["line"] + 1
    assert {**after["data"], "start_line": 0, "end_line": 0} == {
        **before["data"],
        "start_line": 0,
        "end_line": 0,
    }
    editor.change(uri, {"range": after["range"], "text": "pass"})
    assert editor.diagnostics(uri, version=3) == []


def test_a_document_that_became_too_large_is_no_longer_marked(editor: Editor) -> None:
    uri = editor.open(tiny_corpus.INTERVALS)
    assert editor.diagnostics(uri, version=1)
    editor.type(uri, {"line": 0, "character": 0}, "# long\n" * 160_000)
    assert editor.diagnostics(uri, version=2) == []
    editor.close_document(uri)


def test_ones_own_package_is_not_marked(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "Spans"\n')
    (tmp_path / ".git").mkdir()
    uri = editor.open(tiny_corpus.INTERVALS, name=(tmp_path / "a.py").as_uri())
    assert editor.diagnostics(uri, version=1) == []


def test_what_a_project_ignores_is_not_marked_and_a_wrong_file_is_said_once(
    stage: Stage, home: Path, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    ignored = tmp_path / ".footnote" / "ignore.toml"
    watching = {**GHOST, "workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}
    env = {"FOOTNOTE_HOME": str(home)}
    said = ("no `reason`",)
    with Editor(stage.command, capabilities=watching, env=env, said=said) as editor:
        editor.ready()
        uri = editor.open(tiny_corpus.INTERVALS, name=(tmp_path / "a.py").as_uri())
        (found,) = editor.diagnostics(uri, version=1)
        (asked,) = editor.client.asked[0]["params"]["registrations"][0]["registerOptions"][
            "watchers"
        ]
        assert asked["globPattern"] == "**/.footnote/ignore.toml"

        facts = {key: value for key, value in found["data"].items() if key != "id"}
        facts |= {"source": Source(**facts["source"]), "others": ()}
        match = Match(**facts)
        add_ignored(ignored, match, tiny_corpus.INTERVALS, reason="mine", today=date(2026, 1, 1))
        with ignored.open("a") as stream:
            stream.write('[[ignored]]\nhash = "0"\n')
        for _ in range(2):
            seen = len(editor.client.notes)
            changes = {"changes": [{"uri": ignored.as_uri(), "type": 2}]}
            editor.client.notify("workspace/didChangeWatchedFiles", changes)
            note = editor.client.wait_for(
                lambda note: note["method"] == "textDocument/publishDiagnostics", since=seen
            )
            assert note["params"]["diagnostics"] == []
        assert len(editor.messages()) == 1

        stage.write({"text": tiny_corpus.INTERVALS})
        item = editor.suggestion(uri, {"line": 0, "character": 0})
        assert item["command"]["title"] == "Completion accepted"


def test_the_licence_decides_how_a_passage_is_marked(stage: Stage, home: Path) -> None:
    env = {"FOOTNOTE_HOME": str(home)}
    for wanted, severity in (("warning", 2), ("hint", 4)):
        options = {"attribution": {"permissiveSeverity": wanted}}
        with Editor(stage.command, options=options, env=env, said=()) as editor:
            editor.ready()
            (found,) = editor.diagnostics(editor.open(tiny_corpus.INTERVALS), version=1)
            assert found["severity"] == severity
            settings = {"footnote": {"attribution": {"permissiveSeverity": "off"}}}
            seen = len(editor.client.notes)
            editor.client.notify("workspace/didChangeConfiguration", {"settings": settings})
            cleared = editor.client.wait_for(
                lambda note: note["method"] == "textDocument/publishDiagnostics", since=seen
            )
            assert cleared["params"]["diagnostics"] == []


def test_a_client_that_could_ask_and_does_not_is_told(stage: Stage, home: Path) -> None:
    env = {"FOOTNOTE_HOME": str(home)}
    with Editor(stage.command, capabilities=PULL, env=env, said=()) as editor:
        editor.ready()
        assert editor.diagnostics(editor.open(tiny_corpus.INTERVALS), version=1)


def test_a_client_that_asks_is_answered_and_told_nothing_else(pulling: Editor) -> None:
    pulled(pulling, pulling.open(""))  # it has asked before
    seen = len(pulling.client.notes)
    uri = pulling.open(LONG)
    report = pulled(pulling, uri)
    assert (report["kind"], len(report["items"])) == ("full", 1)
    again = pulled(pulling, uri, previousResultId=report["resultId"])
    assert again == {"kind": "unchanged", "resultId": report["resultId"]}

    pulling.type(uri, {"line": 3, "character": 0}, "    x = 1\n")
    moved = pulled(pulling, uri, previousResultId=report["resultId"])
    assert moved["items"][0]["range"]["start"]["line"] == (
        report["items"][0]["range"]["start"]["line"] + 1
    )
    pulling.close_document(uri)
    assert pulled(pulling, uri)["items"] == []
    told = [note["method"] for note in pulling.client.notes[seen:]]
    assert "textDocument/publishDiagnostics" not in told


def test_a_client_that_asks_hears_when_there_is_something_else(pulling: Editor) -> None:
    uri = pulling.open(tiny_corpus.INTERVALS)
    assert pulled(pulling, uri)["items"]
    before = len(pulling.client.asked)
    settings = {"footnote": {"attribution": {"diagnostics": False}}}
    pulling.client.notify("workspace/didChangeConfiguration", {"settings": settings})
    until(
        lambda: (
            [ask["method"] for ask in pulling.client.asked[before:]]
            == ["workspace/diagnostic/refresh"]
        )
    )
    assert pulled(pulling, uri)["items"] == []


def test_an_edit_ends_what_was_asked_about_the_text_before(pulling: Editor) -> None:
    settings = {"footnote": {"attribution": {"diagnosticsDelayMs": 500}}}
    pulling.client.notify("workspace/didChangeConfiguration", {"settings": settings})
    uri = pulling.open(tiny_corpus.INTERVALS)
    start = {"line": 0, "character": 0}
    pulling.type(uri, start, "x\n")
    edit = {
        "textDocument": {"uri": uri, "version": 3},
        "contentChanges": [{"range": {"start": start, "end": start}, "text": "y\n"}],
    }
    pulling.client.expect("before")
    pulling.client.send_bytes(
        framed("textDocument/diagnostic", {"textDocument": {"uri": uri}}, id="before")
        + framed("textDocument/didChange", edit)
    )
    reply = pulling.client.reply("before")

    assert reply["error"]["code"] == -32802
    assert reply["error"]["data"] == {"retriggerRequest": False}
    assert len(pulled(pulling, uri)["items"]) == 1
