"""The model on our own kernels: the same as torch's but for the rounding of its weights to int8."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import engine
import hatch_build
from engine import CancelToken, CompletionOptions, Gap, ModelUnavailable
from engine.arrays import read_arrays
from engine.backends import Wish, chosen, installed
from engine.checkpoint import read_checkpoint, read_tensors
from engine.model import Model
from engine.native import building
from engine.native_model import NativeModel
from engine.sampling import certainty
from tests.support.tiny import write_tiny

if TYPE_CHECKING:
    from pathlib import Path

TOKENS = [16 + each * 7 % 250 for each in range(200)]
GROUP = 128  # inputs that share a scale
LIBRARIES = [path for path in building.built() if building.fits(path)]
if not LIBRARIES:
    pytest.skip("no kernels fit this processor", allow_module_level=True)
SHAPES: dict[str, dict[str, Any]] = {
    "one key/value head": {},
    "groups of heads": {"num_attention_heads": 4, "num_key_value_heads": 2},
    "a head of its own": {"tie_word_embeddings": False},
    "linear rope": {"rope_scaling": {"type": "linear", "factor": 2.0}},
    "odd sizes": {"hidden_size": 84, "intermediate_size": 150, "head_dim": 22},
    "several groups of weights": {"hidden_size": 300, "intermediate_size": 520, "head_dim": 64},
}


@pytest.fixture(scope="module", params=SHAPES, ids=[each.replace(" ", "-") for each in SHAPES])
def folder(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny"
    sizes = SHAPES[request.param]
    # Wide random models blow every rounding up, and hide a mistake in it.
    return write_tiny(path, scale=0.85 / sizes.get("hidden_size", 32) ** 0.5, **sizes)


@pytest.fixture(params=LIBRARIES, ids=[each.name.split("-")[1] for each in LIBRARIES])
def library(request: Any) -> Path:
    path: Path = request.param
    return path


def rounded(name: str, weight: torch.Tensor) -> torch.Tensor:
    """A matrix as int8 with a scale per output and GROUP inputs gives it back; vectors stay."""
    if weight.ndim < 2:
        return weight
    parts = []
    for part in weight.split(GROUP, dim=1):
        scale = (part.abs().amax(1, keepdim=True) / 127.0).clamp(min=1e-12)
        parts.append((part / scale).round() * scale)
    return torch.cat(parts, dim=1)


def test_its_scores_are_those_of_torch_with_the_same_rounding(folder: Path, library: Path) -> None:
    checkpoint = read_checkpoint(folder)
    ours = NativeModel(checkpoint.shape, read_arrays(checkpoint), library=library)
    weights = [(name, rounded(name, each)) for name, each in read_tensors(checkpoint)]
    plain = Model(checkpoint.shape, weights, dtype="float32")

    found = ours.scores(TOKENS, 0, ours.new_cache(256), len(TOKENS))
    expected = plain.scores(TOKENS, 0, plain.new_cache(256), len(TOKENS))

    # Activations are rounded to eight bits too.
    assert np.abs(found - expected).mean() < 0.03 * expected.std()
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.9


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 13, 128])
def test_a_row_is_the_same_to_the_last_bit_in_any_company(
    folder: Path, library: Path, size: int
) -> None:
    checkpoint = read_checkpoint(folder)
    model = NativeModel(checkpoint.shape, read_arrays(checkpoint), library=library, threads=3)
    alone = NativeModel(checkpoint.shape, read_arrays(checkpoint), library=library)
    whole = alone.scores(TOKENS, 0, alone.new_cache(256), 128).copy()

    cache = model.new_cache(300)
    model.scores(TOKENS[::-1], 0, cache)
    found = np.concatenate(
        [
            model.scores(TOKENS[place : place + size], place, cache, size_here).copy()
            for place in range(0, len(TOKENS), size)
            for size_here in [min(size, len(TOKENS) - place)]
        ]
    )

    assert np.array_equal(found[-128:], whole)


def test_helpers_that_come_and_go_lose_nothing(folder: Path, library: Path) -> None:
    """More of them than there are cores, asked in quick and in slow succession."""
    checkpoint = read_checkpoint(folder)
    alone = NativeModel(checkpoint.shape, read_arrays(checkpoint), library=library)
    whole = alone.scores(TOKENS, 0, alone.new_cache(256)).copy()

    for threads in (2, 5, 16, 40):
        model = NativeModel(
            checkpoint.shape, read_arrays(checkpoint), library=library, threads=threads
        )
        for turn in range(12):
            assert np.array_equal(model.scores(TOKENS, 0, model.new_cache(256)), whole)
            time.sleep(0.002 * (turn % 3))


def test_the_kinds_of_processor_agree(folder: Path) -> None:
    checkpoint = read_checkpoint(folder)
    models = [
        NativeModel(checkpoint.shape, read_arrays(checkpoint), library=each) for each in LIBRARIES
    ]
    first, *others = [
        model.scores(TOKENS, 0, model.new_cache(256), len(TOKENS)) for model in models
    ]

    for other in others:
        assert np.abs(other - first).mean() < 0.01 * first.std()


def test_positions_far_out_are_exact(tmp_path: Path, library: Path) -> None:
    checkpoint = read_checkpoint(
        write_tiny(tmp_path / "long", scale=0.15, max_position_embeddings=4096)
    )
    model = NativeModel(checkpoint.shape, read_arrays(checkpoint), library=library)
    weights = [(name, rounded(name, each)) for name, each in read_tensors(checkpoint)]
    plain = Model(checkpoint.shape, weights, dtype="float32")
    tokens = [16 + each * 11 % 250 for each in range(3100)]

    found = model.scores(tokens, 0, model.new_cache(4096), 50)
    expected = plain.scores(tokens, 0, plain.new_cache(4096), 50)

    assert np.abs(found - expected).mean() < 0.03 * expected.std()


def test_what_does_not_fit_is_said(folder: Path, library: Path) -> None:
    checkpoint = read_checkpoint(folder)
    model = NativeModel(checkpoint.shape, read_arrays(checkpoint), library=library)

    with pytest.raises(ValueError, match="do not fit"):
        model.scores(TOKENS, 0, model.new_cache(100))
    with pytest.raises(ValueError, match="token that the model does not have"):
        model.scores([checkpoint.shape.vocabulary], 0, model.new_cache(100))
    with pytest.raises(ValueError, match="token that the model does not have"):
        model.scores([-1], 0, model.new_cache(100))


@pytest.mark.parametrize("count", [1, 3, 16, 37, 290, 16384, 50001])
def test_how_sure_it_is_is_as_numpy_has_it(folder: Path, library: Path, count: int) -> None:
    checkpoint = read_checkpoint(folder)
    model = NativeModel(checkpoint.shape, read_arrays(checkpoint), library=library)
    scores = np.random.default_rng(count).normal(0, 6, count).astype(np.float32)
    silent = scores.copy()
    silent[1:] = -np.inf

    for each in (scores, np.zeros_like(scores), scores * 100, silent):
        token = int(each.argmax())
        assert np.allclose(model.certainty(each, token), certainty(each, token), atol=1e-5)


def test_a_head_too_wide_for_the_kernels_is_computed_by_another(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "wide", head_dim=320)

    assert engine.load(folder, threads=1).describe().backend in ("openvino", "torch")
    with pytest.raises(ModelUnavailable, match="heads of 256, not of 320"):
        engine.load(folder, backend="native")


def test_completions_need_neither_torch_nor_openvino(tiny_folder: Path) -> None:
    program = (
        "import sys, engine\n"
        "from engine import CancelToken, CompletionOptions, Gap\n"
        f"completer = engine.load({str(tiny_folder)!r}, backend='native')\n"
        "found = completer.complete(Gap('def f(a):\\n    ', '\\n'), CompletionOptions(), CancelToken())\n"
        "print(found.new_tokens, {'torch', 'openvino', 'transformers'} & set(sys.modules))\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    ).stdout

    assert said.split()[1] == "set()"
    assert int(said.split()[0]) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="no /proc")
def test_too_little_memory_is_said(tmp_path: Path) -> None:
    """In a process that may have little more than it has."""
    folder = write_tiny(tmp_path / "tiny", max_position_embeddings=2_000_000)
    program = (
        "import resource, engine\n"
        "from engine.native_model import NativeModel\n"
        "held = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (held + 30_000_000, held + 30_000_000))\n"
        "try:\n"
        f"    engine.load({str(folder)!r}, backend='native')\n"
        "except engine.ModelUnavailable as unavailable:\n"
        "    print(unavailable)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    ).stdout

    assert "there is no memory for" in said


@pytest.mark.parametrize("backend", ["native", "openvino", "torch"])
def test_a_model_is_never_asked_beyond_its_last_position(tmp_path: Path, backend: str) -> None:
    if not installed(backend):
        pytest.skip(f"{backend} is not here")
    completer = engine.load(
        write_tiny(tmp_path / "t", max_position_embeddings=128), backend=backend
    )
    gap = Gap("abcdefgh = ijklmnop\n" * 40, "\nx = 1\n" * 20, "a.py", "python")

    found = completer.complete(
        gap, CompletionOptions(multiline=True, max_new_tokens=400), CancelToken()
    )

    assert 0 < found.prompt_tokens + found.new_tokens <= 128


def test_it_is_taken_where_it_is_built() -> None:
    assert chosen(Wish()) == "native"
    assert chosen(Wish(backend="native")) == "native"
    with pytest.raises(ModelUnavailable, match="int8"):
        chosen(Wish(backend="native", dtype="float32"))


@pytest.mark.skipif(hatch_build.compiler(os.environ) is None, reason="no C compiler")
def test_compiling_leaves_whole_libraries_of_this_source_alone(tmp_path: Path) -> None:
    old = tmp_path / f"kernel-avx2-0123456789ab{LIBRARIES[0].suffix}"
    old.write_bytes(b"of another source")
    command = hatch_build.compiler(os.environ)
    assert command is not None

    made, _ = hatch_build.compile_all(building, tmp_path, command)

    assert {*made, tmp_path / building.HASHES} == set(tmp_path.iterdir())
    assert sorted(made) == sorted(building.built(tmp_path))
    assert any(building.fits(each) for each in made)


def test_a_compiler_that_fails_takes_nothing_away(tmp_path: Path) -> None:
    old = tmp_path / LIBRARIES[0].name
    shutil.copy(LIBRARIES[0], old)

    made, said = hatch_build.compile_all(
        building, tmp_path, [sys.executable, "-c", "import sys; sys.exit('no such header')"]
    )

    assert made == []
    assert "no such header" in said
    assert list(tmp_path.iterdir()) == [old]


def test_a_damaged_library_is_never_loaded(tmp_path: Path) -> None:
    folder = LIBRARIES[0].parent
    for path in [*building.built(), folder / building.HASHES]:
        shutil.copy(path, tmp_path)
    whole = building.built(tmp_path)
    whole[0].write_bytes(whole[0].read_bytes()[:5000])

    assert len(whole) == len(building.built())
    assert building.built(tmp_path) == whole[1:]
    (tmp_path / building.HASHES).write_text("{")
    assert building.built(tmp_path) == []


def test_a_compiler_is_looked_for_where_the_environment_says(tmp_path: Path) -> None:
    own = tmp_path / "own-cc"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)

    assert hatch_build.compiler({"CC": f"{own} -m64"}) == [str(own), "-m64"]
    found = hatch_build.compiler({"CC": "no-such-compiler"})
    assert found is None or "no-such-compiler" not in found[0]
