"""How much was to be expected of code? A table of the short runs of tokens that several packages write alike.

What everybody writes is foreseen token by token from the few before it, however rare each name may be; a copy is
not. The table was counted over packages of the corpus, by `footnote eval attribution --fit`, as that of rarity.py.
"""

from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from indexer.attribution.compiled_rows import compiled, told
from indexer.attribution.fingerprints import grams
from indexer.attribution.rarity import bits_of
from indexer.attribution.tokens import Ids

TABLE = "phrases.npz"
LENGTHS = (2, 3, 4, 5, 6)  # tokens
FEWEST = 3  # packages that have a phrase of the table
_ANYWHERE = 128.0  # packages that a pair of tokens is compared with
_STEP = 0xFFFF  # from one entry of the table to the next, at most

Counts = npt.NDArray[np.float64]


class Foreseen(NamedTuple):
    """How far each token of a row follows from those before it."""

    bits: Counts  # that it says beyond them
    run: Counts  # tokens of the longest phrase that ends with it: 1 where none does


def foreseen(ids: Ids) -> Foreseen:
    """What each of these tokens says beyond those before it; the longest phrases and the most common decide."""
    here = _packages(ids)
    before = np.ones_like(here)
    before[0] = _ANYWHERE
    before[1:, 1:] = here[:-1, :-1]
    known = here > 0
    here = np.maximum(here, 1.0)
    said = np.where(known, np.log2(np.maximum(before, here) / here), np.inf)
    run = np.where(known, np.array(LENGTHS, np.float64)[:, None], 1.0)
    return Foreseen(np.minimum(bits_of(ids), said.min(axis=0)), run.max(axis=0))


def _packages(ids: Ids) -> Counts:
    """In how many packages the phrase of each length is that ends with each token, by length and token.

    0 where few have it.
    """
    heads, packages = _table()
    library = compiled()
    if library is not None:
        return told(library, heads, packages, ids, LENGTHS).astype(np.float64)
    rows = [_heads(ids, length) for length in LENGTHS]
    asked = np.concatenate(rows)
    at = np.minimum(np.searchsorted(heads, asked), len(heads) - 1)
    found = np.where(heads[at] == asked, packages[at], 0)
    every = np.zeros((len(LENGTHS), len(ids)))
    start = 0
    for number, row in enumerate(rows):
        every[number, len(ids) - len(row) :] = found[start : start + len(row)]
        start += len(row)
    return every


def _heads(ids: Ids, length: int) -> npt.NDArray[np.uint32]:
    return (grams(ids, length) >> np.uint64(32)).astype(np.uint32)


@cache
def _table() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
    data = files("indexer.attribution").joinpath(TABLE).read_bytes()
    with np.load(BytesIO(data), allow_pickle=False) as table:
        return np.cumsum(table["steps"], dtype=np.uint32), table["packages"]


class Counter:
    """Counts in how many packages each phrase is; their code comes package by package, in any order."""

    def __init__(self) -> None:
        self._of_package: dict[str, list[npt.NDArray[np.uint32]]] = {}

    def add(self, package: str, ids: Ids) -> None:
        """Adds a row of code."""
        found = np.concatenate([_heads(ids, length) for length in LENGTHS])
        self._of_package.setdefault(package, []).append(np.unique(found))

    def write(self, to: Path) -> int:
        """Writes the table of the phrases that enough packages have; returns how many there are."""
        each = [np.unique(np.concatenate(rows)) for rows in self._of_package.values()]
        every = np.sort(np.concatenate(each)) if each else np.zeros(0, np.uint32)
        heads, counts = np.unique(every, return_counts=True)
        kept = counts >= FEWEST
        return write(heads[kept], counts[kept], to)


def write(heads: npt.NDArray[np.uint32], packages: npt.NDArray[np.intp], to: Path) -> int:
    """Writes a table: upper halves of hashes in their order; how many packages have each. Returns their number."""
    # Entries that say nothing keep the steps from one to the next small enough for two bytes.
    between = np.setdiff1d(np.arange(0, 1 << 32, _STEP, dtype=np.uint32), heads)
    at = np.searchsorted(heads, between)
    steps = np.diff(np.insert(heads, at, between), prepend=np.uint32(0)).astype(np.uint16)
    np.savez(to, steps=steps, packages=np.insert(np.minimum(packages, 255), at, 0).astype(np.uint8))
    return len(heads)
