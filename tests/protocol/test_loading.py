"""The server answers while it loads, and leaves at once when it is told to."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.support.editor import GHOST, NO_INDEX, Editor, Stage, until


def test_requests_are_answered_while_the_model_loads_and_so_is_the_shutdown(stage: Stage) -> None:
    stage.write({"text": "value"}, load_ms=60_000)
    with Editor(stage.command) as editor:
        uri, at = editor.open_at("x = <CURSOR>")

        assert editor.suggestion(uri, at) is None
        assert editor.hover(uri, at) is None
        assert editor.reasons() == ["model-loading"]
        pid = editor.client.pid

    assert not Path(f"/proc/{pid}").exists()


def test_progress_and_status_say_when_it_is_ready(stage: Stage) -> None:
    stage.write({"text": "value"}, load_ms=300)
    capabilities = {**GHOST, "window": {"workDoneProgress": True}}
    with Editor(stage.command, capabilities=capabilities) as editor:
        status = editor.ready()
        assert status["model"] == {
            "state": "ready", "name": "staged", "device": "cpu", "parameters": 1,
        }  # fmt: skip
        assert status["index"]["state"] == "unavailable"
        assert editor.suggestion(*editor.open_at("x = <CURSOR>"))["insertText"] == "x = value"

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


def test_a_missing_model_is_said_once_with_its_remedy_and_can_be_loaded_later(
    stage: Stage,
) -> None:
    stage.write(load_ms=300, load_error="no model here: run `footnote doctor`")
    restart = {"command": "footnote.restartModel"}
    with Editor(stage.command, said=("no model here", NO_INDEX)) as editor:
        editor.ready()
        for _ in range(3):
            assert editor.suggestion(*editor.open_at("x = <CURSOR>")) is None
        assert editor.hover(*editor.open_at("x = <CURSOR>")) is None
        assert editor.reasons()[0] == "model-unavailable"
        seen = len(editor.client.notes)
        editor.client.request("workspace/executeCommand", restart)
        editor.client.wait_for(lambda note: _model_state(note) == "unavailable", since=seen)
        stage.write({"text": "value"})
        editor.client.request("workspace/executeCommand", restart)
        editor.client.wait_for(lambda note: _model_state(note) == "ready")
        assert editor.suggestion(*editor.open_at("x = <CURSOR>")) is not None
        told = [message for message in editor.messages() if "no model here" in message]

    assert told == ["Footnote: no model here: run `footnote doctor`"]


def test_another_backend_is_loaded_when_the_settings_name_one(stage: Stage) -> None:
    stage.write({"text": "value"})
    with Editor(stage.command, options={"backend": "torch"}) as editor:
        editor.ready()
        seen = len(editor.client.notes)
        changed = {"footnote": {"backend": "auto", "device": "cpu"}}
        editor.client.notify("workspace/didChangeConfiguration", {"settings": changed})
        editor.client.wait_for(lambda note: _model_state(note) == "loading", since=seen)
        editor.client.wait_for(lambda note: _model_state(note) == "ready", since=seen)

    assert stage.loaded() == [("torch", "auto"), ("auto", "cpu")]


def test_a_client_that_tells_of_its_settings_at_once_has_one_model_loaded(stage: Stage) -> None:
    """Eglot and Zed do so, before they have answered what the settings are."""
    stage.write({"text": "value"})
    asked, told = "workspace/configuration", threading.Event()

    def answer(_params: object) -> list[None]:
        assert told.wait(30)
        return [None]

    with Editor(
        stage.command,
        capabilities={**GHOST, "workspace": {"configuration": True}},
        answers={asked: answer},
        options={"backend": "torch"},
    ) as editor:
        editor.client.notify("workspace/didChangeConfiguration", {"settings": {}})
        told.set()
        until(lambda: [ask["method"] for ask in editor.client.asked] == 2 * [asked])
        editor.ready()
        assert editor.suggestion(*editor.open_at("x = <CURSOR>")) is not None

    assert stage.loaded() == [("torch", "auto")]


def test_a_client_that_goes_away_takes_the_server_with_it(stage: Stage) -> None:
    stage.write({"text": "value"})
    editor = Editor(stage.command)
    editor.ready()
    editor.client.hang_up()

    assert editor.client.wait() in {0, 1}
    assert editor.client.stderr == []


def _model_state(note: dict) -> str:
    return note["params"]["model"]["state"] if note["method"] == "$/footnote/status" else ""
