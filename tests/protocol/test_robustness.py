"""Odd documents, odd settings, odd places to start from: answers, and nothing in the log."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lsp_server.client import SERVER
from tests.support.editor import GHOST, NO_INDEX, Editor, Stage, until

SETTINGS = {
    "atribution": {"mode": "hide"},
    "attribution": {"mode": "loud"},
    "completion.minShowDelayMs": "soon",
}
UNKNOWN = "unknown setting 'footnote.atribution'; did you mean 'footnote.attribution'?"


@pytest.fixture(scope="module")
def editor(stage: Stage) -> Iterator[Editor]:
    """One process for the module: started with bad settings, allowed to log a failing model."""
    with Editor(
        stage.command, options=SETTINGS, said=(UNKNOWN, NO_INDEX), stderr_allowed="RuntimeError at"
    ) as editor:
        editor.ready()
        yield editor


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("", "python"),
        ("\n" * 50_000, "python"),
        ("x = 1\r\n" * 1000, "python"),
        ("\x00\x01\x7f\ufffe", "python"),
        ("a" * 200_000, "plain"),
        ("{" * 20_000, "javascript"),
        ("no line end", "no-such-language"),
        ("\ufeffimport os\n", "python"),
    ],
    ids=["empty", "50k lines", "crlf", "control", "one line", "deep", "unknown", "bom"],
)
def test_an_odd_document_gets_an_answer(
    editor: Editor, stage: Stage, text: str, language: str
) -> None:
    stage.write({"text": "answer"})
    uri = editor.open(text, language=language)
    for at in ({"line": 0, "character": 0}, {"line": 10**6, "character": 10**6}):
        assert editor.suggestion(uri, at)["insertText"].endswith("answer")
    assert editor.hover(uri, {"line": 0, "character": 0}) is None
    editor.close_document(uri)


def test_a_file_over_a_megabyte_is_left_alone_and_says_why(editor: Editor) -> None:
    uri = editor.open("x = 1\n" * 200_000)
    assert editor.suggestion(uri, {"line": 3, "character": 0}) is None
    assert editor.reasons()[0] == "gated:large-file"


def test_nothing_is_suggested_after_a_deletion_until_something_is_typed(
    editor: Editor, stage: Stage
) -> None:
    stage.write({"text": "tail"})
    uri, at = editor.open_at("value = one<CURSOR>")
    before = {"line": 0, "character": 8}
    editor.change(uri, {"range": {"start": before, "end": at}, "text": ""})

    assert editor.suggestion(uri, before, kind=2) is None
    assert editor.reasons()[0] == "gated:deletion"
    behind = editor.type(uri, before, "two")
    assert editor.suggestion(uri, behind, kind=2)["insertText"] == "value = twotail"


def test_typing_along_and_deleting_back_ask_no_model(editor: Editor, stage: Stage) -> None:
    stage.write({"text": "alpha beta"})
    uri, at = editor.open_at("along = <CURSOR>")
    editor.suggestion(uri, at)
    behind = editor.type(uri, at, "alpha")
    assert editor.suggestion(uri, behind, kind=2)["insertText"] == "along = alpha beta"
    editor.change(uri, {"range": {"start": at, "end": behind}, "text": ""})

    assert editor.suggestion(uri, at, kind=2)["insertText"] == "along = alpha beta"
    assert len(stage.calls()) == 1


def test_an_automatic_suggestion_waits_for_the_typist_and_a_wanted_one_does_not(
    editor: Editor, stage: Stage
) -> None:
    stage.write({"text": "value"})
    slow = {"completion": {"minShowDelayMs": 1500, "maxDebounceMs": 0}}
    editor.client.notify("workspace/didChangeConfiguration", {"settings": {"footnote": slow}})
    uri, at = editor.open_at("delayed <CURSOR>")
    before = time.monotonic()
    behind = editor.type(uri, at, "= ")
    asked = editor.ask(uri, behind, kind=2)
    assert editor.client.reply(asked)["result"] is not None
    # Not a measurement of speed: the answer must not come before its time.
    assert time.monotonic() - before >= 1.5
    editor.client.notify("workspace/didChangeConfiguration", {"settings": {"footnote": {}}})


def test_unknown_and_wrong_settings_are_named_and_the_defaults_stand(editor: Editor) -> None:
    (told,) = [message for message in editor.messages() if "atribution" in message]

    assert UNKNOWN in told
    assert "footnote.attribution.mode must be one of warn, hide, regenerate, not 'loud'" in told
    assert "footnote.completion.minShowDelayMs must be a whole number from 0 to 2000" in told


def test_settings_are_pulled_from_an_editor_that_keeps_them(stage: Stage) -> None:
    stage.write({"text": "value"})
    kept = ["nonsense"]
    capabilities = {**GHOST, "workspace": {"configuration": True}}
    answers = {"workspace/configuration": lambda _params: kept}
    said = ("the settings must be an object, not 'nonsense'", NO_INDEX)
    with Editor(stage.command, capabilities=capabilities, answers=answers, said=said) as editor:
        editor.ready()
        uri, at = editor.open_at("x = <CURSOR>")
        assert editor.suggestion(uri, at) is not None
        for settings, kind in (({"enabled": False, "model": None}, "Inactive"), ({}, "Warning")):
            kept[0] = settings  # type: ignore[call-overload]
            seen = len(editor.client.notes)
            editor.client.notify("workspace/didChangeConfiguration", {"settings": None})
            told = ("$/footnote/status", kind)
            editor.client.wait_for(
                lambda note: (note["method"], note["params"].get("kind")) == told,  # noqa: B023
                since=seen,
            )
            assert (editor.suggestion(uri, at) is None) is (kind == "Inactive")


def test_a_model_that_raises_is_logged_without_anybodys_text(editor: Editor, stage: Stage) -> None:
    stage.write({"text": "", "error": "secret_text of the user"})
    before = len(editor.client.stderr)
    assert editor.suggestion(*editor.open_at("secret_text = <CURSOR>")) is None
    assert editor.reasons()[0] == "model-failed"
    stage.write({"text": "value"})
    assert editor.suggestion(*editor.open_at("secret_text = <CURSOR>")) is not None

    until(lambda: editor.client.stderr[before:])  # it is read beside the answers
    (line,) = editor.client.stderr[before:]
    assert "secret_text" not in line


def test_the_trace_says_why_and_holds_no_text(editor: Editor, stage: Stage) -> None:
    stage.write({"text": "hidden_answer"})
    uri, at = editor.open_at("hidden_question = <CURSOR>")
    item = editor.suggestion(uri, at)
    editor.client.request("workspace/executeCommand", item["command"])
    for number in range(60):
        editor.suggestion(uri, {"line": 0, "character": number % 5})
    told = editor.client.request("workspace/executeCommand", {"command": "footnote.explain"})

    assert len(told["requests"]) == 50
    assert {request["outcome"] for request in told["requests"]} <= {"shown", "nothing"}
    assert "hidden" not in json.dumps(told)


def test_an_accepted_suggestion_is_noted(editor: Editor, stage: Stage) -> None:
    stage.write({"text": "value"})
    item = editor.suggestion(*editor.open_at("accepted = <CURSOR>"))
    assert editor.client.request("workspace/executeCommand", item["command"]) is None

    told = editor.client.request("footnote/explain")["requests"][0]
    assert told["id"] == item["command"]["arguments"][0]
    assert told["details"]["accepted"] is True


def test_a_workspace_with_folders_of_our_names_does_not_confuse_the_server(
    tmp_path: Path,
) -> None:
    for name in ("engine", "indexer", "trainer", "lsp_server", "torch", "pygls", "json"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text("raise SystemExit('the wrong package')\n")
    options = {"model": "scripted:echo"}
    env = {"PYTHONPATH": str(tmp_path)}
    with Editor(SERVER, cwd=tmp_path, options=options, env=env) as editor:
        assert editor.ready()["model"]["state"] == "ready"
        assert editor.hello["serverInfo"]["name"] == "footnote"


def test_no_socket_reaches_out_and_no_print_reaches_the_protocol(tmp_path: Path) -> None:
    script = tmp_path / "refuse.py"
    script.write_text(
        "import os, socket, sys\n"
        "def refuse(event, arguments):\n"
        "    if event == 'socket.__new__' and arguments[1] != socket.AF_UNIX:\n"
        "        os._exit(99)\n"
        "    if event in ('socket.getaddrinfo', 'socket.connect', 'socket.bind'):\n"
        "        os._exit(98)\n"
        "sys.addaudithook(refuse)\n"
        "from lsp_server import transport\n"
        "from lsp_server.features import loading\n"
        "from lsp_server.server import Parts, build_server\n"
        "def load(model):\n"
        "    print('a stray word', flush=True)\n"
        "    os.write(1, b'another stray word\\n')\n"
        "    return loading.load_model(model)\n"
        "sys.exit(transport.serve_stdio(build_server(Parts(load_model=load)).protocol))\n"
    )
    command = (sys.executable, "-I", str(script))
    options = {"model": "scripted:echo"}
    with Editor(command, options=options, stderr_allowed="stray word") as editor:
        editor.ready()
        uri, at = editor.open_at("def total(items):\n    <CURSOR>")
        assert editor.suggestion(uri, at) is not None
        assert editor.hover(uri, at) is None

    assert editor.client.stderr == ["a stray word", "another stray word"]
