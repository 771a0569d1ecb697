"""What a fine-tuned model came from, so that the chain can be checked: weights, words, corpora."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.checkpoint import ABOUT, CONFIG, TOKENIZER, sha256_of
from indexer.shards import Manifest
from trainer import checkpoints

_STATE = "state.json"
_SETTINGS = "tokenizer_config.json"
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """The start of a run, by name and hashes."""

    path: Path
    name: str
    hash: str  # of the weights
    tokenizer: str  # hash of tokenizer.json; empty: not known
    corpus: dict[str, str]  # as footnote.json has it: name, hash, recipe_hash, parts, part_recipes


def resolve(path: Path) -> Path:
    """The checkpoint or model folder meant by a path; of a run, the checkpoint before the decay.

    ValueError when there is none.
    """
    path = path.expanduser().resolve()
    if (path / _STATE).is_file():
        _check_whole(path)
        return path
    if (path / CONFIG).is_file():
        return path
    if (path / checkpoints.STABLE / _STATE).is_file():
        found = path / checkpoints.STABLE
    else:
        newest = checkpoints.latest(path) if path.is_dir() else None
        if newest is None:
            raise ValueError(
                f"{path} is no run folder with a checkpoint, no checkpoint and no model folder: "
                "name one of them with --from"
            )
        found = newest.path
    _check_whole(found)
    return found


def _check_whole(path: Path) -> None:
    """Adapters alone are no model to start from."""
    if _state(path)["identity"].get("rank", "0") != "0":
        raise ValueError(
            f"{path} holds low-rank adapters alone: start from {path.parent / 'export'}, where they "
            "are merged"
        )


def _state(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads((path / _STATE).read_text(encoding="utf-8"))
        values["identity"]["tokenizer"], values["sha256"], values["history"][-1]["recipe"]["name"]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"the checkpoint {path} cannot be used ({error})") from error
    return values


def origin_of(path: Path) -> Origin:
    """Who made the model in a checkpoint or model folder, and of what. ValueError when it is none."""
    if (path / _STATE).is_file():
        values = _state(path)
        name = values["history"][-1]["recipe"]["name"]
        return Origin(
            path=path,
            name=f"{name} at step {values['clock']['step']}",
            hash=values["sha256"],
            tokenizer=values["identity"]["tokenizer"],
            corpus=values.get("corpus_record") or {"hash": values["identity"]["corpus"]},
        )
    try:
        about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        about = {}
    except (OSError, ValueError) as error:
        raise ValueError(f"{path / ABOUT} is damaged ({error}): copy the folder again") from error
    weights = dict(about.get("weights", {})) or {
        file.name: sha256_of(file) for file in sorted(path.glob("*.safetensors"))
    }
    if not weights:
        raise ValueError(f"{path} holds no safetensors: copy the whole model folder")
    tokenizer = path / TOKENIZER
    return Origin(
        path=path,
        name=str(about.get("name") or path.name),
        hash=_together(weights.values()),
        tokenizer=sha256_of(tokenizer) if tokenizer.is_file() else "",
        corpus={key: str(value) for key, value in dict(about.get("corpus", {})).items()},
    )


def _together(hashes: Iterable[str]) -> str:
    """One hash for several; a single one is its own."""
    ordered = sorted(set(hashes))
    if len(ordered) == 1:
        return ordered[0]
    return hashlib.sha256("\n".join(ordered).encode()).hexdigest()


def corpus_record(manifest: Manifest, origin: Origin | None) -> dict[str, str]:
    """What footnote.json says a model learned from: all corpora of the chain, never only the last.

    Several corpora have a hash of their own, over theirs, so that no index of one of them is taken
    for an index of all; `parts` and `part_recipes` name each.
    """
    last = {
        "name": manifest.name,
        "hash": manifest.corpus_hash,
        "recipe_hash": manifest.recipe_hash,
    }
    if origin is None:
        return last
    before = origin.corpus
    parts = before.get("parts", before.get("hash") or _UNKNOWN).split()
    if parts == [manifest.corpus_hash]:
        return last
    recipes = before.get("part_recipes", before.get("recipe_hash", "")).split()
    if manifest.corpus_hash in parts:
        names = [before.get("name", _UNKNOWN)]
    else:
        names = [before.get("name") or f"corpus {parts[0][:12]}", manifest.name]
    together = list(dict.fromkeys([*parts, manifest.corpus_hash]))
    return {
        "name": " + ".join(names),
        "hash": _together(together),
        "recipe_hash": "",
        "parts": " ".join(together),
        "part_recipes": " ".join(dict.fromkeys([*recipes, *manifest.recipe_hash.split()])),
    }


def tokenizer_beside(origin: Origin, candidates: Iterable[Path]) -> Path:
    """The folder with the vocabulary that a model was trained with; ValueError when none has it."""
    places = [origin.path, origin.path.parent / "export", *candidates]
    for folder in places:
        file = folder / TOKENIZER
        whole = file.is_file() and (folder / _SETTINGS).is_file()
        if whole and origin.tokenizer in ("", sha256_of(file)):
            return folder
    raise ValueError(
        f"no tokenizer with the hash {origin.tokenizer[:12]} that {origin.name} was trained with: "
        "give its folder with --tokenizer"
    )


def check_tokenizer(origin: Origin, folder: Path) -> None:
    """ValueError when it is not the tokenizer that the start was trained with."""
    file = folder / TOKENIZER
    for each in (file, folder / _SETTINGS):  # the export needs both, at the end of a long run
        if not each.is_file():
            raise FileNotFoundError(
                f"{each} is missing: name a tokenizer's folder with --tokenizer"
            )
    if origin.tokenizer and sha256_of(file) != origin.tokenizer:
        raise ValueError(
            f"the tokenizer in {folder} is not the one that {origin.name} was trained with "
            f"({origin.tokenizer[:12]}): its tokens would mean something else; leave out "
            "--tokenizer, or give the right one"
        )
