"""What is asked for, and everything that can be refused: before the first byte is written."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.home import corpus_folder
from indexer.shards import MANIFEST
from trainer.release import gguf_file, precision
from trainer.release.licences import Licence, licence_text
from trainer.release.records import CorpusRecord, corpus_record, evaluations
from trainer.release.source import (
    ReleaseError,
    Source,
    WeightFacts,
    check_weights,
    extra_files,
    read_source,
    weights_hash,
)
from trainer.release.sums import SUMS, differences

Say = Callable[[str], None]
_BITS = {"f32": 32, "bf16": 16, "f16": 16, "q8_0": 8.5}  # of one weight in a GGUF file


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be released, and how."""

    checkpoint: Path
    out: Path
    licence: Licence
    licence_text: Path | None = None
    float32: bool = False  # else as trained
    gguf: tuple[str, ...] = ()
    int8: bool = False
    corpus: Path | None = None  # None: the data folder's, if it is the right one
    recipe: Path | None = None
    evaluations: tuple[Path, ...] = ()
    sample: Path | None = None
    measure: bool = True
    contact: str = ""
    publisher: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """Everything that was read before the first byte is written."""

    source: Source
    facts: WeightFacts
    hash: str
    gguf: gguf_file.GgufPlan | None
    corpus: CorpusRecord | None
    evaluations: Mapping[str, Any]
    licence_text: str
    sample: precision.Sample | None
    not_measured: str
    extras: tuple[Path, ...]


def check_out(wish: Wish) -> None:
    """Refuse a place that holds something, unless it is a release of ours and may be replaced."""
    out = wish.out.resolve()
    checkpoint = wish.checkpoint.resolve()
    if out == checkpoint or out in checkpoint.parents or checkpoint in out.parents:
        raise ReleaseError(
            f"{out} and the checkpoint lie in one another: name another folder with --out"
        )
    if not out.exists():
        return
    if not out.is_dir():
        raise ReleaseError(f"{out} is a file: name a folder with --out")
    if not any(out.iterdir()):
        return
    if not wish.force:
        raise ReleaseError(f"{out} exists already: name another folder, or replace it with --force")
    if not (out / SUMS).is_file():
        raise ReleaseError(f"{out} is no release, so --force does not replace it: move it away")
    strange = [each for each in differences(out) if each.startswith(("not listed", "changed"))]
    if strange:
        raise ReleaseError(
            f"{out} holds what no release wrote ({strange[0]}), so --force does not replace it: "
            "move it away"
        )


def check(wish: Wish, say: Say) -> Checked:
    source = read_source(wish.checkpoint)
    facts = check_weights(source)
    plan = gguf_file.plan(source) if wish.gguf else None
    corpus = _corpus(wish, source, say)
    sample, why_not = None, "as asked for"
    if wish.measure:
        forms = len(wish.gguf) + wish.int8 + wish.float32
        why_not = _too_large(facts.parameters, forms)
        sample = None if why_not else precision.sample_of(wish.sample)
    checked = Checked(
        source=source,
        facts=facts,
        hash=weights_hash(source),
        gguf=plan,
        corpus=corpus,
        evaluations=evaluations(source, wish.evaluations),
        licence_text=licence_text(wish.licence, wish.licence_text),
        sample=sample,
        not_measured=why_not,
        extras=tuple(extra_files(source)),
    )
    _check_room(wish, facts)
    return checked


def _corpus(wish: Wish, source: Source, say: Say) -> CorpusRecord | None:
    if wish.corpus is not None:
        return corpus_record(source, wish.corpus, wish.recipe)
    folder = corpus_folder()
    if not (folder / MANIFEST).is_file():
        say("no corpus at hand: the data card will say so (--corpus FOLDER)")
        return None
    try:
        return corpus_record(source, folder, wish.recipe)
    except ReleaseError as error:
        say(f"the data card will do without a corpus: {error}")
        return None


def _too_large(parameters: int, forms: int) -> str:
    """Why the memory of this machine does not hold the models that would be compared, or ""."""
    needed = 4 * parameters * (1 + forms)
    try:
        held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return ""
    if needed < 0.8 * held:
        return ""
    return f"it takes {needed / 1e9:.0f} GB of memory and this machine has {held / 1e9:.0f}"


def _check_room(wish: Wish, facts: WeightFacts) -> None:
    """Better now than after an hour of writing."""
    bits = sum(_BITS[each] for each in wish.gguf) + 8 * wish.int8
    needed = int(facts.parameters * bits / 8) + (
        4 * facts.parameters if wish.float32 else facts.bytes
    )
    place = wish.out.resolve().parent
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed > free:
        raise ReleaseError(
            f"the release needs about {needed / 1e6:,.0f} MB, {place} has {free / 1e6:,.0f} MB: "
            "make room or name another folder with --out"
        )
