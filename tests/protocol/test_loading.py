"""The server answers while it loads, and leaves at once when it is told to."""

from __future__ import annotations

import os
import time

from tests.support.editor import GHOST, Editor, Stage


def test_requests_are_answered_while_the_model_loads(stage: Stage) -> None:
    stage.write({"text": "value"}, load_ms=60_000)
    with Editor(stage.command, said=()) as editor:
        uri, at = editor.open_at("x = <CURSOR>")

        assert editor.suggestion(uri, at) is None
        assert editor.hover(uri, at) is None
        assert editor.reasons() == ["model-loading"]
        editor.close_document(uri)
        # Leaving the block shuts down in the middle of those sixty seconds.
        editor.client.notes = [n for n in editor.client.notes if "index" not in str(n)]


def test_the_status_says_when_it_is_ready(stage: Stage) -> None:
    stage.write({"text": "value"}, load_ms=200)
    with Editor(stage.command) as editor:
        status = editor.ready()

        assert status["model"] == {
            "state": "ready", "name": "staged", "device": "cpu", "parameters": 1,
        }  # fmt: skip
        assert status["index"]["state"] == "unavailable"
        assert editor.suggestion(*editor.open_at("x = <CURSOR>"))["insertText"] == "x = value"


def test_progress_is_shown_to_a_client_that_can_show_it(stage: Stage) -> None:
    stage.write({"text": "value"}, load_ms=300)
    capabilities = {**GHOST, "window": {"workDoneProgress": True}}
    with Editor(stage.command, capabilities=capabilities) as editor:
        editor.ready()
        editor.client.wait_for(
            lambda note: note["method"] == "$/progress" and note["params"]["value"]["kind"] == "end"
        )
        kinds = [
            note["params"]["value"]["kind"]
            for note in editor.client.notes
            if note["method"] == "$/progress"
        ]
        created = [ask["method"] for ask in editor.client.asked]

    assert created == ["window/workDoneProgress/create"]
    assert kinds[0] == "begin"
    assert set(kinds[1:-1]) == {"report"}


def test_a_missing_model_is_said_once_with_its_remedy(stage: Stage) -> None:
    stage.write(load_error="no model here: run `footnote doctor`")
    with Editor(stage.command, said=("no model here", "no attribution index")) as editor:
        editor.ready()
        for _ in range(3):
            assert editor.suggestion(*editor.open_at("x = <CURSOR>")) is None
        editor.client.request("workspace/executeCommand", {"command": "footnote.restartModel"})
        editor.client.wait_for(lambda note: _model_state(note) == "unavailable")
        assert editor.hover(*editor.open_at("x = <CURSOR>")) is None
        told = [message for message in editor.messages() if "no model here" in message]

    assert told == ["Footnote: no model here: run `footnote doctor`"]


def test_the_model_can_be_loaded_again(stage: Stage) -> None:
    stage.write(load_error="no model here")
    with Editor(stage.command, said=("no model here", "no attribution index")) as editor:
        editor.ready()
        stage.write({"text": "value"})
        editor.client.request("workspace/executeCommand", {"command": "footnote.restartModel"})
        editor.client.wait_for(lambda note: _model_state(note) == "ready")

        assert editor.suggestion(*editor.open_at("x = <CURSOR>")) is not None


def test_no_process_outlives_the_server(stage: Stage) -> None:
    stage.write({"text": "value"}, load_ms=60_000)
    with Editor(stage.command, said=("index",)) as editor:
        pid = editor.client.pid
    time.sleep(0)

    assert not os.path.exists(f"/proc/{pid}")  # noqa: PTH110 -- as the kernel names it


def test_a_client_that_goes_away_takes_the_server_with_it(stage: Stage) -> None:
    stage.write({"text": "value"})
    editor = Editor(stage.command)
    editor.ready()
    editor.client.hang_up()

    assert editor.client.wait() in {0, 1}
    assert editor.client.stderr == []


def _model_state(note: dict) -> str:
    return note["params"]["model"]["state"] if note["method"] == "footnote/status" else ""
