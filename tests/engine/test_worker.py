"""A model in a child process: the same answers, and what happens when the child does not live."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import engine
from engine import (
    Alternative,
    Ban,
    CancelToken,
    CompletionOptions,
    Excerpt,
    Gap,
    ModelInfo,
    ModelUnavailable,
)
from engine.frames import BrokenFrame, options_of, plain, read_frame, write_frame
from engine.remote import CLOSED, FAILED, LOADING, READY, RESTARTING, WorkerCompleter, WorkerError

if TYPE_CHECKING:
    from engine.local import LocalCompleter
    from engine.remote import WorkerState

GAP = Gap("def f(a):\n    ", "\n", "a.py", "python")
ASKED = CompletionOptions()


class States:
    """Hears of every change; can wait for one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.seen: list[WorkerState] = []

    def __call__(self, state: WorkerState) -> None:
        with self._changed:
            self.seen.append(state)
            self._changed.notify_all()

    @property
    def names(self) -> list[str]:
        return [state.name for state in self.seen]

    def wait_for(self, name: str, times: int = 1) -> None:
        with self._changed:
            met = self._changed.wait_for(lambda: self.names.count(name) >= times, timeout=60)
        assert met, f"{name} not seen {times} times: {self.names}"


class Sent(CancelToken):
    """Tells when the request that it belongs to has been sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = threading.Event()

    def when_cancelled(self, call: Callable[[], None]) -> None:
        super().when_cancelled(call)
        self.sent.set()


Start = Callable[..., WorkerCompleter]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts workers and closes them; those that died wait hardly at all before the next child."""
    workers: list[WorkerCompleter] = []

    def begin(model: str, on_state: Any = None, **options: Any) -> WorkerCompleter:
        arguments = {"model": model, "dtype": "float32", "threads": 1}
        options.setdefault("back_off_s", (0.01, 0.01, 0.01))
        workers.append(WorkerCompleter(arguments, on_state, **options))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.close()


def script(folder: Path, *rules: dict[str, Any], **more: Any) -> str:
    path = folder / "script.json"
    path.write_text(json.dumps({"rules": rules, **more}))
    return f"scripted:{path}"


def kill(worker: WorkerCompleter) -> None:
    number = worker.process_id
    assert number is not None
    os.kill(number, signal.SIGKILL)


def test_the_child_gives_the_text_that_this_process_gives(
    tiny_folder: Path, tiny: LocalCompleter
) -> None:
    worker = engine.load_in_worker(tiny_folder, dtype="float32", threads=1)
    gaps = [
        GAP,
        Gap("x = '\ud800é😋' + ", "\r\n"),
        Gap(GAP.prefix * 300, GAP.prefix * 300, language="python"),
        Gap("na", "me"),
    ]
    try:
        assert worker.describe() == tiny.describe()
        for gap in gaps:
            for options in (ASKED, CompletionOptions(multiline=False, banned=(Ban("x"),))):
                here = tiny.complete(gap, options, CancelToken())
                there = worker.complete(gap, options, CancelToken())
                assert (there.text, there.stop_reason) == (here.text, here.stop_reason)
                assert there.prompt_tokens == here.prompt_tokens
    finally:
        worker.close()


def test_starting_returns_at_once_and_states_are_told(tmp_path: Path, start: Start) -> None:
    assert start(script(tmp_path, load_ms=60_000)).state().name == "loading"

    states = States()
    worker = start(script(tmp_path, {"text": "x"}), states)
    assert worker.describe().name == "scripted"
    assert states.names == [LOADING, READY]
    worker.close()
    assert states.names == [LOADING, READY, CLOSED]


def test_while_loading_the_unasked_get_nothing_and_the_asking_wait(
    tmp_path: Path, start: Start
) -> None:
    worker = start(script(tmp_path, {"text": "x"}, load_ms=60_000))
    unasked = worker.complete(GAP, CompletionOptions(automatic=True), CancelToken())
    hurried = worker.complete(GAP, CompletionOptions(time_limit_ms=0.0), CancelToken())
    assert unasked.stop_reason == "gated:loading"
    assert hurried.stop_reason == "gated:loading"

    slow = start(script(tmp_path, {"text": "x"}, load_ms=300))
    assert slow.complete(GAP, ASKED, CancelToken()).text == "x"


def test_cancelling_while_it_loads_ends_the_waiting(tmp_path: Path, start: Start) -> None:
    worker = start(script(tmp_path, {"text": "x"}, load_ms=60_000))
    cancel = CancelToken()
    threading.Timer(0.05, cancel.cancel).start()

    assert worker.complete(GAP, ASKED, cancel).stop_reason == "cancelled"


def test_cancelling_reaches_the_child(tmp_path: Path, start: Start) -> None:
    slow = {"prefix": "slow$", "text": "x", "delay_ms": 60_000, "steps": 60_000}
    worker = start(script(tmp_path, slow, {"text": "y"}))
    worker.describe()
    cancel = CancelToken()
    threading.Timer(0.1, cancel.cancel).start()
    stopped = worker.complete(Gap("slow", ""), ASKED, cancel)

    assert stopped.stop_reason == "cancelled"
    assert worker.complete(GAP, ASKED, CancelToken()).text == "y"


