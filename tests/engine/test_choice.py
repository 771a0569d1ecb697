"""Who computes: the usual order, until figures of this machine say otherwise; a wish before both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine import ModelUnavailable, choice, devices
from engine.backends import BACKENDS, Wish, candidates, network_of
from engine.checkpoint import Checkpoint, read_checkpoint
from engine.choice import fastest, preferred, remember, timings_of, to_be_timed
from engine.loading import load
from engine.shape import Outline
from engine.timing import Timing, time_backends

CPU = Wish(device="cpu")
NATIVE, OPENVINO, TORCH = (Wish(each, device="cpu") for each in BACKENDS)
CARD = Wish("torch", device="cuda")
OUTLINE = Outline(vocabulary=100, positions=512, kept=8, why="it is foreign")


@pytest.fixture(autouse=True)
def all_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.backends.installed", lambda _name: True)
    monkeypatch.setattr("engine.backends.accelerator", lambda: "")
    monkeypatch.setattr(choice, "accelerator", lambda: "")


@pytest.fixture
def checkpoint(tiny_folder: Path) -> Checkpoint:
    return read_checkpoint(tiny_folder)


def timing(wish: Wish, step_ms: float, **more: Any) -> Timing:
    return Timing(wish.backend, wish.device, "int8", step_ms=step_ms, **more)


def test_on_a_processor_the_order_is_that_of_the_backends(checkpoint: Checkpoint) -> None:
    assert candidates(Wish(), checkpoint.shape) == [NATIVE, OPENVINO, TORCH]
    assert candidates(Wish(), OUTLINE) == [TORCH]
    assert [each.backend for each in candidates(Wish(dtype="float32"))] == ["torch"]


@pytest.mark.parametrize(("card", "place"), [("cuda", 2), ("mps", 3)])
def test_an_accelerator_is_one_of_them(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, card: str, place: int
) -> None:
    monkeypatch.setattr("engine.backends.accelerator", lambda: card)
    expected = [NATIVE, OPENVINO, TORCH]
    expected.insert(place, Wish("torch", device=card))

    assert candidates(Wish(), checkpoint.shape) == expected
    assert candidates(CPU, checkpoint.shape) == [NATIVE, OPENVINO, TORCH]
    assert candidates(Wish(device=card), checkpoint.shape) == [Wish("torch", device=card)]


def test_a_card_comes_first_for_a_large_model_and_for_one_of_transformers(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.backends.accelerator", lambda: "cuda")
    monkeypatch.setattr("engine.backends._LARGE", checkpoint.shape.parameters)  # type: ignore[union-attr]

    assert candidates(Wish(), checkpoint.shape)[0] == CARD
    assert candidates(Wish("torch"), checkpoint.shape) == [CARD, TORCH]
    assert candidates(Wish(), OUTLINE) == [CARD, TORCH]


def test_what_cannot_be_has_a_remedy() -> None:
    with pytest.raises(ModelUnavailable, match="use cpu, cuda, mps or auto"):
        candidates(Wish(device="tpu"))
    with pytest.raises(ModelUnavailable, match="only torch runs on cuda: use the backend torch"):
        candidates(Wish("native", device="cuda"))


def test_an_accelerator_that_torch_does_not_find_gives_way(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("engine.backends.accelerator", lambda: "cuda")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    _, model = network_of(checkpoint, Wish("auto", "float32", 1), CARD)

    assert model.device == "cpu"
    assert "torch on cuda cannot run the model here" in caplog.text
    with pytest.raises(ModelUnavailable, match="finds no cuda here"):
        network_of(checkpoint, Wish(device="cuda"))


def test_the_count_of_a_shape_is_that_of_its_matrices(checkpoint: Checkpoint) -> None:
    _, model = network_of(checkpoint, Wish("torch", "float32", 1, "cpu"))

    assert checkpoint.shape.parameters == model.parameters - 5 * 32  # type: ignore[union-attr]


def test_the_fastest_is_taken_where_it_is_so_clearly() -> None:
    order = [NATIVE, OPENVINO, TORCH]

    assert fastest(order, [timing(NATIVE, 1.0), timing(OPENVINO, 0.5)]) == OPENVINO
    assert fastest(order, [timing(NATIVE, 1.0), timing(OPENVINO, 0.95)]) == NATIVE
    assert fastest(order, [Timing("native", "cpu", problem="no"), timing(TORCH, 9.0)]) == TORCH
    assert fastest([NATIVE], [timing(OPENVINO, 1.0)]) is None


def test_guesses_count_where_they_run_and_recomputing_where_it_is_needed() -> None:
    plain = timing(NATIVE, 1.0, rows_ms=1.2, prompt_ms=256.0, again=32)
    exact = timing(NATIVE, 1.0, rows_ms=1.2, prompt_ms=256.0, is_exact=True)

    assert plain.line_ms == pytest.approx(8 * 1.0 + 32 + 32)
    assert exact.line_ms == pytest.approx(4 * 1.2 + 1 + 32)


def test_what_was_timed_chooses_at_the_next_start(checkpoint: Checkpoint, tmp_path: Path) -> None:
    file = tmp_path / "data" / "backends.json"
    assert to_be_timed(file, checkpoint, CPU) == [NATIVE, OPENVINO, TORCH]
    assert preferred(file, checkpoint, Wish()) is None
    timings = [timing(NATIVE, 9.0), timing(OPENVINO, 8.0), timing(TORCH, 1.0)]
    remember(file, checkpoint, Wish(), timings)

    assert timings_of(file, checkpoint, Wish()) == timings
    assert preferred(file, checkpoint, Wish()) == TORCH
    assert to_be_timed(file, checkpoint, Wish()) == []
    completer = load(checkpoint.folder, threads=0, timings=file)
    assert completer.describe().backend == "torch"


def test_who_asked_for_one_gets_it_whatever_was_timed(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    file = tmp_path / "backends.json"
    remember(file, checkpoint, Wish(), [timing(OPENVINO, 9.0), timing(TORCH, 1.0)])

    assert preferred(file, checkpoint, Wish("openvino")) is None
    assert to_be_timed(file, checkpoint, Wish("openvino")) == []
    assert to_be_timed(None, checkpoint, Wish()) == []


def test_of_one_candidate_or_where_there_is_no_room_nothing_is_timed(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert to_be_timed(tmp_path / "none", checkpoint, Wish(dtype="float32")) == []
    monkeypatch.setattr(choice, "memory", lambda: 100_000)

    assert to_be_timed(tmp_path / "none", checkpoint, Wish()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("processor", "another"), ("accelerator", "cuda"), ("physical_cores", 77), ("library", None)],
)
def test_on_another_machine_it_is_timed_again(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    file = tmp_path / "backends.json"
    remember(file, checkpoint, Wish(), [timing(TORCH, 1.0)])
    monkeypatch.setattr(choice, name, lambda: value)
    monkeypatch.setattr(choice, "threads_for", lambda _env, cores, spare: cores)

    assert preferred(file, checkpoint, Wish()) is None


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"format": 2, "timed": {}}', '{"format": 1, "timed": []}', "\x00\xff"],
)
def test_a_damaged_file_is_none_and_is_replaced(
    checkpoint: Checkpoint, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "backends.json"
    file.write_text(content, encoding="latin-1")

    assert preferred(file, checkpoint, Wish()) is None
    remember(file, checkpoint, Wish(), [timing(TORCH, 1.0)])
    assert preferred(file, checkpoint, Wish()) == TORCH


@pytest.mark.parametrize(
    "change",
    [{"backend": "onnx"}, {"step_ms": "fast"}, {"prompt_tokens": 0}, {"speed": 1.0}, {"device": 3}],
)
def test_figures_that_make_no_sense_choose_nothing(
    checkpoint: Checkpoint, tmp_path: Path, change: dict[str, Any]
) -> None:
    file = tmp_path / "backends.json"
    remember(file, checkpoint, Wish(), [timing(TORCH, 1.0)])
    values = json.loads(file.read_text())
    (entry,) = values["timed"].values()
    entry[0].update(change)
    file.write_text(json.dumps(values))

    assert timings_of(file, checkpoint, Wish()) == []


def test_a_file_that_cannot_be_written_is_let_be(
    checkpoint: Checkpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")

    remember(tmp_path / "data" / "backends.json", checkpoint, Wish(), [timing(TORCH, 1.0)])

    assert "cannot be kept" in caplog.text
    assert [each.name for each in tmp_path.iterdir()] == ["data"]


def test_the_file_does_not_grow_for_ever(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backends.json"
    for number in range(choice._MOST + 5):
        monkeypatch.setattr(choice, "processor", lambda number=number: str(number))
        remember(file, checkpoint, Wish(), [timing(TORCH, 1.0)])

    assert len(json.loads(file.read_text())["timed"]) == choice._MOST
    assert preferred(file, checkpoint, Wish()) == TORCH


def test_each_backend_is_timed_or_says_why_not(checkpoint: Checkpoint) -> None:
    wishes = [Wish("torch", "float32", 1, "cpu"), Wish("torch", device="cuda")]

    ran, failed = time_backends(checkpoint, wishes)

    assert (ran.backend, ran.device, ran.dtype) == ("torch", "cpu", "float32")
    assert 0 < ran.step_ms < ran.prompt_ms
    assert min(ran.rows_ms, ran.load_ms) > 0
    assert not ran.problem
    assert "finds no cuda here" in failed.problem or failed.step_ms > 0


def test_a_driver_or_a_processor_of_the_kind_means_an_accelerator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "releases", lambda *_: ["torch-2.13.0"])
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(devices, "_DRIVERS", (tmp_path / "nvidia0",))
    assert devices.accelerator() == ""
    (tmp_path / "nvidia0").touch()
    assert devices.accelerator() == "cuda"
    monkeypatch.setattr(devices, "releases", lambda *_: ["torch-2.13.0+cpu"])
    assert devices.accelerator() == ""
    monkeypatch.setattr(devices, "releases", lambda *_: ["torch-2.13.0"])
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert devices.accelerator() == "mps"


def test_what_is_installed_is_known_without_importing_it() -> None:
    import torch

    assert devices.releases("torch") == [f"torch-{torch.__version__}"]
    assert devices.releases("no-such-thing") == []
