"""What an editor may do to a server in a day: bursts, stale versions, odd places, many files. Over both transports."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import tiny_corpus
from tests.support.editor import Editor, Stage, framed, until

BURSTS, BURST = 20, 50  # the trace keeps the last 50 requests
MOST_GROWTH = 24_000_000  # bytes; the documents that are opened and closed are twice that


@pytest.fixture(scope="module")
def indexed(stage: Stage, home: Path, tcp: bool) -> Iterator[Editor]:
    """A server with something to cite."""
    env = {"FOOTNOTE_HOME": str(home)}
    options = {"attribution": {"diagnosticsDelayMs": 50}}
    with Editor(stage.command, options=options, env=env, said=(), tcp=tcp) as editor:
        editor.ready()
        yield editor


def test_of_a_thousand_rapid_edits_with_requests_only_the_settled_ones_are_decoded(
    editor: Editor, stage: Stage
) -> None:
    stage.write()
    uri, at = editor.open_at("x = <CURSOR>")
    early = 0
    for number in range(BURSTS):
        stage.script({"text": "value", "held": True})
        messages, asked = [], []
        for stroke in range(BURST):
            version = 2 + number * BURST + stroke
            messages.append(edit(uri, version, at, "q"))
            at = {**at, "character": at["character"] + 1}
            asked.append(f"{number}.{stroke}")
            messages.append(question(asked[-1], uri, at))
        for each in asked:
            editor.client.expect(each)
        editor.client.send_bytes(b"".join(messages))
        line = "x = " + "q" * (number + 1) * BURST
        until(lambda line=line: line in stage.began())  # type: ignore[misc]
        stage.go()
        replies = [editor.client.reply(each) for each in asked]

        assert [reply["result"] for reply in replies[:-1]] == [None] * (BURST - 1)
        assert replies[-1]["result"]["items"][0]["insertText"].endswith("qvalue")
        told = editor.client.request("footnote/explain")["requests"]
        assert [each["reason"] for each in told] == ["model"] + ["superseded"] * (BURST - 1)
        if number == BURSTS // 4:
            early = resident(editor)

    assert len([call for call in stage.calls() if call["ended"] == "done"]) == BURSTS
    assert resident(editor) - early < MOST_GROWTH


def test_a_document_that_is_closed_is_given_back(editor: Editor) -> None:
    sizes = []
    for number in range(60):
        uri = editor.open(f"name_{number} = 1\n" * 60_000)  # some 900 kB
        editor.hover(uri, {"line": 0, "character": 0})
        editor.close_document(uri)
        assert editor.suggestion(uri, {"line": 0, "character": 0}) is None
        sizes.append(resident(editor))

    assert sizes[-1] - sizes[9] < MOST_GROWTH


@pytest.mark.parametrize("version", [1, 0, -7, None, 2**31 - 1])
def test_a_change_counts_whatever_version_it_names(
    editor: Editor, stage: Stage, version: int | None
) -> None:
    stage.write({"text": "{before}", "held": True})
    uri, at = editor.open_at("old = <CURSOR>")
    asked = editor.ask(uri, at)
    until(lambda: "old = " in stage.began())
    document = {"uri": uri, "version": version}
    whole = {"textDocument": document, "contentChanges": [{"text": "new = "}]}
    editor.client.notify("textDocument/didChange", whole)
    editor.heard()
    stage.go()

    assert editor.client.reply(asked)["result"] is None
    assert editor.suggestion(uri, at)["insertText"] == "new = new = "


def test_a_negative_place_is_the_beginning(editor: Editor, stage: Stage) -> None:
    stage.write({"text": "{before}|{after}"})
    uri = editor.open("first\nsecond")
    for at in ({"line": -1, "character": -5}, {"line": 0, "character": -(2**60)}):
        assert editor.suggestion(uri, at)["insertText"] == "|first"


def test_a_closed_document_is_asked_about_in_vain(editor: Editor) -> None:
    uri, at = editor.open_at("x = <CURSOR>")
    editor.close_document(uri)
    here = {"textDocument": {"uri": uri}, "position": at}
    span = {"start": at, "end": at}
    action = {"textDocument": {"uri": uri}, "range": span, "context": {"diagnostics": []}}

    assert editor.suggestion(uri, at) is None
    assert editor.hover(uri, at) is None
    assert not editor.client.request("textDocument/codeAction", action)
    editor.client.notify("footnote/cursor", here)
    editor.close_document(uri)
    assert editor.suggestion(*editor.open_at("y = <CURSOR>")) is not None


def test_what_other_settings_began_is_not_shown_under_new_ones(
    editor: Editor, stage: Stage
) -> None:
    stage.write({"text": "old", "delay_ms": 20_000})
    uri, at = editor.open_at("x = <CURSOR>")
    asked = editor.ask(uri, at)
    until(lambda: "x = " in stage.began())
    stage.script({"text": "new"})
    for settings in ({"completion": {"minConfidencePercent": 5}}, {}):
        told = {"settings": {"footnote": settings}}
        editor.client.notify("workspace/didChangeConfiguration", told)

    assert editor.client.reply(asked)["result"] is None
    assert editor.suggestion(uri, at)["insertText"] == "x = new"


def test_what_is_accepted_in_part_and_typed_to_its_end_is_marked(
    indexed: Editor, stage: Stage
) -> None:
    lines = tiny_corpus.INTERVALS.splitlines(keepends=True)
    rest = "".join(lines[4:])
    stage.write({"text": rest})
    uri = indexed.open("".join(lines[:4]))
    at = {"line": 4, "character": 0}
    assert indexed.suggestion(uri, at, kind=2)["insertText"].startswith("    for start")
    words, typed = rest[:60], rest[60:]
    indexed.type(uri, at, words)
    end = {"line": 10**6, "character": 10**6}
    for stroke in (typed[:1], typed[1:40], typed[40:]):
        indexed.type(uri, end, stroke)

    (found,) = indexed.diagnostics(uri)
    assert found["data"]["source"]["package"] == "spans"


def test_a_client_that_reads_nothing_is_waited_for_and_loses_nothing(editor: Editor) -> None:
    uri, at = editor.open_at("x = <CURSOR>")
    for _ in range(BURST):
        editor.suggestion(uri, at)
    asked = [f"deaf.{number}" for number in range(2000)]
    before = resident(editor)
    with editor.client.deaf():
        for each in asked:
            editor.client.expect(each)
            editor.client.send_bytes(framed("footnote/explain", None, id=each))
        until(lambda: is_idle(editor))
        grown = resident(editor) - before

    answers = [editor.client.reply(each)["result"]["requests"] for each in asked]
    assert {len(each) for each in answers} == {BURST}
    assert grown < MOST_GROWTH < len(json.dumps(answers))
    assert editor.suggestion(uri, at) is not None


def is_idle(editor: Editor) -> bool:
    """Whether the server computes nothing for a while."""
    stat = Path(f"/proc/{editor.client.pid}/stat")
    before = stat.read_text().split()[13:15]
    time.sleep(0.3)
    return stat.read_text().split()[13:15] == before


def edit(uri: str, version: int, at: dict[str, int], text: str) -> bytes:
    changes = [{"range": {"start": at, "end": at}, "text": text}]
    document = {"uri": uri, "version": version}
    return framed("textDocument/didChange", {"textDocument": document, "contentChanges": changes})


def question(identity: str, uri: str, at: dict[str, int]) -> bytes:
    asked = {"textDocument": {"uri": uri}, "position": at, "context": {"triggerKind": 2}}
    return framed("textDocument/inlineCompletion", asked, id=identity)


def resident(editor: Editor) -> int:
    """Bytes of memory that the server holds now."""
    told = Path(f"/proc/{editor.client.pid}/status").read_text()
    (line,) = [each for each in told.splitlines() if each.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024
