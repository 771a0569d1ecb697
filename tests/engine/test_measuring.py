"""Timing beside a worker: when it begins, that a request ends it, and what is left of it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from engine import Gap, measuring, worker
from engine.backends import Wish, candidates
from engine.checkpoint import read_checkpoint
from engine.choice import timings_of
from engine.frames import read_frame
from engine.measuring import Beside
from engine.timing import Timing


def arguments(folder: Path, file: Path | None) -> dict[str, Any]:
    return {"model": str(folder), "threads": 1, "timings": str(file or "")}


@pytest.fixture(autouse=True)
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two backends, on whatever machine."""
    two = [Wish("torch", each, 1, "cpu") for each in ("float32", "bfloat16")]
    monkeypatch.setattr("engine.choice.candidates", lambda _wish, _shape: two)


def test_what_is_timed_is_kept_for_the_next_start(tiny_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "backends.json"

    measuring.measure(arguments(tiny_folder, file))

    found = timings_of(file, read_checkpoint(tiny_folder), Wish(threads=1))
    assert [each.dtype for each in found] == ["float32", "bfloat16"]


def test_a_process_of_its_own_does_it_and_then_nothing_is_left_to_do(
    tiny_folder: Path, tmp_path: Path
) -> None:
    checkpoint, file = read_checkpoint(tiny_folder), tmp_path / "backends.json"
    if len(candidates(Wish(), checkpoint.shape)) < 2:
        pytest.skip("there is one backend here: it times nothing")
    beside = Beside(arguments(tiny_folder, file))
    assert beside.due_s == measuring._REST_S
    beside.begin()
    running = beside._process
    assert running is not None
    beside.begin()  # it is under way
    assert beside._process is running

    assert running.wait() == 0
    beside.begin()
    assert beside.due_s is None
    assert timings_of(file, checkpoint, Wish(threads=1))


def test_a_request_ends_it_and_after_a_few_of_them_it_is_given_up(
    tiny_folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "backends.json"
    beside = Beside(arguments(tiny_folder, file))
    beside.end()  # there is nothing to end
    for _ in range(measuring._TRIES):
        assert beside.due_s is not None
        beside.begin()
        running = beside._process
        assert running is not None
        beside.end()
        assert running.returncode != 0

    assert beside.due_s is None
    assert not file.exists()


def test_it_ends_with_who_started_it(tiny_folder: Path, tmp_path: Path) -> None:
    beside = Beside(arguments(tiny_folder, tmp_path / "backends.json"))
    beside.begin()
    running = beside._process
    assert running is not None
    assert running.stdin is not None

    running.stdin.close()

    assert running.wait() in (0, 1)


@pytest.mark.parametrize("model", ["scripted:echo", None])
def test_without_a_model_or_a_file_there_is_nothing_to_do(
    tiny_folder: Path, tmp_path: Path, model: str | None
) -> None:
    task = arguments(tiny_folder, tmp_path / "x" if model else None)

    assert Beside({**task, "model": model or task["model"]}).due_s is None


def test_what_is_known_or_gone_is_not_timed(tiny_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "backends.json"
    measuring.measure(arguments(tiny_folder, file))
    for folder in (tiny_folder, tmp_path / "gone"):
        beside = Beside(arguments(folder, file))
        beside.begin()
        assert (beside._process, beside.due_s) == (None, None)


def test_a_worker_times_when_it_rests_and_stops_when_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    class Noted:
        due_s = 0.001

        def __init__(self, load: dict[str, Any]) -> None:
            done.append(load["model"])

        def begin(self) -> None:
            done.append("begin")

        def end(self) -> None:
            done.append("end")

    class Inbox(worker.Inbox):
        asked = iter(
            [{"load": {"model": "scripted:echo"}}, None, None, {"complete": 1, "gap": Gap("a", ""), "options": {}}]
        )  # fmt: skip

        def next(self, within_s: float | None = None) -> dict[str, Any] | None:
            return next(self.asked)

    monkeypatch.setattr(worker, "Beside", Noted)
    outgoing = io.BytesIO()
    with pytest.raises(StopIteration):
        worker.serve(Inbox(lambda _within_s: None), outgoing)

    assert done == ["scripted:echo", "begin", "begin", "end"]
    outgoing.seek(0)
    answers = [read_frame(outgoing) for _ in range(3)]
    assert answers[-1]["completion"]["text"] == "[a|]"  # type: ignore[index]


def test_a_backend_that_cannot_be_timed_is_noted_as_such(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        measuring, "time_backends", lambda *_: iter([Timing("torch", "cpu", problem="no memory")])
    )
    file = tmp_path / "backends.json"

    measuring.measure(arguments(tiny_folder, file))

    (found,) = timings_of(file, read_checkpoint(tiny_folder), Wish(threads=1))
    assert found.problem == "no memory"