def test_what_was_cancelled_before_stops_at_its_first_step(tmp_path: Path, start: Start) -> None:
    worker = start(script(tmp_path, {"text": "x", "delay_ms": 60_000, "steps": 60_000}))
    worker.describe()
    cancel = CancelToken()
    cancel.cancel()

    assert worker.complete(GAP, ASKED, cancel).stop_reason == "cancelled"


def test_an_error_in_the_child_is_told_without_the_text(
    tmp_path: Path, start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    failing = {"prefix": "bad$", "error": "secret text of the user"}
    worker = start(script(tmp_path, failing, {"text": "x"}))

    with pytest.raises(WorkerError, match="ScriptedError at"):
        worker.complete(Gap("bad", ""), ASKED, CancelToken())
    assert worker.complete(GAP, ASKED, CancelToken()).text == "x"
    worker.close()
    assert "ScriptedError" in (logged := capfd.readouterr().err)
    assert "secret text" not in logged


def test_a_killed_child_is_replaced(
    tmp_path: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    states = States()
    worker = start(script(tmp_path, {"text": "x"}), states)
    worker.describe()
    first = worker.process_id
    kill(worker)
    states.wait_for(READY, 2)

    assert worker.complete(GAP, ASKED, CancelToken()).text == "x"
    assert worker.process_id != first
    assert states.names == [LOADING, READY, RESTARTING, LOADING, READY]
    assert "started again" in caplog.text


def test_a_request_whose_child_dies_is_answered_by_nothing(tmp_path: Path, start: Start) -> None:
    crash = {"prefix": "crash$", "exit": 3}
    states = States()
    worker = start(script(tmp_path, crash, {"text": "x"}), states)
    completion = worker.complete(Gap("crash", ""), ASKED, CancelToken())

    assert (completion.text, completion.stop_reason) == ("", "gated:restarting")
    states.wait_for(READY, 2)
    assert worker.complete(GAP, ASKED, CancelToken()).text == "x"


@pytest.mark.parametrize("error", [BrokenFrame("?"), KeyError("done")])
def test_a_child_that_talks_nonsense_is_replaced(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    states = States()
    worker = start(script(tmp_path, {"text": "x"}), states)
    worker.describe()

    def nonsense(_stream: Any) -> None:
        monkeypatch.undo()
        raise error

    monkeypatch.setattr("engine.remote.read_frame", nonsense)
    assert worker.complete(GAP, ASKED, CancelToken()).stop_reason == "gated:restarting"
    states.wait_for(READY, 2)
    assert worker.complete(GAP, ASKED, CancelToken()).text == "x"


def test_who_is_interrupted_while_waiting_leaves_no_half_an_answer(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = States()
    worker = start(script(tmp_path, {"text": "x"}), states)
    worker.describe()

    def interrupted(_stream: Any) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.remote.read_frame", interrupted)
    with pytest.raises(KeyboardInterrupt):
        worker.complete(GAP, ASKED, CancelToken())
    states.wait_for(READY, 2)
    assert worker.complete(GAP, ASKED, CancelToken()).text == "x"


def test_a_child_that_does_not_stop_when_told_to_is_ended(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.remote._PATIENCE_S", 0.05)
    states = States()
    worker = start(script(tmp_path, {"text": "y"}), states)
    worker.describe()
    number = worker.process_id
    assert number is not None
    os.kill(number, signal.SIGSTOP)
    cancel = CancelToken()
    cancel.cancel()

    assert worker.complete(GAP, ASKED, cancel).stop_reason == "gated:restarting"
    states.wait_for(READY, 2)
    assert worker.complete(GAP, ASKED, CancelToken()).text == "y"


def test_while_it_restarts_the_unasked_get_nothing(tmp_path: Path, start: Start) -> None:
    states = States()
    worker = start(script(tmp_path, {"text": "x"}), states, back_off_s=(60.0,))
    worker.describe()
    kill(worker)
    states.wait_for(RESTARTING)
    unasked = worker.complete(GAP, CompletionOptions(automatic=True), CancelToken())

    assert unasked.stop_reason == "gated:restarting"


def test_a_child_that_dies_again_and_again_is_given_up(tmp_path: Path, start: Start) -> None:
    states = States()
    worker = start(script(tmp_path, {"exit": 3}), states)
    for deaths in range(1, 5):
        worker.complete(GAP, ASKED, CancelToken())
        states.wait_for(READY if deaths < 4 else FAILED, deaths + 1 if deaths < 4 else 1)

    assert "ended 4 times" in worker.state().message
    assert "footnote doctor" in worker.state().message
    with pytest.raises(ModelUnavailable, match="footnote doctor"):
        worker.complete(GAP, ASKED, CancelToken())
    with pytest.raises(ModelUnavailable):
        worker.describe()


def test_a_good_answer_makes_up_for_a_death(tmp_path: Path, start: Start) -> None:
    states = States()
    worker = start(script(tmp_path, {"prefix": "crash$", "exit": 3}, {"text": "x"}), states)
    for deaths in range(1, 7):
        worker.complete(Gap("crash", ""), ASKED, CancelToken())
        states.wait_for(READY, deaths + 1)
        assert worker.complete(GAP, ASKED, CancelToken()).text == "x"


def test_a_model_that_cannot_be_loaded_is_said_once_and_not_tried_again(
    tiny_folder: Path, tmp_path: Path, start: Start
) -> None:
    states = States()
    worker = start(str(tmp_path / "nothing"), states)

    with pytest.raises(ModelUnavailable, match=r"no model at .*nothing: name a checkpoint"):
        worker.describe()
    with pytest.raises(ModelUnavailable, match="no model at"):
        worker.complete(GAP, ASKED, CancelToken())
    assert states.names.count(FAILED) == 1
    assert RESTARTING not in states.names


def test_an_embedded_model_that_is_missing_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.loading.DEFAULT_MODEL", tmp_path)
    with pytest.raises(ModelUnavailable, match="no embedded model"):
        engine.load_in_worker()


def test_closing_ends_the_child_and_whoever_waits(tmp_path: Path, start: Start) -> None:
    worker = start(script(tmp_path, {"text": "x", "delay_ms": 60_000}))
    worker.describe()
    token = Sent()
    number = worker.process_id
    assert number is not None
    found: list[str] = []
    waiting = threading.Thread(
        target=lambda: found.append(worker.complete(GAP, ASKED, token).stop_reason)
    )
    waiting.start()
    token.sent.wait()
    worker.close()
    waiting.join()

    assert found in (["gated:restarting"], ["gated:closed"])
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    with pytest.raises(ModelUnavailable, match="closed"):
        worker.complete(GAP, ASKED, CancelToken())
    worker.close()


def test_closing_while_it_loads_ends_the_child(tmp_path: Path, start: Start) -> None:
    worker = start(script(tmp_path, load_ms=60_000))
    worker.close()
    worker._watcher.join()

    assert worker.process_id is None
    with pytest.raises(ModelUnavailable, match="closed"):
        worker.describe()


def test_folders_named_like_our_packages_do_no_harm(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("engine", "torch", "tokenizers", "json", "logging"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    worker = start("scripted:echo")

    assert worker.complete(Gap("a", "b"), ASKED, CancelToken()).text == "[a|b]"


def test_only_the_text_near_the_gap_is_sent(start: Start) -> None:
    worker = start("scripted:{prefix}")
    completion = worker.complete(Gap("x" * 1_000_000, "y" * 1_000_000), ASKED, CancelToken())

    assert len(completion.text) < 100_000


@pytest.mark.parametrize("text", ["", "plain", "é😋", "\ud800 lone", "\x00\x1f", "a\r\nb"])
def test_any_text_travels(text: str) -> None:
    pipe = io.BytesIO()
    gap = Gap(text, text + "x", text, "python", 3, (Excerpt(text, text),))
    write_frame(pipe, {"complete": 7}, gap)
    pipe.seek(0)

    assert read_frame(pipe) == {"complete": 7, "gap": gap}
    assert read_frame(pipe) is None


def test_alternatives_come_from_the_child(tmp_path: Path, start: Start) -> None:
    worker = start(script(tmp_path, {"text": "a", "others": ["b", "c"]}))
    several = CompletionOptions(n_candidates=3)

    found = worker.complete(GAP, several, CancelToken())
    assert found.alternatives == (Alternative("b"), Alternative("c"))
    assert worker.complete(GAP, ASKED, CancelToken()).alternatives == ()


def test_options_and_models_travel() -> None:
    options = CompletionOptions(multiline=True, banned=(Ban("a"), Ban("b", "a")), time_limit_ms=5.0)
    info = ModelInfo("n", "cpu", "float32", 1)

    assert options_of(json.loads(json.dumps(options, default=plain))) == options
    assert ModelInfo(**json.loads(json.dumps(info, default=plain))) == info


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">III", 1 << 30, 0, 0),
        struct.pack(">III", 3, 0, 0) + b"{x}",
        struct.pack(">III", 2, 0, 0) + b"[]",
        struct.pack(">III", 10, 1, 0) + b'{"gap":{}}\xff',
        struct.pack(">III", 14, 0, 0) + b'{"gap":{"a":1}',
        struct.pack(">III", 9, 0, 0) + b'{"gap":1}',
    ],
)
def test_nonsense_between_the_processes_is_noticed(data: bytes) -> None:
    with pytest.raises(BrokenFrame):
        read_frame(io.BytesIO(data))


def test_half_a_message_is_the_end() -> None:
    assert read_frame(io.BytesIO(struct.pack(">III", 10, 0, 0) + b"{")) is None
    assert read_frame(io.BytesIO(b"\0\0")) is None


def test_a_token_calls_back_once_whenever_it_is_cancelled() -> None:
    calls: list[str] = []
    token = CancelToken()
    token.when_cancelled(lambda: calls.append("before"))
    token.cancel()
    token.cancel()
    token.when_cancelled(lambda: calls.append("after"))

    assert calls == ["before", "after"]
    assert token.cancelled
