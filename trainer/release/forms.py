"""The forms that the weights of a release come in, each written and then read back to be measured."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.checkpoint import (
    ABOUT,
    CONFIG,
    FORMAT,
    TOKENIZER,
    dump,
    open_folder,
    read_tensors,
    sha256_of,
    write_weights,
)
from engine.fim import layout_to_json
from trainer.release import gguf_file, int8, precision
from trainer.release.checking import Checked, Say, Wish
from trainer.release.model_card import Measured, Stored
from trainer.release.source import TOKENIZER_CONFIG, Source

_INT8 = "int8 rows"


def write_forms(staging: Path, wish: Wish, checked: Checked, say: Say) -> list[Stored]:
    """All that was asked for, the floating-point weights first."""
    say("writing safetensors")
    stored = [_write_floats(staging, wish, checked)]
    if wish.int8:
        say("writing int8")
        stored.append(_write_int8(staging / "int8", wish, checked))
    for kind in wish.gguf:
        say(f"writing GGUF {kind.upper()}")
        stored.append(_write_gguf(staging, wish, checked, kind))
    return stored


def _write_floats(staging: Path, wish: Wish, checked: Checked) -> Stored:
    """The weights as trained, copied byte for byte, or all of them in float32."""
    source = checked.source
    config = {key: each for key, each in source.config.items() if key != "_name_or_path"}
    if wish.float32:
        import torch

        config.update(dtype="float32")
        config.pop("torch_dtype", None)
        files = write_weights(staging, {name: each.to(torch.float32) for name, each in source})
        kind = "float32"
    else:
        index = source.folder / "model.safetensors.index.json"
        for path in (*source.files.weights, *([index] if index.is_file() else [])):
            shutil.copyfile(path, staging / path.name)
        files = [staging / path.name for path in source.files.weights]
        kind = " and ".join(checked.facts.dtypes)
    _write_model_files(staging, source, config)
    write_about(staging, wish, checked, measured={})
    size = sum(path.stat().st_size for path in files)
    name = files[0].name if len(files) == 1 else "model-*.safetensors"
    return Stored(f"safetensors, {kind}", name, size)


def _write_model_files(folder: Path, source: Source, config: Mapping[str, Any]) -> None:
    dump(folder / CONFIG, config)
    for name in (TOKENIZER, TOKENIZER_CONFIG):
        shutil.copyfile(source.folder / name, folder / name)


def write_about(
    folder: Path,
    wish: Wish,
    checked: Checked,
    *,
    measured: Mapping[str, Any],
    quantization: Mapping[str, Any] | None = None,
) -> None:
    """footnote.json: the checkpoint's own record, the hashes of these files, and of what they are."""
    source = checked.source
    weights = sorted(folder.glob("*.safetensors"))
    about = {
        "corpus": {},
        "training": {},
        **source.about,
        "format": FORMAT,
        "name": source.name,
        "fim": source.about.get("fim") or layout_to_json(source.layout),
        "tokenizer_hash": sha256_of(folder / TOKENIZER),
        "weights": {path.name: sha256_of(path) for path in weights},
        "release": {
            "license": wish.licence.hub,
            "made_from": checked.hash,
            "parameters": checked.facts.parameters,
            "precision": dict(measured),
        },
    }
    if quantization:
        about["quantization"] = dict(quantization)
    dump(folder / ABOUT, about)


def _write_int8(folder: Path, wish: Wish, checked: Checked) -> Stored:
    source = checked.source
    folder.mkdir()
    files = write_weights(folder, int8.quantized(source), stem=int8.STEM)
    config = {key: each for key, each in source.config.items() if key != "_name_or_path"}
    _write_model_files(folder, source, config)
    write_about(folder, wish, checked, measured={}, quantization=int8.RECORD)
    size = sum(path.stat().st_size for path in files)
    return Stored(_INT8, f"{folder.name}/", size)


def _write_gguf(staging: Path, wish: Wish, checked: Checked, kind: str) -> Stored:
    assert checked.gguf is not None
    path = staging / f"{checked.source.name}-{kind.upper()}.gguf"
    facts = {
        "general.license": wish.licence.hub,
        "general.license.link": wish.licence.url,
        "footnote.made_from": checked.hash,
    }
    gguf_file.write(checked.gguf, path, kind, facts={k: v for k, v in facts.items() if v})
    return Stored(f"GGUF {kind.upper()}", path.name, path.stat().st_size)


def measure(staging: Path, checked: Checked, stored: Sequence[Stored], say: Say) -> Measured | None:
    """Read every form back from the staged folder and compare it with the original."""
    if checked.sample is None:
        return None
    say(f"measuring on {checked.sample.what}")
    original = precision.load_model(checked.source.folder)
    forms = {}
    for each in stored:
        if each.form == _INT8:
            tensors = read_tensors(open_folder(staging / "int8"))
        elif each.path.endswith(".gguf"):
            assert checked.gguf is not None
            tensors = gguf_file.read(checked.gguf, staging / each.path)
        else:  # as transformers reads it, weights and configuration
            forms[each.form] = (precision.load_model(staging), each.bytes)
            continue
        model = precision.load_model(checked.source.folder)
        precision.replace_weights(model, tensors)
        forms[each.form] = (model, each.bytes)
    end = checked.source.tokenizer.id_of(checked.source.layout.end)
    assert end is not None
    base, losses = precision.compare(
        original, forms, checked.source.tokenizer, end=end, sample=checked.sample
    )
    return Measured(
        precision.protocol(checked.sample, precision.length_of(original.config)),
        base,
        tuple(losses),
    )
