"""The model on OpenVINO: the same as torch's but for the rounding of its weights to int8."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import engine
from engine import Gap, ModelUnavailable
from engine.arrays import read_arrays
from engine.backends import Wish, chosen
from engine.checkpoint import read_checkpoint, read_tensors
from engine.model import Model
from engine.prefix_cache import BLOCK
from tests.support.tiny import write_tiny

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("openvino")
from engine.openvino_model import OpenVinoModel

TOKENS = [16 + each * 7 % 250 for each in range(200)]
GAP = Gap("def f(a):\n    return a\n\n\ndef g(b):\n    ", "\n\n\nx = 1\n", "a/b.py", "python")

SHAPES: dict[str, dict[str, Any]] = {
    "one key/value head": {},
    "groups of heads": {"num_attention_heads": 4, "num_key_value_heads": 2},
    "a head of its own": {"tie_word_embeddings": False},
    "linear rope": {"rope_scaling": {"type": "linear", "factor": 2.0}},
}


@pytest.fixture(scope="module", params=SHAPES, ids=[each.replace(" ", "-") for each in SHAPES])
def folder(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny"
    return write_tiny(path, scale=0.15, **SHAPES[request.param])


def rounded(name: str, weight: torch.Tensor) -> torch.Tensor:
    """A matrix as int8 with a scale per row gives it back; vectors stay."""
    if weight.ndim < 2:
        return weight
    scale = (weight.abs().amax(1, keepdim=True) / 127.0).clamp(min=1e-8)
    return (weight / scale).round().clamp(-127, 127) * scale


def test_its_scores_are_those_of_torch_with_the_same_rounding(folder: Path) -> None:
    checkpoint = read_checkpoint(folder)
    ours = OpenVinoModel(checkpoint.shape, read_arrays(checkpoint), threads=1)
    weights = [(name, rounded(name, each)) for name, each in read_tensors(checkpoint)]
    plain = Model(checkpoint.shape, weights, dtype="float32")

    found = ours.scores(TOKENS, 0, ours.new_cache(256), len(TOKENS))
    expected = plain.scores(TOKENS, 0, plain.new_cache(256), len(TOKENS))

    # The plugin may compute in bfloat16 where the processor can.
    assert np.abs(found - expected).mean() < 0.02 * expected.std()
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.9


def test_block_by_block_is_the_same_to_the_last_bit_with_and_without_a_cache(folder: Path) -> None:
    checkpoint = read_checkpoint(folder)
    model = OpenVinoModel(checkpoint.shape, read_arrays(checkpoint), threads=1)
    cache, other = model.new_cache(256), model.new_cache(256)

    def run(memory: Any, start: int, tokens: list[int]) -> np.ndarray[Any, Any]:
        found = np.empty(0)
        for place in range(start, len(tokens), BLOCK):
            found = model.scores(tokens[place : place + BLOCK], place, memory)
        return found

    whole = run(cache, 0, TOKENS)
    run(cache, 2 * BLOCK, [*TOKENS[: 2 * BLOCK], *reversed(TOKENS[2 * BLOCK :])])
    run(other, 0, TOKENS[::-1])

    assert np.array_equal(run(cache, 2 * BLOCK, TOKENS), whole)
    assert np.array_equal(run(other, 0, TOKENS), whole)


def test_a_full_cache_is_said(folder: Path) -> None:
    checkpoint = read_checkpoint(folder)
    model = OpenVinoModel(checkpoint.shape, read_arrays(checkpoint), threads=1)

    with pytest.raises(ValueError, match="do not fit"):
        model.scores(TOKENS, 0, model.new_cache(100))


def test_positions_far_out_are_exact(tmp_path: Path) -> None:
    """Computed in bfloat16, the angle of position 3,001 would be that of 2,992."""
    checkpoint = read_checkpoint(
        write_tiny(tmp_path / "long", scale=0.15, max_position_embeddings=4096)
    )
    model = OpenVinoModel(checkpoint.shape, read_arrays(checkpoint), threads=1)
    weights = [(name, rounded(name, each)) for name, each in read_tensors(checkpoint)]
    plain = Model(checkpoint.shape, weights, dtype="float32")
    tokens = [16 + each * 11 % 250 for each in range(3100)]

    found = model.scores(tokens, 0, model.new_cache(4096), 50)
    expected = plain.scores(tokens, 0, plain.new_cache(4096), 50)

    assert np.abs(found - expected).mean() < 0.03 * expected.std()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_numpy_reads_what_torch_reads(tmp_path: Path, dtype: torch.dtype) -> None:
    from safetensors.torch import save_file

    folder = write_tiny(tmp_path / "tiny")
    weights = {name: each.to(dtype) for name, each in read_tensors(read_checkpoint(folder))}
    save_file(weights, folder / "model.safetensors")
    (folder / "footnote.json").unlink()
    checkpoint = read_checkpoint(folder)

    found = dict(read_arrays(checkpoint))

    assert found.keys() == weights.keys()
    for name, array in found.items():
        assert np.array_equal(array, weights[name].float().numpy())


@pytest.mark.parametrize("left", [4, 400, 40_000])
def test_truncated_weights_are_refused(tmp_path: Path, left: int) -> None:
    folder = write_tiny(tmp_path / "tiny")
    (folder / "footnote.json").unlink()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:left])

    with pytest.raises(ModelUnavailable, match="damaged"):
        dict(read_arrays(read_checkpoint(folder)))


def test_completions_need_neither_torch_nor_telemetry(tiny_folder: Path) -> None:
    program = (
        "import sys, engine\n"
        "from engine import CancelToken, CompletionOptions, Gap\n"
        f"completer = engine.load({str(tiny_folder)!r}, backend='openvino')\n"
        "found = completer.complete(Gap('def f(a):\\n    ', '\\n'), CompletionOptions(), CancelToken())\n"
        "loaded = {name for name, each in sys.modules.items() if each is not None}\n"
        "print(found.new_tokens, {'torch', 'openvino_telemetry', 'transformers'} & loaded)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    ).stdout

    assert said.split()[1] == "set()"
    assert int(said.split()[0]) > 0


def test_who_asks_for_what_gets_it_or_hears_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(Wish(dtype="bfloat16")) == "torch"
    assert chosen(Wish(backend="torch")) == "torch"
    with pytest.raises(ModelUnavailable, match="int8"):
        chosen(Wish(backend="openvino", dtype="float32"))
    with pytest.raises(ModelUnavailable, match="use native, openvino, torch, llama_cpp or auto"):
        chosen(Wish(backend="onnx"))
    monkeypatch.setattr("engine.backends.library", lambda: None)
    assert chosen(Wish()) == "openvino"
    with pytest.raises(ModelUnavailable, match="C compiler"):
        chosen(Wish(backend="native"))
    monkeypatch.setattr("engine.backends.find_spec", lambda _name: None)
    assert chosen(Wish()) == "torch"
    with pytest.raises(ModelUnavailable, match="pip install openvino"):
        chosen(Wish(backend="openvino"))


def test_where_openvino_fails_torch_answers(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr("engine.openvino_runtime.ov.Core.compile_model", fail)
    monkeypatch.setattr("engine.backends.library", lambda: None)

    assert engine.load(tiny_folder, threads=1).describe().backend == "torch"
    with pytest.raises(ModelUnavailable, match="no such instruction"):
        engine.load(tiny_folder, backend="openvino")
