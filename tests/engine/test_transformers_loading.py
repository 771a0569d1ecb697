"""Folders for transformers: what is safe is loaded, offline; what is not is refused with a remedy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine import transformers_loading
from engine.api import ModelUnavailable
from engine.backends import Wish, network_of
from engine.checkpoint import read_checkpoint, sha256_of
from engine.loading import load
from engine.shape import Outline
from tests.support.families import write_family
from tests.support.published import edit_json
from tests.support.tiny import write_tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_family(tmp_path / "model", "gpt_bigcode")


def test_of_another_architecture_only_the_outline_is_read(folder: Path) -> None:
    shape = read_checkpoint(folder).shape

    assert isinstance(shape, Outline)
    assert (shape.vocabulary, shape.positions) == (290, 512)
    assert shape.kept == 2 * 2 * 8  # keys and values of two layers with one head of eight


@pytest.mark.parametrize("backend", ["native", "openvino"])
def test_other_backends_say_that_they_cannot_run_it(
    folder: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.backends.installed", lambda _: True)

    with pytest.raises(
        ModelUnavailable, match=f"{backend} cannot run it .*'gpt_bigcode'.*use torch"
    ):
        load(folder, backend=backend)


def test_code_in_a_folder_is_refused(folder: Path) -> None:
    edit_json(folder / "config.json", auto_map={"AutoModelForCausalLM": "modeling_x.Model"})
    (folder / "modeling_x.py").write_text("raise SystemExit('it was run')\n")

    with pytest.raises(ModelUnavailable, match=r"code of its own.*never run: choose another model"):
        load(folder)


def test_pickles_are_refused(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()

    with pytest.raises(ModelUnavailable, match=r"pickles.*convert them to safetensors"):
        load(folder)


def test_a_missing_weight_is_named(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["transformer.h.1.attn.c_attn.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ModelUnavailable, match=r"the weights lack transformer\.h\.1\.attn\.c_attn"):
        load(folder)


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_truncated_weights_are_refused(folder: Path, backend: str) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[:-100])

    with pytest.raises(ModelUnavailable, match=r"cannot load the model.*copy the folder again"):
        load(folder, backend=backend)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"n_embd": 64}, "cannot load the model"),
        ({"model_type": "of_tomorrow"}, "cannot load the model"),
        ({"vocab_size": None}, "vocab_size"),
        ({"vocab_size": 100}, "more tokens than the model"),
        ({"n_head": "many"}, "many"),
        ({"n_layer": 0}, "positive"),
    ],
)
def test_a_configuration_of_another_model_is_refused(
    folder: Path, changes: dict[str, object], complaint: str
) -> None:
    edit_json(folder / "config.json", **changes)

    with pytest.raises(ModelUnavailable, match=complaint):
        load(folder)


def test_a_llama_with_positions_that_we_lack_is_left_to_transformers(tmp_path: Path) -> None:
    scaled = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}
    found = write_family(tmp_path / "yarn", "llama", rope_parameters=scaled | {"rope_theta": 1e4})

    backend, model = network_of(read_checkpoint(found), Wish())

    assert backend == "torch"
    assert type(model).__name__ == "TransformersModel"


def test_our_own_rows_of_int8_are_read(folder: Path) -> None:
    from engine.transformers_loading import load_transformers

    whole = load_transformers(read_checkpoint(folder), dtype="float32")
    stored = {}
    for name, weight in load_file(folder / "model.safetensors").items():
        stored[name] = weight
        if weight.dim() == 2:
            scale = weight.abs().amax(1) / 127
            stored[name] = (weight / scale[:, None]).round().to(torch.int8)
            stored[f"{name}_scale"] = scale
    (folder / "model.safetensors").unlink()
    save_file(stored, folder / "int8.safetensors")
    about = {
        "format": 1,
        "quantization": {"method": "int8 rows"},
        "weights": {"int8.safetensors": sha256_of(folder / "int8.safetensors")},
    }
    (folder / "footnote.json").write_text(json.dumps(about))

    rounded = load_transformers(read_checkpoint(folder), dtype="float32")

    tokens = list(range(20, 60))
    exact, near = (each.scores(tokens, 0, each.new_cache(64), 40) for each in (whole, rounded))
    assert 0 < (near - exact).std() < 0.1 * exact.std()


def test_a_model_of_ours_does_not_load_transformers(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "tiny")
    script = (
        "import sys; from engine.loading import load; "
        f"load({str(folder)!r}, backend='torch', threads=1); "
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )

    assert run.stdout.split() == ["True", "False"]


def test_the_hub_is_shut_once_a_model_is_loaded(folder: Path) -> None:
    from huggingface_hub import constants

    load(folder, dtype="float32", threads=1)

    assert constants.HF_HUB_OFFLINE


def test_a_model_larger_than_the_accelerator_is_spread_where_that_can_be_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, spread = read_checkpoint(folder), transformers_loading._spread
    assert spread(checkpoint, torch.bfloat16, "cpu") == {}

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (10_000_000, 0))
    assert spread(checkpoint, torch.bfloat16, "cuda") == {}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (60_000, 0))
    assert spread(checkpoint, torch.bfloat16, "cuda") == {"device_map": "auto"}
    monkeypatch.setattr(transformers_loading, "find_spec", lambda _: None)
    with pytest.raises(ModelUnavailable, match="pip install accelerate to spread it"):
        spread(checkpoint, torch.bfloat16, "cuda")


def test_where_float32_does_not_fit_bfloat16_is_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoConfig

    checkpoint = read_checkpoint(folder)
    monkeypatch.setattr(transformers_loading, "memory", lambda: 100_000)

    precision, _ = transformers_loading._precision(
        checkpoint, AutoConfig.from_pretrained(folder), "auto", "cpu"
    )

    assert precision == torch.bfloat16
