"""Parts become one index: files numbered through, blocks put one behind the other, tables merged by ranges.

The tables are far larger than the rest, so of each only a range of hashes is in memory at a time.
"""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.attribution import catalogue, postings, text_store
from indexer.attribution.candidates import ChunkWriter
from indexer.attribution.parts import Part
from indexer.attribution.postings import Lines
from indexer.attribution.tokens import Ids

_RANGE_ENTRIES = 400_000


@dataclass(frozen=True, slots=True)
class Totals:
    """What the parts hold together."""

    documents: int
    packages: int
    bytes: int
    lines: int
    left_out: dict[int, tuple[int, int]]


def merge_files(parts: Sequence[Part], folder: Path, store: str) -> Totals:
    """Writes catalogue and blocks of all parts into an index folder."""
    packages: dict[tuple[str, str], catalogue.Package] = {}
    numbers: dict[tuple[str, str], int] = {}
    licenses: dict[str, int] = {}
    languages: dict[str, int] = {}
    tables: list[npt.NDArray[Any]] = []
    sizes: list[npt.NDArray[np.uint64]] = []
    left_out: Counter[tuple[int, int]] = Counter()
    line = block = 0
    with (folder / f"{store}.blocks").open("wb") as blocks:
        for part in parts:
            files = part.files
            of_package = [
                numbers.setdefault((each.name, each.version), len(numbers))
                for each in part.packages
            ]
            for each in part.packages:
                packages[each.name, each.version] = _sum(
                    packages.get((each.name, each.version)), each
                )
            files["package"] = _renumbered(files["package"], of_package)
            files["license"] = _renumbered(files["license"], _numbers(licenses, part.licenses))
            files["language"] = _renumbered(files["language"], _numbers(languages, part.languages))
            files["first_line"] += np.uint32(line)
            files["block"] += np.uint32(block)
            line += part.lines
            sizes.append(part.block_sizes)
            block += len(sizes[-1])
            tables.append(files)
            for number, (documents, size) in part.left_out.items():
                left_out[number, 0] += documents
                left_out[number, 1] += size
            with (part.folder / "blocks").open("rb") as source:
                shutil.copyfileobj(source, blocks, 1 << 20)
    if line >= postings.STOP:
        raise ValueError("the corpus has more lines than a table of places can number: split it")
    text_store.write_ends(folder, store, np.concatenate([np.zeros(0, np.uint64), *sizes]))
    files = np.concatenate([np.zeros(0, catalogue.FILE_COLUMNS), *tables])
    catalogue.write(
        folder,
        files=files,
        paths=[path for part in parts for path in part.paths],
        packages=list(packages.values()),
        licenses=list(licenses),
        languages=list(languages),
    )
    of_removal = {number for number, _ in left_out}
    return Totals(
        documents=len(files),
        packages=len(packages),
        bytes=sum(part.bytes for part in parts),
        lines=line,
        left_out={number: (left_out[number, 0], left_out[number, 1]) for number in of_removal},
    )


def _numbers(known: dict[str, int], names: Sequence[str]) -> list[int]:
    return [known.setdefault(name, len(known)) for name in names]


def _renumbered(column: npt.NDArray[Any], numbers: Sequence[int]) -> npt.NDArray[Any]:
    renumbered: npt.NDArray[Any] = np.array(numbers or [0], column.dtype)[column]
    return renumbered


def _sum(known: catalogue.Package | None, more: catalogue.Package) -> catalogue.Package:
    """A package that several parts have files of."""
    if known is None:
        return more
    return catalogue.Package(
        known.name, known.version, known.kind, known.license, known.url,
        known.files + more.files, known.bytes + more.bytes,
    )  # fmt: skip


def merge_table(name: str, parts: Sequence[Part], folder: Path) -> int:
    """Writes one table of all parts; the catalogue is there. Returns how many hashes are common idiom."""
    first_lines = np.array(_first_lines(parts), np.uint32)
    tables = [part.table(name) for part in parts]
    entries = sum(len(hashes) for hashes, _ in tables)
    return postings.write(
        folder,
        name,
        _ranges(tables, first_lines, entries),
        partial(_families, catalogue.Catalogue(folder)),
        entries=entries,
    )


def merge_names(parts: Sequence[Part], folder: Path) -> None:
    """Writes the names of all parts' passages."""
    writer = ChunkWriter(folder / "chunks")
    for part, first in zip(parts, _first_lines(parts), strict=True):
        writer.add((first + line, names) for line, names in part.chunks())
    writer.close()


def _first_lines(parts: Sequence[Part]) -> list[int]:
    return list(accumulate((part.lines for part in parts[:-1]), initial=0))[: len(parts)]


def _families(files: catalogue.Catalogue, lines: Lines) -> npt.NDArray[Any]:
    return files.families[files.files_of_lines(lines)]


def _ranges(
    tables: Sequence[tuple[Ids, Lines]], first_lines: Lines, entries: int
) -> Iterator[tuple[Ids, Lines]]:
    """The entries of all tables, in ranges of their hashes."""
    bits = min(8, (entries // _RANGE_ENTRIES).bit_length())
    borders = np.arange(1, 1 << bits, dtype=np.uint64) << np.uint64(64 - bits if bits else 0)
    cuts = [[0, *np.searchsorted(hashes, borders).tolist(), len(hashes)] for hashes, _ in tables]
    for number in range(1 << bits):
        hashes, lines = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint32)]
        for (part_hashes, part_lines), cut, first in zip(tables, cuts, first_lines, strict=True):
            inside = slice(cut[number], cut[number + 1])
            hashes.append(np.asarray(part_hashes[inside]))
            lines.append(part_lines[inside] + first)
        yield np.concatenate(hashes), np.concatenate(lines)
