"""The checkpoint folder: read, verified by hash, and written whole. Weights are safetensors only.

    config.json               the shape, as transformers writes it
    model.safetensors         the weights; or several files and model.safetensors.index.json
    tokenizer.json            the vocabulary (tokenizer_config.json lets transformers load it)
    footnote.json             the fill-in-the-middle layout, what the model was made from, hashes

A folder of another publisher has no footnote.json; its layout is then found by its special tokens.
Where footnote.json speaks of a quantization, the weights have names that transformers does not look
for, since it would take the integers for weights: int8.safetensors. A GGUF file holds all of this
by itself.
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
from engine.gguf_file import GgufHead, read_head
from engine.serving import USUAL, Serving, serving_from_json
from engine.shape import GgufOutline, Outline, Shape, measures_of

FORMAT = 1
ABOUT = "footnote.json"
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
SCALE = "_scale"  # a tensor of int8 has one of its name and this: a float32 for each row
# Keys of GGUF files that Footnote wrote: JSON as in footnote.json, and the hashes of the corpus.
GGUF_LAYOUT, GGUF_SERVING, GGUF_CORPUS = "footnote.fim", "footnote.serving", "footnote.corpus_"
INT8_ROWS = "int8 rows"  # the one quantization there is: symmetric, one scale per output channel
_INDEX = "model.safetensors.index.json"
_SHARD_BYTES = 45_000_000  # hosts of repositories refuse or warn above 50 MB


@dataclass(frozen=True, slots=True)
class CheckpointFolder:
    """A folder whose files are all there and as its hashes say; what they mean is not looked at."""

    folder: Path
    config: Mapping[str, Any]
    about: Mapping[str, Any]  # footnote.json; empty for another publisher's model
    weights: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder, or a GGUF file, that was found complete. Its weights are not read yet."""

    folder: Path  # or the file
    name: str
    shape: Shape | Outline
    layout: FimLayout | None  # None: the folder does not say, its special tokens may
    weights: tuple[Path, ...]
    corpus: Mapping[str, str] = field(default_factory=dict)  # name, hash, recipe_hash, parts
    training: Mapping[str, Any] = field(default_factory=dict)
    serving: Serving = USUAL


def read_checkpoint(folder: Path, *, verify: bool = True) -> Checkpoint:
    """Open a model that this engine can run: a folder (see `open_folder` for `verify`), a GGUF file.

    Raises ModelUnavailable with a remedy, for another kind of model as for a damaged folder.
    """
    if folder.is_file():
        return _in_one_file(folder)
    found = open_folder(folder, verify=verify)
    about = found.about
    try:
        layout = layout_from_json(about["fim"]) if "fim" in about else None
    except (TypeError, ValueError) as error:
        raise ModelUnavailable(f"the layout in {folder / ABOUT} is damaged: {error}") from error
    try:
        serving = serving_from_json(about.get("serving", {}))
    except ValueError as error:
        raise ModelUnavailable(f"{folder / ABOUT} is damaged: {error}") from error
    return Checkpoint(
        folder=folder,
        name=str(about.get("name") or folder.name),
        shape=measures_of(found.config),
        layout=layout,
        weights=found.weights,
        corpus={key: str(value) for key, value in dict(about.get("corpus", {})).items()},
        training=dict(about.get("training", {})),
        serving=serving,
    )


