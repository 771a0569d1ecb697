"""Saves a run so that it can go on, and exports what it learned as a checkpoint folder."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from engine.checkpoint import write_checkpoint
from engine.fim import FimLayout

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
    """Write what was learned as the folder that the engine and transformers load, in bfloat16."""
    config = model.config.to_dict()
    config.update(architectures=["LlamaForCausalLM"], dtype="bfloat16", use_cache=True)
    tensors = {
        key: value.detach().cpu().to(torch.bfloat16)
        for key, value in model.state_dict().items()
        if key != "lm_head.weight"  # tied
    }
    write_checkpoint(
        folder,
        name=name,
        config=config,
        tensors=tensors,
        tokenizer=tokenizer,
        layout=layout,
        corpus=corpus,
        training=training,
    )
