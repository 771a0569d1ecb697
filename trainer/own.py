"""One's own files in a run folder: shards to train on, and shards held out to measure on."""

import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.curation.folders import Gathered, gather
from indexer.curation.minhash import near_duplicates, signature
from indexer.curation.parameters import Parameters
from indexer.document import Document
from indexer.shards import MANIFEST, open_shards, write_shards

SHARE = 0.08  # of the files of a language
_FEWEST, _OF = 3, 3  # held out at least so many, but never more than one file in so many
DROPPED = "dropped.jsonl"  # beside the shards: every file that was passed over, and why


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One's own files as they were when the run began."""

    training: Path
    held_out: Path
    name: str
    held_out_files: int
    said: str  # what was taken and what was dropped, for people


def snapshot(
    paths: Sequence[Path],
    languages: Sequence[str],
    folder: Path,
    *,
    fresh: bool,
    seen: Callable[[int], None] = lambda _: None,
) -> Snapshot:
    """Write the files under `paths` as shards in a run folder; or, unless `fresh`, open those there.

    Raises NothingToRead, CorpusUnavailable, and ValueError when the run folder was made for others.
    """
    training, held_out = folder / "corpus", folder / "held-out"
    asked = asked_for(paths, languages)
    if not fresh and (training / MANIFEST).is_file():
        manifest = open_shards(training)
        meta = manifest.meta
        if meta.get("asked") != asked:
            raise ValueError(
                f"{folder} was begun with other folders or languages: give --run a new folder, or "
                "remove this one"
            )
        files = open_shards(held_out).documents
        return Snapshot(training, held_out, manifest.name, files, str(meta["said"]))
    found = gather(paths, languages=languages, looked_at=seen)
    learned, kept_back = hold_out(found.documents)
    said = describe(found, learned, kept_back)
    names = sorted({each.package for each in found.documents})
    meta = {
        "name": "-".join(names[:3]) + (f"-and-{len(names) - 3}-more" if names[3:] else ""),
        "recipe_hash": "",
        "selection": "full",
        "asked": asked,
        "said": said,
    }
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".own-", dir=folder))
    try:
        _list_dropped(scratch / DROPPED, found)
        # The held-out part first: where it is written, the other half of the work is whole too.
        write_shards(held_out, kept_back, meta=meta)
        write_shards(training, learned, meta={**meta, "attachments": {DROPPED: scratch / DROPPED}})
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Snapshot(training, held_out, str(meta["name"]), len(kept_back), said)


def asked_for(paths: Sequence[Path], languages: Sequence[str]) -> str:
    """A hash of what was asked for; the run folder need not hold anybody's paths."""
    places = sorted(str(each.expanduser().resolve()) for each in paths)
    return hashlib.sha256(json.dumps([places, sorted(languages)]).encode()).hexdigest()


def _list_dropped(path: Path, found: Gathered) -> None:
    lines = (
        json.dumps({"path": e.path, "bytes": e.bytes, "reason": e.reason, "detail": e.detail})
        for e in found.dropped
    )
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def hold_out(documents: Sequence[Document]) -> tuple[list[Document], list[Document]]:
    """The files to train on, and those to measure on: by content hash, some of each language.

    A file that resembles one that is trained on (MinHash, Jaccard 0.7) is trained on as well: to
    know it would be no merit. A language of one or two files has none to spare.
    """
    back: set[str] = set()
    for language in {each.language for each in documents}:
        mine = sorted(each.sha256 for each in documents if each.language == language)
        wanted = max(_FEWEST, math.ceil(SHARE * len(mine)))
        back.update(mine[: min(wanted, len(mine) // _OF)])
    parameters = Parameters()
    marks = {each.sha256: signature(each.text, parameters) for each in documents}
    while back:
        known = sorted(name for name, mark in marks.items() if mark is not None)
        order = [name for name in known if name not in back]
        first = len(order)
        order += [name for name in known if name in back]
        near = near_duplicates(
            np.array([marks[name] for name in order]),
            parameters,
            skip=[False] * len(order),
            always=[number < first for number in range(len(order))],
        ) if order else {}  # fmt: skip
        alike = {order[row] for row, found in near.items() if found.kept < first}
        if not alike:
            break
        back -= alike
    learned = [each for each in documents if each.sha256 not in back]
    return learned, [each for each in documents if each.sha256 in back]


def describe(found: Gathered, learned: Sequence[Document], back: Sequence[Document]) -> str:
    """What was taken, held out and dropped, in a few lines."""
    lines = [f"own files: {_amount(learned)} to train on, {_by_language(learned)}"]
    if back:
        lines.append(
            f"  held out {_amount(back)}, by content hash and unlike all that is trained on: "
            "before and after are measured on them"
        )
    else:
        lines.append(
            "  held out none: too few files, or all alike; nothing can be measured on them"
        )
    for reason, (count, size) in found.reasons().items():
        lines.append(f"  left out {count} {reason}" + (f" ({size / 1e6:.2f} MB)" if size else ""))
    if found.redactions:
        counts = ", ".join(f"{count} {kind}" for kind, count in found.redactions.items())
        lines.append(f"  replaced {counts}: addresses and secrets are not learned")
    lines.extend(
        f"  git knows nothing of {Path(folder).name}: what it ignores is not known"
        for folder in found.without_git
    )
    return "\n".join(lines)


def _amount(documents: Sequence[Document]) -> str:
    return f"{len(documents)} files ({sum(each.size for each in documents) / 1e6:.2f} MB)"


def _by_language(documents: Sequence[Document]) -> str:
    counts: dict[str, int] = {}
    for each in documents:
        counts[each.language] = counts.get(each.language, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {language}" for language, count in ordered)