def _in_one_file(path: Path) -> Checkpoint:
    """Of a file that Footnote wrote the layout and what it was trained on are known too."""
    head = read_head(path)
    try:
        layout = json.loads(head.values.get(GGUF_LAYOUT, "null"))
        serving = serving_from_json(json.loads(head.values.get(GGUF_SERVING, "{}")))
        return Checkpoint(
            folder=head.parts[0],
            name=str(head.values.get("general.name") or path.stem),
            shape=_outline(head),
            layout=layout and layout_from_json(layout),
            weights=head.parts,
            corpus={
                key: str(head.values[name])
                for key in ("hash", "recipe_hash")
                if (name := f"{GGUF_CORPUS}{key}") in head.values
            },
            serving=serving,
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelUnavailable(f"{path} is damaged ({error}): copy it again") from error


def _outline(head: GgufHead) -> GgufOutline:
    number = head.number
    heads = number("attention.head_count", 1)
    width = number("attention.key_length") or number("embedding_length") // max(1, heads)
    tokens = head.values.get("tokenizer.ggml.tokens", 0)
    return GgufOutline(
        vocabulary=len(tokens) if isinstance(tokens, list) else int(tokens),
        positions=number("context_length", 2048),
        kept=max(
            1, 2 * number("block_count") * (number("attention.head_count_kv") or heads) * width
        ),
        why="it is a GGUF file",
    )


def open_folder(folder: Path, *, verify: bool = True) -> CheckpointFolder:
    """Open a folder; with `verify`, after hashing what footnote.json gives the hashes of.

    Raises ModelUnavailable with a remedy when a file is missing, damaged, or of a kind that would
    have to be trusted (pickles) or run (code).
    """
    if not folder.is_dir():
        raise ModelUnavailable(
            f"no model at {folder}: name a checkpoint folder or a GGUF file, or train one with "
            "`footnote train pretrain`"
        )
    config = _json(folder / CONFIG)
    if config.get("auto_map"):
        raise ModelUnavailable(
            f"the model in {folder} brings code of its own (auto_map in {CONFIG}), which is never "
            "run: choose another model, or take auto_map out if transformers knows "
            f"{config.get('model_type')!r} without it"
        )
    about = _json(folder / ABOUT) if (folder / ABOUT).is_file() else {}
    if about and about.get("format") != FORMAT:
        raise ModelUnavailable(
            f"{folder / ABOUT} has format {about.get('format')!r}, this version reads {FORMAT}: "
            "update Footnote or export the model again"
        )
    for key in ("corpus", "training", "weights", "quantization"):
        if not isinstance(about.get(key, {}), dict):
            raise ModelUnavailable(
                f"{folder / ABOUT} is damaged ({key} is no object): copy the folder again"
            )
    weights = _weight_files(folder, about)
    if not (folder / TOKENIZER).is_file():
        raise ModelUnavailable(f"{folder / TOKENIZER} is missing: copy the whole checkpoint folder")
    if verify:
        _verify(folder, weights, about)
    return CheckpointFolder(folder=folder, config=config, about=about, weights=weights)


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


def _weight_files(folder: Path, about: Mapping[str, Any]) -> tuple[Path, ...]:
    if about.get("quantization"):
        method = dict(about["quantization"]).get("method")
        if method != INT8_ROWS:
            raise ModelUnavailable(
                f"the weights in {folder} are quantized by {method!r}, this version reads "
                f"{INT8_ROWS!r}: update Footnote or take the floating-point weights"
            )
        names = sorted(dict(about.get("weights", {})))
    elif (folder / _INDEX).is_file():
        names = sorted(set(dict(_json(folder / _INDEX).get("weight_map", {})).values()))
    else:
        names = ["model.safetensors"]
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
        f"{missing[0] if missing else folder / ABOUT} is missing: copy the whole folder"
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


def read_tensors(checkpoint: Checkpoint | CheckpointFolder) -> Iterator[tuple[str, Any]]:
    """Name and tensor of every weight, each backed by the file until it is copied.

    Rows of int8 come as the float32 that they stand for. Raises ModelUnavailable when a file is no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    for path in checkpoint.weights:
        try:
            with safe_open(path, framework="pt") as tensors:
                names = set(tensors.keys())
                for name in sorted(names):
                    if name.removesuffix(SCALE) in names - {name}:
                        continue
                    tensor = tensors.get_tensor(name)
                    if name + SCALE in names:
                        tensor = tensor.float() * tensors.get_tensor(name + SCALE)[:, None]
                    yield name, tensor
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
        weights = write_weights(staging, tensors)
        dump(staging / CONFIG, config)
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
        dump(staging / ABOUT, about)
        staging.chmod(0o755)
        _swap(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_weights(folder: Path, tensors: Mapping[str, Any], *, stem: str = "model") -> list[Path]:
    """One file, or shards where it would be too large for a repository; "model" gets an index.

    Raises OSError when the disk is full.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    shards: list[dict[str, Any]] = [{}]
    size = 0
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous()
        # A scale stays beside what it scales.
        if size and size + tensor.nbytes > _SHARD_BYTES and not name.endswith(SCALE):
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    files = [folder / f"{stem}.safetensors"]
    if len(shards) > 1:
        count = len(shards)
        files = [folder / f"{stem}-{i + 1:05}-of-{count:05}.safetensors" for i in range(count)]
    if len(shards) > 1 and stem == "model":
        where = {n: file.name for shard, file in zip(shards, files, strict=True) for n in shard}
        total = sum(tensor.nbytes for shard in shards for tensor in shard.values())
        dump(folder / _INDEX, {"metadata": {"total_size": total}, "weight_map": where})
    for shard, file in zip(shards, files, strict=True):
        try:
            save_file(shard, file, metadata={"format": "pt"})
        except SafetensorError as error:
            raise OSError(f"{file} could not be written: {error}") from error
        file.chmod(0o644)
    return files


def dump(path: Path, values: Mapping[str, Any]) -> None:
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
