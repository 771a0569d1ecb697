"""The checkpoint folder: read, verified by hash, and written whole. Weights are safetensors only.

    config.json               the shape, as transformers writes it
    model.safetensors         the weights; or several files and model.safetensors.index.json
    tokenizer.json            the vocabulary (tokenizer_config.json lets transformers load it)
    footnote.json             the fill-in-the-middle layout, what the model was made from, hashes

A folder of another publisher has no footnote.json; its layout is then found by its special tokens.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.api import ModelUnavailable
from engine.fim import FimLayout, layout_from_json, layout_to_json
from engine.shape import Shape, shape_of

FORMAT = 1
ABOUT = "footnote.json"
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_SHARD_BYTES = 45_000_000  # hosts of repositories refuse or warn above 50 MB


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder that was found complete. Its weights are not read yet."""

    folder: Path
    name: str
    shape: Shape
    layout: FimLayout | None  # None: the folder does not say, its special tokens may
    weights: tuple[Path, ...]
    corpus: Mapping[str, str] = field(default_factory=dict)  # name, hash, recipe_hash
    training: Mapping[str, Any] = field(default_factory=dict)


def read_checkpoint(folder: Path, *, verify: bool = True) -> Checkpoint:
    """Open a folder; with `verify`, after hashing what footnote.json gives the hashes of.

    Raises ModelUnavailable with a remedy when a file is missing, damaged, or of a kind that would
    have to be trusted (pickles) or run (code).
    """
    if not folder.is_dir():
        raise ModelUnavailable(
            f"no model at {folder}: name a checkpoint folder, or train one with "
            "`footnote train pretrain`"
        )
    config = _json(folder / CONFIG)
    about = _json(folder / ABOUT) if (folder / ABOUT).is_file() else {}
    if about and about.get("format") != FORMAT:
        raise ModelUnavailable(
            f"{folder / ABOUT} has format {about.get('format')!r}, this version reads {FORMAT}: "
            "update Footnote or export the model again"
        )
    weights = _weight_files(folder)
    if not (folder / TOKENIZER).is_file():
        raise ModelUnavailable(f"{folder / TOKENIZER} is missing: copy the whole checkpoint folder")
    if verify:
        _verify(folder, weights, about)
    try:
        layout = layout_from_json(about["fim"]) if "fim" in about else None
    except (TypeError, ValueError) as error:
        raise ModelUnavailable(f"the layout in {folder / ABOUT} is damaged: {error}") from error
    return Checkpoint(
        folder=folder,
        name=str(about.get("name") or folder.name),
        shape=shape_of(config),
        layout=layout,
        weights=weights,
        corpus={key: str(value) for key, value in dict(about.get("corpus", {})).items()},
        training=dict(about.get("training", {})),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelUnavailable(f"{path} is missing: copy the whole checkpoint folder") from None
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{path} cannot be read ({error}): copy the folder again") from error
    if not isinstance(values, dict):
        raise ModelUnavailable(f"{path} is damaged: copy the checkpoint folder again")
    return values


def _weight_files(folder: Path) -> tuple[Path, ...]:
    if (folder / _INDEX).is_file():
        names = sorted(set(dict(_json(folder / _INDEX).get("weight_map", {})).values()))
    else:
        names = [_WEIGHTS]
    # A name must stay inside the folder: the index is only as trustworthy as the folder.
    files = tuple(folder / Path(str(name)).name for name in names)
    missing = [file for file in files if not file.is_file()]
    if not missing and files:
        return files
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth")):
        raise ModelUnavailable(
            f"the weights in {folder} are pickles, which can run code: "
            "convert them to safetensors first"
        )
    raise ModelUnavailable(
        f"{missing[0] if missing else folder / _WEIGHTS} is missing: copy the whole folder"
    )


def _verify(folder: Path, weights: Sequence[Path], about: Mapping[str, Any]) -> None:
    expected = dict(about.get("weights", {}))
    if about.get("tokenizer_hash"):
        expected[TOKENIZER] = about["tokenizer_hash"]
    if about:
        unknown = [file.name for file in weights if file.name not in expected]
        if unknown:
            raise ModelUnavailable(f"{ABOUT} has no hash of {unknown[0]}: export the model again")
    for name, digest in expected.items():
        path = folder / Path(name).name
        if not path.is_file() or sha256_of(path) != digest:
            raise ModelUnavailable(
                f"{path} is damaged (its hash differs from {ABOUT}): copy the folder again or "
                "reinstall Footnote"
            )


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_tensors(checkpoint: Checkpoint) -> Iterator[tuple[str, Any]]:
    """Name and tensor of every weight, each backed by the file until it is copied.

    Raises ModelUnavailable when a file is no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    for path in checkpoint.weights:
        try:
            with safe_open(path, framework="pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118 -- it is no mapping
                    yield name, tensors.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise ModelUnavailable(
                f"{path} is damaged ({error}): copy the folder again or reinstall Footnote"
            ) from error


def write_checkpoint(
    folder: Path,
    *,
    name: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, Any],
    tokenizer: Path,
    layout: FimLayout,
    corpus: Mapping[str, str],
    training: Mapping[str, Any],
) -> None:
    """Write a folder that this engine and transformers load; it appears whole or not at all.

    `tensors` holds torch tensors as they shall be stored; `tokenizer` is the folder of
    tokenizer.json and tokenizer_config.json. Files beside those (a model card) are kept.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        weights = _write_weights(staging, tensors)
        _dump(staging / CONFIG, config)
        for file in (TOKENIZER, "tokenizer_config.json"):
            shutil.copyfile(tokenizer / file, staging / file)
        about = {
            "format": FORMAT,
            "name": name,
            "fim": layout_to_json(layout),
            "corpus": dict(corpus),
            "tokenizer_hash": sha256_of(staging / TOKENIZER),
            "training": dict(training),
            "weights": {file.name: sha256_of(file) for file in weights},
        }
        _dump(staging / ABOUT, about)
        staging.chmod(0o755)
        _swap(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_weights(folder: Path, tensors: Mapping[str, Any]) -> list[Path]:
    """One file, or shards with an index where it would be too large for a repository."""
    from safetensors.torch import save_file

    shards: list[dict[str, Any]] = [{}]
    size = 0
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous()
        if size and size + tensor.nbytes > _SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    files = [folder / _WEIGHTS]
    if len(shards) > 1:
        count = len(shards)
        files = [folder / f"model-{i + 1:05}-of-{count:05}.safetensors" for i in range(count)]
        where = {n: file.name for shard, file in zip(shards, files, strict=True) for n in shard}
        total = sum(tensor.nbytes for shard in shards for tensor in shard.values())
        _dump(folder / _INDEX, {"metadata": {"total_size": total}, "weight_map": where})
    for shard, file in zip(shards, files, strict=True):
        save_file(shard, file, metadata={"format": "pt"})
        file.chmod(0o644)
    return files


def _dump(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _swap(staging: Path, folder: Path) -> None:
    """Put staging where folder is, with what folder holds besides a checkpoint."""
    if not folder.exists():
        staging.replace(folder)
        return
    old = staging.with_name(staging.name + "-old")
    stale = {ABOUT, CONFIG, TOKENIZER, "tokenizer_config.json", _INDEX}
    for each in folder.iterdir():
        if each.is_file() and each.name not in stale and each.suffix != ".safetensors":
            shutil.copyfile(each, staging / each.name)
    folder.replace(old)
    staging.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
