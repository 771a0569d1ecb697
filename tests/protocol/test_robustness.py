"""Odd documents, odd settings, odd places to start from: answers, and nothing in the log."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from lsp_server.client import SERVER
from tests.support.editor import GHOST, NO_INDEX, Editor, Stage


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
    stage: Stage,
) -> None:
    stage.write({"text": "value"})
    options = {"completion": {"minShowDelayMs": 1500, "maxDebounceMs": 0}}
    with Editor(stage.command, options=options) as editor:
        editor.ready()
        uri, at = editor.open_at("x <CURSOR>")
        behind = editor.type(uri, at, "= ")
        edited = time.monotonic()
        asked = editor.ask(uri, behind, kind=2)
        assert editor.client.reply(asked)["result"] is not None
        # Not a measurement of speed: the answer must not come before its time.
        assert time.monotonic() - edited >= 1.3


def test_unknown_and_wrong_settings_are_named_and_the_defaults_stand(stage: Stage) -> None:
    stage.write({"text": "value"})
    options = {
        "atribution": {"mode": "hide"},
        "attribution": {"mode": "loud"},
        "completion.minShowDelayMs": "soon",
    }
    said = (
        "unknown setting 'footnote.atribution'; did you mean 'footnote.attribution'?",
        NO_INDEX,
    )
    with Editor(stage.command, options=options, said=said) as editor:
        editor.ready()
        assert editor.suggestion(*editor.open_at("x = <CURSOR>")) is not None
        (told,) = [message for message in editor.messages() if "atribution" in message]

    assert "footnote.attribution.mode must be one of warn, hide, regenerate, not 'loud'" in told
    assert "footnote.completion.minShowDelayMs must be a whole number from 0 to 2000" in told


def test_settings_are_pulled_from_an_editor_that_keeps_them(stage: Stage) -> None:
    stage.write({"text": "value"})
    kept = {"enabled": False, "languages": None}
    capabilities = {**GHOST, "workspace": {"configuration": True}}
    answers = {"workspace/configuration": lambda _params: [kept]}
    with Editor(stage.command, capabilities=capabilities, answers=answers) as editor:
        editor.ready()
        uri, at = editor.open_at("x = <CURSOR>")
        assert editor.suggestion(uri, at) is None

        kept["enabled"] = True
        editor.client.notify("workspace/didChangeConfiguration", {"settings": None})
        editor.client.wait_for(
            lambda note: note["method"] == "footnote/status" and note["params"]["kind"] == "Warning"
        )
        assert editor.suggestion(uri, at) is not None


def test_an_editor_that_refuses_to_tell_its_settings_is_served_with_the_defaults(
    stage: Stage,
) -> None:
    stage.write({"text": "value"})
    capabilities = {**GHOST, "workspace": {"configuration": True}}
    answers = {"workspace/configuration": lambda _params: "nonsense"}
    said = ("the settings must be an object", NO_INDEX)
    with Editor(stage.command, capabilities=capabilities, answers=answers, said=said) as editor:
        editor.ready()
        assert editor.suggestion(*editor.open_at("x = <CURSOR>")) is not None


def test_a_model_that_raises_is_logged_without_anybodys_text(stage: Stage) -> None:
    stage.write({"text": "", "error": "secret_text of the user"})
    with Editor(stage.command, stderr_allowed="RuntimeError at") as editor:
        editor.ready()
        assert editor.suggestion(*editor.open_at("secret_text = <CURSOR>")) is None
        assert editor.reasons() == ["model-failed"]
        stage.write({"text": "value"})
        assert editor.suggestion(*editor.open_at("secret_text = <CURSOR>")) is not None

    assert len(editor.client.stderr) == 1
    assert "secret_text" not in editor.client.stderr[0]


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
    said = (NO_INDEX, "model")
    env = {"PYTHONPATH": str(tmp_path)}
    with Editor(SERVER, cwd=tmp_path, said=said, env=env) as editor:
        editor.ready()
        assert editor.hello["serverInfo"]["name"] == "footnote"


def test_no_internet_socket_is_made(tmp_path: Path) -> None:
    script = tmp_path / "refuse.py"
    script.write_text(
        "import socket, sys\n"
        "def refuse(event, arguments):\n"
        "    if event == 'socket.__new__' and arguments[1] != socket.AF_UNIX:\n"
        "        raise SystemExit('a socket was made')\n"
        "    if event in ('socket.getaddrinfo', 'socket.connect', 'socket.bind'):\n"
        "        raise SystemExit('a socket was used')\n"
        "sys.addaudithook(refuse)\n"
        "from lsp_server.commands.serve import main\n"
        "sys.exit(main([]))\n"
    )
    with Editor((sys.executable, "-I", str(script)), said=(NO_INDEX, "model")) as editor:
        editor.ready()
        uri, at = editor.open_at("def total(items):\n    <CURSOR>")
        editor.suggestion(uri, at)
        editor.hover(uri, at)


def test_a_stray_print_does_not_reach_the_protocol(tmp_path: Path) -> None:
    script = tmp_path / "chatty.py"
    script.write_text(
        "import os, sys\n"
        "from lsp_server import transport\n"
        "from lsp_server.server import Parts, build_server\n"
        "def load(model):\n"
        "    print('loading', flush=True)\n"
        "    os.write(1, b'really loading\\n')\n"
        "    raise ValueError\n"
        "sys.exit(transport.serve_stdio(build_server(Parts(load_model=load)).protocol))\n"
    )
    command = (sys.executable, "-I", str(script))
    with Editor(command, said=(NO_INDEX, "model"), stderr_allowed="loa") as editor:
        editor.ready()
    assert "really loading" in editor.client.stderr
