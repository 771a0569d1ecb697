"""What is not to be reported any more: removals, noted beside the files of an index and obeyed when it is opened.

The index itself stays as it is; the next build or compaction leaves the files out for good and keeps the note.
"""

import fnmatch
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.attribution import schema
from indexer.attribution.catalogue import Catalogue
from indexer.attribution.schema import NOTES


@dataclass(frozen=True, slots=True)
class Removal:
    """A package, or the files of it (`*`: of any) whose path fits a pattern."""

    package: str
    path: str = "*"
    day: str = ""  # on which it was asked for

    def covers(self, package: str, path: str) -> bool:
        named = self.package == "*" or self.package.lower() == package.lower()
        return named and fnmatch.fnmatchcase(path, self.path)


def covering(removals: Iterable[Removal], package: str, path: str) -> Removal | None:
    """The first removal that covers a file, if one does."""
    return next((each for each in removals if each.covers(package, path)), None)


def read_removals(folder: Path) -> tuple[Removal, ...]:
    """What was removed from an index. Raises ValueError or OSError when the note is there but not legible."""
    try:
        raw = json.loads((folder / NOTES).read_text("utf-8"))
        return tuple(Removal(**each) for each in raw["removed"])
    except FileNotFoundError:
        return ()
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{NOTES} is damaged") from error


def write_removals(folder: Path, removals: Iterable[Removal]) -> None:
    """Replaces the note in one step."""
    listed = [asdict(each) for each in dict.fromkeys(removals)]
    part = folder / f"{NOTES}.{os.getpid()}.part"
    part.write_text(json.dumps({"removed": listed}, indent=1) + "\n", "utf-8")
    part.replace(folder / NOTES)


def add_removals(folder: Path, removals: Iterable[Removal]) -> tuple[Removal, ...]:
    """Notes removals; returns those that were not noted before."""
    known = read_removals(folder)
    places = {(each.package, each.path) for each in known}
    added = tuple(each for each in removals if (each.package, each.path) not in places)
    if added:
        write_removals(folder, (*known, *added))
    return added


def remove(folder: Path, removal: Removal) -> int:
    """Removes files from an index for whoever opens it from now on; returns how many there were to remove.

    Raises IndexUnavailable.
    """
    known, removals = _opened(folder)
    hidden = hidden_files(known, removals)
    count = int((hidden_files(known, [removal]) & ~hidden).sum())
    if count:
        add_removals(folder, [removal])
    return count


def restore(folder: Path, removal: Removal) -> int:
    """Takes a removal back; returns how many files are found again. What was deleted needs a new build."""
    known, removals = _opened(folder)
    kept = [
        each for each in removals if (each.package, each.path) != (removal.package, removal.path)
    ]
    if len(kept) < len(removals):
        write_removals(folder, kept)
    return int((hidden_files(known, removals) & ~hidden_files(known, kept)).sum())


def _opened(folder: Path) -> tuple[Catalogue, tuple[Removal, ...]]:
    schema.verify(folder, schema.read_info(folder))
    try:
        return Catalogue(folder), read_removals(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise schema.damaged(folder, error) from error


def hidden_files(catalogue: Catalogue, removals: Iterable[Removal]) -> npt.NDArray[np.bool_]:
    """For each file of an index whether a removal covers it."""
    hidden = np.zeros(len(catalogue), bool)
    names = [each.name.lower() for each in catalogue.all_packages]
    for each in removals:
        named = np.array(
            [each.package in ("*", name) or each.package.lower() == name for name in names], bool
        )
        inside = named[catalogue.package_numbers] if len(names) else hidden
        if each.path == "*":
            hidden |= inside
        else:
            for number in np.flatnonzero(inside & ~hidden).tolist():
                hidden[number] = fnmatch.fnmatchcase(catalogue.path(number), each.path)
    return hidden
