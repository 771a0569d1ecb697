"""Saves a run so that it can go on, and exports what it learned as a checkpoint folder.

A checkpoint is a folder, state.json beside state.safetensors, written aside and renamed: it is
there whole or not at all, and its hash is compared before it is used.
"""

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.checkpoint import sha256_of, write_checkpoint
from engine.fim import FimLayout
from trainer.config import ModelRecipe
from trainer.conversion import config_of, to_transformers

_NAME = re.compile(r"checkpoint-(\d{8})")
STABLE = "stable"
_FORMAT = 2


class SaveFailed(Exception):
    """A checkpoint could not be written; what was there before is still there."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint as it was read: plain values and tensors by name, on the CPU."""

    path: Path
    values: dict[str, Any]
    tensors: dict[str, Tensor]


def save(
    folder: Path,
    step: int,
    values: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    *,
    keep: int,
    name: str = "",
) -> Path:
    """Write one checkpoint whole or not at all, then drop all but the newest `keep`.

    One with a `name` of its own is never dropped. Raises SaveFailed with the remedy.
    """
    path = folder / (name or f"checkpoint-{step:08}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        needed = sum(each.nbytes for each in tensors.values())
        free = shutil.disk_usage(folder).free
        if free < 1.05 * needed:
            raise SaveFailed(
                f"a checkpoint takes {needed / 1e6:.0f} MB and the disk of {folder} has "
                f"{free / 1e6:.0f} MB: make room, then give the same command again"
            )
        _write(path, values, tensors)
    except OSError as error:
        raise SaveFailed(
            f"the checkpoint of step {step} could not be written ({error}): make room at {folder}, "
            "then give the same command again"
        ) from error
    for old in _all(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return path


def _write(path: Path, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    from safetensors.torch import save_file

    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    old = staging.with_name(staging.name + "-old")
    try:
        weights = staging / "state.safetensors"
        save_file({name: each.contiguous() for name, each in tensors.items()}, weights)
        about = {"format": _FORMAT, "sha256": sha256_of(weights), **values}
        (staging / "state.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        for file in (weights, staging / "state.json"):
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())  # a rename must not overtake what it names
        staging.chmod(0o755)
        if path.exists():
            path.replace(old)
        staging.replace(path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what killed writers left."""
    for left in folder.glob(".*-*"):
        if left.is_dir() and left.name.startswith((".checkpoint-", f".{STABLE}-", ".export-")):
            shutil.rmtree(left, ignore_errors=True)


def _all(folder: Path) -> list[Path]:
    return sorted(each for each in folder.glob("checkpoint-*") if _NAME.fullmatch(each.name))


def latest(folder: Path) -> Saved | None:
    """The newest checkpoint that is whole, or None; says on stderr which ones are not.

    Raises ValueError when there are some and all are damaged.
    """
    found = _all(folder)
    for path in reversed(found):
        try:
            return read(path)
        except ValueError as error:
            sys.stderr.write(f"{error}; trying the one before it\n")
    if found:
        raise ValueError(f"no checkpoint in {folder} is whole: give --run a new folder")
    return None


def read(path: Path) -> Saved:
    """The checkpoint in a folder. ValueError when it is missing, damaged or of another format."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        values = json.loads((path / "state.json").read_text(encoding="utf-8"))
        if values.get("format") != _FORMAT:
            raise ValueError(f"format {values.get('format')!r}, not {_FORMAT}")
        if sha256_of(path / "state.safetensors") != values["sha256"]:
            raise ValueError("its hash differs")
        tensors = load_file(path / "state.safetensors")
    except (OSError, ValueError, KeyError, AttributeError, SafetensorError) as error:
        raise ValueError(f"the checkpoint {path} cannot be used ({error})") from error
    return Saved(path, values, tensors)


def export(
    folder: Path,
    weights: Mapping[str, Tensor],
    recipe: ModelRecipe,
    *,
    tokenizer: Path,
    layout: FimLayout,
    name: str,
    record: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write what was learned as the folder that the engine and transformers load, in bfloat16.

    `weights` are those of the network, whole, under our names; `record` has `corpus` and
    `training`. Raises SaveFailed with the remedy.
    """
    try:
        write_checkpoint(
            folder,
            name=name,
            config=config_of(recipe),
            tensors={
                key: each.to(torch.bfloat16).contiguous()
                for key, each in to_transformers(weights, recipe)
            },
            tokenizer=tokenizer,
            layout=layout,
            corpus={key: str(value) for key, value in record["corpus"].items()},
            training=record["training"],
        )
    except OSError as error:
        raise SaveFailed(
            f"{folder} could not be written ({error}): make room, then give the same command again; "
            "the last checkpoint has everything"
        ) from error
