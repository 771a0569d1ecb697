"""The checkpoint that is to be published, read and checked before anything is written."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.api import ModelUnavailable
from engine.checkpoint import TOKENIZER, CheckpointFolder, open_folder, sha256_of
from engine.fim import FimLayout, layout_from_json
from engine.layouts import layout_of
from engine.tokenizer import Tokenizer, load_tokenizer

TOKENIZER_CONFIG = "tokenizer_config.json"


class ReleaseError(Exception):
    """This checkpoint cannot be released as asked; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint whose files agree with their hashes."""

    files: CheckpointFolder
    name: str
    architecture: str  # the class of transformers, such as LlamaForCausalLM
    layout: FimLayout
    tokenizer: Tokenizer
    tokenizer_json: Mapping[str, Any]
    tensors: Mapping[str, Path]  # name -> the file it lies in

    @property
    def folder(self) -> Path:
        return self.files.folder

    @property
    def config(self) -> Mapping[str, Any]:
        return self.files.config

    @property
    def about(self) -> Mapping[str, Any]:
        return self.files.about

    def tensor(self, name: str) -> Any:
        """One weight, as stored."""
        from safetensors import safe_open

        with safe_open(self.tensors[name], framework="pt") as stored:
            return stored.get_tensor(name)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Every weight by name, one at a time in memory."""
        for name in sorted(self.tensors):
            yield name, self.tensor(name)


def read_source(folder: Path) -> Source:
    """Open a checkpoint folder, of ours or of another publisher.

    Raises ModelUnavailable for a damaged folder, ReleaseError for one that is not to be released.
    """
    if not (folder / "config.json").is_file() and (folder / "export" / "config.json").is_file():
        raise ReleaseError(
            f"{folder} is the folder of a run: name the model it exported, {folder / 'export'}"
        )
    files = open_folder(folder)
    if files.about.get("quantization"):
        raise ReleaseError(
            f"{folder} holds int8 weights, which have lost precision already: "
            "release the checkpoint that they were made from"
        )
    if "auto_map" in files.config:
        raise ReleaseError(
            f"{folder / 'config.json'} names code of its publisher (auto_map), which a release "
            "would make others run: only models that transformers knows can be released"
        )
    if not (folder / TOKENIZER_CONFIG).is_file():
        raise ReleaseError(
            f"{folder / TOKENIZER_CONFIG} is missing, without which transformers would not load the "
            "tokenizer: copy the whole checkpoint folder"
        )
    architectures = files.config.get("architectures")
    if not isinstance(architectures, list) or len(architectures) != 1:
        raise ReleaseError(
            f"{folder / 'config.json'} names no architecture, or several: export the model again"
        )
    tokenizer = load_tokenizer(folder / TOKENIZER)
    return Source(
        files=files,
        name=_name(files),
        architecture=str(architectures[0]),
        layout=_layout(files, tokenizer),
        tokenizer=tokenizer,
        tokenizer_json=json.loads((folder / TOKENIZER).read_text(encoding="utf-8")),
        tensors=_places(files),
    )


def _name(files: CheckpointFolder) -> str:
    """What the model is called; it becomes part of file names, so it is kept to plain characters."""
    name = str(files.about.get("name") or files.folder.resolve().name)
    plain = "".join(each if each.isalnum() or each in "._-" else "-" for each in name)
    return plain.strip(".-") or "model"


def _layout(files: CheckpointFolder, tokenizer: Tokenizer) -> FimLayout:
    if "fim" in files.about:
        try:
            layout = layout_from_json(files.about["fim"])
        except (TypeError, ValueError) as error:
            raise ModelUnavailable(
                f"the layout in {files.folder / 'footnote.json'} is damaged: {error}"
            ) from error
    else:
        found = layout_of(tokenizer.id_of)
        if found is None:
            raise ReleaseError(
                f"the tokenizer in {files.folder} has no fill-in-the-middle tokens: "
                "only models that fill gaps can be released"
            )
        layout = found
    for token in (layout.prefix, layout.suffix, layout.middle, layout.end):
        if tokenizer.id_of(token) is None:
            raise ReleaseError(
                f"the tokenizer in {files.folder} has no token {token!r}, which footnote.json "
                "names: model and tokenizer are of different checkpoints"
            )
    return layout


def _places(files: CheckpointFolder) -> dict[str, Path]:
    from safetensors import SafetensorError, safe_open

    places: dict[str, Path] = {}
    for path in files.weights:
        try:
            with safe_open(path, framework="pt") as stored:
                places.update(dict.fromkeys(stored.keys(), path))
        except (SafetensorError, OSError) as error:
            raise ModelUnavailable(
                f"{path} is damaged ({error}): copy the checkpoint folder again"
            ) from error
    return places


@dataclass(frozen=True, slots=True)
class WeightFacts:
    parameters: int  # tied weights once
    bytes: int  # as stored
    dtypes: tuple[str, ...]  # "bfloat16", ...


def check_weights(source: Source) -> WeightFacts:
    """Look at every number. ReleaseError when one is no finite floating-point number."""
    import torch

    count = size = 0
    dtypes = set()
    for name, tensor in source:
        if not tensor.is_floating_point():
            raise ReleaseError(
                f"{name} is {tensor.dtype}: release the floating-point checkpoint it was made from"
            )
        bad = int((~torch.isfinite(tensor)).sum())
        if bad:
            raise ReleaseError(
                f"{bad:,} of {tensor.numel():,} numbers in {name} are not finite (NaN or infinite): "
                "the training has diverged; release an earlier checkpoint"
            )
        count, size = count + tensor.numel(), size + tensor.nbytes
        dtypes.add(str(tensor.dtype).removeprefix("torch."))
    return WeightFacts(parameters=count, bytes=size, dtypes=tuple(sorted(dtypes)))


def weights_hash(source: Source) -> str:
    """Names the weights that a release was made from: over the hashes of their files."""
    import hashlib

    digest = hashlib.sha256()
    for path in source.files.weights:
        known = dict(source.about.get("weights", {})).get(path.name)
        digest.update(f"{path.name} {known or sha256_of(path)}\n".encode())
    return digest.hexdigest()


def extra_files(source: Source) -> list[Path]:
    """Files beside the weights that transformers reads, and the curve of the training."""
    here = (
        "generation_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
        "merges.txt",
    )  # fmt: skip
    found = [source.folder / name for name in here]
    return [path for path in found if path.is_file()] + loss_curve(source.folder)


def loss_curve(folder: Path) -> list[Path]:
    """loss.json and loss.png, of the folder or of the run that exported it."""
    run = folder.resolve().parent
    places = (folder, run) if (run / "log.jsonl").is_file() else (folder,)
    for place in places:
        if (place / "loss.json").is_file():
            return [each for name in ("loss.json", "loss.png") if (each := place / name).is_file()]
    return []
