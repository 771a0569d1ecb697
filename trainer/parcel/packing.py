"""Packs a parcel: everything that a run needs, in journeys that each fit through the door."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import engine
import indexer
import trainer
from indexer.home import held_out_folder
from indexer.shards import CorpusUnavailable, open_shards
from trainer.config import RECIPES, load_recipe
from trainer.parcel.blocks import PackedCorpus, Say, pack_corpus
from trainer.parcel.homeward import newest_checkpoint
from trainer.parcel.journeys import LIST, distribute, summary
from trainer.parcel.parts import cut
from trainer.parcel.wheels import IMPORTS, fetch_wheels
from trainer.vocabulary import layout_in, load, tokenizer_hash

_FORMAT = 1
_PACKAGES = (engine, indexer, trainer)
# Bytes that are kept for what is small. They depend on nothing, so that the same journeys always
# take the same part of a corpus: a run can be gone on with on no other.
_SMALL = 4_000_000
_HELD_OUT = 1_800_000  # of these, at most; enough for a figure on the spot
_UNFILLED = 5_000_000  # of every journey but the last: a block of the corpus that does not fit
_PART = 14 << 20  # of a checkpoint: smaller pieces fill journeys better
_OLDEST = (1980, 1, 1, 0, 0, 0)  # the first date of a zip; a parcel is the same every time


@dataclass(frozen=True, slots=True)
class Contents:
    """What is to travel."""

    recipe: str  # a name, or a file.toml
    changes: tuple[str, ...]
    corpus: Path
    tokenizer: Path
    environment: Mapping[str, str]  # that the trainer's process is to have
    resume: Path | None = None  # run folder to go on with
    start: Path | None = None  # model folder whose weights a new run begins with
    wheels: tuple[str, ...] | None = None  # None: none travel; empty: all that training needs
    python: str = "3.12"  # of the other machine, for the wheels


def pack(what: Contents, out: Path, *, journey_bytes: int, journeys: int, say: Say) -> str:
    """Write `out`/1, `out`/2 and so on, whole or not at all; returns what was packed, as text.

    The corpus fills so many journeys; wheels and weights may take more of them. ValueError,
    RecipeError, NoRoom and CorpusUnavailable say what to change.
    """
    recipe = load_recipe(what.recipe, what.changes)
    load(what.tokenizer, layout_in(what.tokenizer), entries=recipe.model.vocabulary)
    if out.exists() and not (out / "1" / LIST).is_file():
        raise ValueError(f"{out} is there and is no parcel: give --out a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        files = staging / "files"
        files.mkdir()
        room = journey_bytes * journeys - _SMALL - _UNFILLED * (journeys - 1)
        listed = _fill(what, files, room, min(_PART, journey_bytes // 3), say)
        distribute(files, staging, listed, journey_bytes)
        files.rmdir()
        staging.chmod(0o755)
        if out.exists():
            out.replace(staging / "old")
        staging.replace(out)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    shutil.rmtree(out / "old", ignore_errors=True)
    return summary(listed, out, journey_bytes)


def _fill(what: Contents, files: Path, room: int, part_bytes: int, say: Say) -> dict[str, Any]:
    """Everything into one folder, what is small first; returns the list without hashes."""
    listed: dict[str, Any] = {
        "format": _FORMAT,
        "changes": list(what.changes),
        "environment": dict(what.environment),
        "imports": IMPORTS,
        "source": "source.zip",
        "recipe": _recipe(what.recipe, files),
    }
    _zip_source(files / "source.zip")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(what.tokenizer / name, files / name)
    if what.wheels is not None:
        say("fetching wheels with pip")
        fetch_wheels(files, what.wheels, what.python)
    if what.resume:
        checkpoint = newest_checkpoint(what.resume)
        if not checkpoint:
            raise ValueError(f"{what.resume} holds no checkpoint: name a run folder with --resume")
        say("compressing the checkpoint")
        listed["resume"] = cut("resume", checkpoint, files, part_bytes)
    if what.start:
        start = {f"start/{e.name}": e for e in sorted(what.start.iterdir()) if e.is_file()}
        say("compressing the weights to start from")
        listed["start"] = cut("start", start, files, part_bytes)
    held_out = _held_out(files, say)
    if held_out:
        listed["held-out"] = _named(held_out)
    listed["corpus"] = _named(pack_corpus(what.corpus, files / "corpus", room, say))
    if what.resume:
        _check_same(listed, what)
    return listed


def _check_same(listed: Mapping[str, Any], what: Contents) -> None:
    """A run goes on with what it was begun with only; better said here than there."""
    assert what.resume is not None
    states = [each for name, each in newest_checkpoint(what.resume).items() if "state.json" in name]
    begun = json.loads(states[0].read_text(encoding="utf-8"))["identity"]
    if "start" in begun:
        raise ValueError(
            f"{what.resume} began with other weights, which do not travel: begin with its own, --from"
        )
    now = {
        "corpus": listed["corpus"]["corpus_hash"],
        "tokenizer": tokenizer_hash(what.tokenizer),
    }
    for name, value in now.items():
        if begun.get(name) != value:
            raise ValueError(
                f"{what.resume} was trained with another {name} than would travel: give the same "
                "--megabytes, --journeys and --tokenizer as before, or begin with its weights, --from"
            )


def _named(packed: PackedCorpus) -> dict[str, Any]:
    return {**packed.about, "files": [each.name for each in packed.files]}


def _recipe(name: str, files: Path) -> str:
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    shutil.copyfile(path, files / path.name)
    return path.name


def _held_out(files: Path, say: Say) -> PackedCorpus | None:
    """Some of the files that are never trained on; none where there are none."""
    try:
        open_shards(held_out_folder())
    except CorpusUnavailable:
        say("no held-out files are here, so none travel: bits per byte are not measured there")
        return None
    return pack_corpus(held_out_folder(), files / "held-out", _HELD_OUT, say)


def _zip_source(path: Path) -> None:
    """Our own code as it is here, without weights; the same bytes for the same tree."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for package in _PACKAGES:
            root = Path(str(package.__file__)).parent
            for file in sorted(root.rglob("*")):
                inside = file.relative_to(root.parent)
                if (
                    file.is_file()
                    and "__pycache__" not in inside.parts
                    and "models" not in inside.parts
                ):
                    entry = zipfile.ZipInfo(inside.as_posix(), _OLDEST)
                    archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
