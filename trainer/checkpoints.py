"""Saves a run so that it can go on, and exports what it learned as a checkpoint folder."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from engine.fim import FimLayout, layout_to_json

_NAME = re.compile(r"checkpoint-(\d{8})\.pt")


def save(folder: Path, step: int, state: Mapping[str, Any], *, keep: int) -> Path:
    """Write one checkpoint whole or not at all, then drop all but the newest `keep`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"checkpoint-{step:08}.pt"
    staging = path.with_suffix(".tmp")
    torch.save(dict(state), staging)
    staging.replace(path)
    for old in _all(folder)[:-keep]:
        old.unlink()
    return path


def latest(folder: Path) -> Path | None:
    found = _all(folder)
    return found[-1] if found else None


def _all(folder: Path) -> list[Path]:
    return sorted(each for each in folder.glob("checkpoint-*.pt") if _NAME.fullmatch(each.name))


def read(path: Path) -> dict[str, Any]:
    """The state that `save` was given, on the CPU; plain values and tensors only."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def export(
    model: Any,
    folder: Path,
    *,
    tokenizer: Path,
    name: str,
    layout: FimLayout,
    corpus: Mapping[str, str],
    training: Mapping[str, Any],
) -> None:
    """Write the folder that the engine and transformers load: bfloat16 weights in safetensors.

    `footnote.json` goes last: a folder without it is not finished.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        key: value.detach().to(torch.bfloat16).contiguous()
        for key, value in model.state_dict().items()
        if key != "lm_head.weight"  # tied
    }
    staging = folder / ".model.safetensors.tmp"
    save_file(weights, staging, metadata={"format": "pt"})
    staging.replace(folder / "model.safetensors")
    config = model.config.to_dict()
    config.update(architectures=["LlamaForCausalLM"], dtype="bfloat16", use_cache=True)
    _write(folder / "config.json", json.dumps(config, indent=1, sort_keys=True) + "\n")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        _write(folder / file, (tokenizer / file).read_text(encoding="utf-8"))
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    about = {
        "format": 1,
        "name": name,
        "fim": layout_to_json(layout),
        "corpus": dict(corpus),
        "tokenizer_hash": hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest(),
        "training": dict(training),
        "weights": {"model.safetensors": digest},
    }
    _write(folder / "footnote.json", json.dumps(about, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    staging = path.with_name(f".{path.name}.tmp")
    staging.write_text(text, encoding="utf-8")
    staging.replace(path)
