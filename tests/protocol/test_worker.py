"""The server as it is started for real, with the model in a process of its own."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lsp_server.client import SERVER
from lsp_server.commands.complete import main
from tests.support.casefile import cut
from tests.support.editor import NO_INDEX, Editor, until

CANCELLED = -32800
TELLING = "scripted:{path}|{language}|{prefix}|{suffix}"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for children under /proc")
def test_a_model_process_that_dies_is_replaced_and_none_outlives_the_server(
    tmp_path: Path,
) -> None:
    script = tmp_path / "script.json"
    rules = [
        {"prefix": "die = $", "exit": 3},
        {"prefix": "slow = $", "delay_ms": 60_000, "steps": 6000},
        {"text": "[{before}|{after}]"},
    ]
    script.write_text(json.dumps({"rules": rules}))
    said = "the model's process ended"
    with Editor(SERVER, options={"model": f"scripted:{script}"}, stderr_allowed=said) as editor:
        editor.ready()
        uri, at = editor.open_at('x = "😋" + na<CURSOR>me\n')
        assert editor.suggestion(uri, at)["insertText"] == 'x = "😋" + na[x = "😋" + na|me]'

        # A cancelled request frees the process for the next one.
        asked = editor.ask(*editor.open_at("slow = <CURSOR>"))
        editor.client.notify("$/cancelRequest", {"id": asked})
        assert editor.client.reply(asked)["error"]["code"] == CANCELLED
        assert editor.suggestion(*editor.open_at("fast = <CURSOR>")) is not None

        # It ends by itself; a request that somebody made waits for the new one.
        assert editor.suggestion(*editor.open_at("die = <CURSOR>")) is None
        assert editor.reasons()[0] == "gated:restarting"
        assert editor.suggestion(*editor.open_at("y = <CURSOR>")) is not None

        # It is killed while nobody asks anything.
        (child,) = children_of(editor.client.pid)
        os.kill(child, signal.SIGKILL)
        until(lambda: children_of(editor.client.pid) not in ([], [child]))
        (successor,) = children_of(editor.client.pid)
        assert editor.suggestion(*editor.open_at("z = <CURSOR>")) is not None

    until(lambda: not Path(f"/proc/{successor}").exists())


def test_models_may_be_changed_and_missing_while_the_server_runs(tmp_path: Path) -> None:
    missing = f"scripted:{tmp_path / 'nowhere.json'}"
    with Editor(SERVER, options={"model": "scripted:one"}, said=("nowhere", NO_INDEX)) as editor:
        editor.ready()
        uri, at = editor.open_at("x = <CURSOR>")
        assert editor.suggestion(uri, at)["insertText"] == "x = one"
        for model, state in ((missing, "unavailable"), ("scripted:two", "ready")):
            seen = len(editor.client.notes)
            settings = {"footnote": {"model": model}}
            editor.client.notify("workspace/didChangeConfiguration", {"settings": settings})
            editor.client.wait_for(lambda note: model_state(note) == state, since=seen)  # noqa: B023
        assert editor.suggestion(uri, at)["insertText"] == "x = two"


@pytest.mark.parametrize(
    "text",
    ["x = <CURSOR>", "\r\nfirst\r\nse<CURSOR>cond\r\n", "é😋<CURSOR>\n", "<CURSOR>"],
)
def test_the_command_line_gives_the_text_that_the_server_gives(
    text: str, tmp_path: Path, telling: Editor, capsys: pytest.CaptureFixture[str]
) -> None:
    place = cut("", text)
    file = tmp_path / "package" / "module.py"
    file.parent.mkdir()
    file.write_bytes(place.text.encode())
    where = ["--line", str(place.line + 1), "--column", str(place.index + 1)]
    assert main([str(file), *where, "--model", TELLING, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["text"]

    uri = telling.open(place.text, name=file.as_uri())
    item = telling.suggestion(uri, telling.position(place))
    typed = place.text.splitlines(keepends=True)[place.line][: place.index] if place.text else ""
    assert item["insertText"] == typed + told
    assert "package/module.py|python" in told


@pytest.fixture(scope="module")
def telling() -> Iterator[Editor]:
    """A server whose model answers all that it was asked."""
    with Editor(SERVER, options={"model": TELLING}) as editor:
        editor.ready()
        yield editor


def test_the_server_leaves_while_its_model_still_loads(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"load_ms": 60_000}))
    with Editor(SERVER, options={"model": f"scripted:{script}"}) as editor:
        assert editor.suggestion(*editor.open_at("x = <CURSOR>")) is None
        assert editor.reasons() == ["model-loading"]


def model_state(note: dict) -> str:
    return note["params"]["model"]["state"] if note["method"] == "$/footnote/status" else ""


def children_of(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # the thread has ended meanwhile
            found += [int(each) for each in (task / "children").read_text().split()]
    return found
