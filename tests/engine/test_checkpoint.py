"""The checkpoint folder: what is written is read, and what is not whole or not safe is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from engine import checkpoint
from engine.api import ModelUnavailable
from engine.backends import Wish, chosen
from engine.checkpoint import read_checkpoint, read_tensors, write_checkpoint
from engine.fim import FimLayout
from engine.loading import folder_of, load
from engine.shape import shape_of
from tests.support.tiny import tiny_config, tiny_tensors, write_tiny


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def test_what_was_written_is_read(folder: Path) -> None:
    found = read_checkpoint(folder)

    assert found.name == "tiny"
    assert found.layout == FimLayout()
    assert found.corpus == {"name": "none", "hash": "c0", "recipe_hash": "r0"}
    assert found.training == {"steps": 0}
    assert (found.shape.layers, found.shape.kv_heads, found.shape.tied) == (2, 1, True)
    written = tiny_tensors(tiny_config())
    read = dict(read_tensors(found))
    assert set(read) == set(written)
    assert all(torch.equal(read[name], written[name]) for name in written)


def test_weights_that_are_too_large_for_one_file_are_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "_SHARD_BYTES", 20_000)
    found = read_checkpoint(write_tiny(tmp_path / "split"))

    assert len(found.weights) > 2
    assert dict(read_tensors(found)).keys() == tiny_tensors(tiny_config()).keys()


def test_transformers_loads_the_folder(folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    assert sum(each.numel() for each in model.parameters()) == sum(
        each.numel() for each in tiny_tensors(tiny_config()).values()
    )
    assert tokenizer.convert_tokens_to_ids("<fim_middle>") == 2


def test_writing_again_replaces_the_model_and_keeps_what_lies_beside(folder: Path) -> None:
    (folder / "README.md").write_text("about")
    (folder / "model-00001-of-00002.safetensors").write_bytes(b"old")
    write_tiny(folder, seed=7)

    assert (folder / "README.md").read_text() == "about"
    assert not (folder / "model-00001-of-00002.safetensors").exists()
    embedding = dict(read_tensors(read_checkpoint(folder)))["model.embed_tokens.weight"]
    assert torch.equal(embedding, tiny_tensors(tiny_config(), 7)["model.embed_tokens.weight"])


def test_a_write_that_fails_leaves_the_old_model(folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(FileNotFoundError):
        write_checkpoint(
            folder,
            name="other",
            config=tiny_config(),
            tensors=tiny_tensors(tiny_config()),
            tokenizer=folder / "nowhere",
            layout=FimLayout(),
            corpus={},
            training={},
        )

    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [each.name for each in folder.parent.iterdir()] == [folder.name]


def test_a_changed_byte_of_the_weights_is_noticed(folder: Path) -> None:
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)

    with pytest.raises(ModelUnavailable, match=r"damaged.*copy the folder again"):
        read_checkpoint(folder)


def test_a_tokenizer_of_another_model_is_noticed(folder: Path) -> None:
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + " ")

    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json is damaged"):
        read_checkpoint(folder)


def test_weights_without_a_hash_are_refused(folder: Path) -> None:
    about = json.loads((folder / "footnote.json").read_text())
    about["weights"] = {}
    (folder / "footnote.json").write_text(json.dumps(about))

    with pytest.raises(ModelUnavailable, match=r"no hash of model\.safetensors"):
        read_checkpoint(folder)


def test_truncated_weights_of_a_folder_without_hashes_are_refused(folder: Path) -> None:
    (folder / "footnote.json").unlink()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])

    with pytest.raises(ModelUnavailable, match="damaged"):
        load(folder)


def test_pickles_are_refused_whatever_is_in_them(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

    with pytest.raises(ModelUnavailable, match=r"pickles.*convert them to safetensors"):
        read_checkpoint(folder)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(folder: Path, missing: str) -> None:
    (folder / missing).unlink()

    with pytest.raises(ModelUnavailable, match=f"{missing} is missing: copy the whole"):
        read_checkpoint(folder)


def test_a_folder_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"no model at .*: name a checkpoint folder"):
        load(tmp_path / "nothing")


def test_without_an_embedded_model_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.loading.DEFAULT_MODEL", tmp_path)

    with pytest.raises(ModelUnavailable, match="no embedded model: reinstall Footnote"):
        folder_of(None)


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("config.json", "{", "cannot be read"),
        ("config.json", "[]", "damaged"),
        ("config.json", '{"model_type": "llama"}', "hidden_size"),
        ("config.json", '{"model_type": "gpt_bigcode"}', "vocab_size"),
        ("footnote.json", '{"format": 99}', "format 99"),
        ("footnote.json", "no json", "cannot be read"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(
    folder: Path, file: str, text: str, complaint: str
) -> None:
    (folder / file).write_text(text)

    with pytest.raises(ModelUnavailable, match=complaint):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"hidden_act": "gelu"}, "gelu"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "yarn"),
        ({"num_key_value_heads": 3}, "multiple of key/value heads"),
        ({"use_sliding_window": True}, "sliding-window"),
        ({"model_type": "gpt_bigcode"}, "not 'gpt_bigcode'"),
    ],
)
def test_what_our_own_code_cannot_run_is_not_run_wrongly_by_it(
    folder: Path, change: dict[str, object], complaint: str
) -> None:
    config = tiny_config(**change)
    (folder / "config.json").write_text(json.dumps(config))

    with pytest.raises(ModelUnavailable, match=complaint):
        shape_of(config)
    with pytest.raises(ModelUnavailable, match=complaint):
        chosen(Wish("native"), read_checkpoint(folder).shape)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"num_hidden_layers": 3}, "the weights lack layers.2"),
        ({"intermediate_size": 65}, "weights and configuration are of different models"),
        ({"vocab_size": 100}, "more tokens than the model"),
    ],
)
def test_weights_of_another_shape_are_refused(
    folder: Path, change: dict[str, int], complaint: str
) -> None:
    (folder / "config.json").write_text(json.dumps(tiny_config(**change)))

    with pytest.raises(ModelUnavailable, match=complaint):
        load(folder, dtype="float32")


def test_a_model_that_fills_no_gaps_is_refused(folder: Path) -> None:
    (folder / "footnote.json").unlink()
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace("fim_", "other_"))

    with pytest.raises(ModelUnavailable, match="no fill-in-the-middle tokens"):
        load(folder)


def test_another_publishers_folder_is_known_by_its_tokens(folder: Path) -> None:
    (folder / "footnote.json").unlink()
    completer = load(folder, dtype="float32", threads=1)

    assert completer.describe().name == folder.name
