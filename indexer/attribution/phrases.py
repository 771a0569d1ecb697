"""How much was to be expected of code? A table of the short runs of tokens that several packages write alike.

What everybody writes goes on as others have written it, however rare each name may be; a copy does not. The table
was counted over packages of the corpus and others, by `footnote eval attribution --fit`, as that of rarity.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np

from indexer.attribution.compiled_rows import Heads, Lengths, compiled, heads_of, longest
from indexer.attribution.fingerprints import grams
from indexer.attribution.tokens import Ids

TABLE = "phrases.npz"
LENGTHS = (2, 3, 4, 5, 6)  # tokens
FEWEST = 4  # packages that have a phrase of the table
_STEP = 0xFFFF  # from one entry of the table to the next, at most


@dataclass(frozen=True, slots=True)
class Phrases:
    """What many write: the upper halves of the hashes of its phrases, in their order."""

    heads: Heads

    def longest(self, ids: Ids) -> Lengths:
        """For each token of a row, how long the longest phrase is that ends with it: 1 where none does."""
        rows = compiled()
        return (
            self.longest_by_numpy(ids) if rows is None else longest(rows, self.heads, ids, LENGTHS)
        )

    def longest_by_numpy(self, ids: Ids) -> Lengths:
        """The same, where nothing was compiled."""
        longest = np.ones(len(ids), np.uint8)
        for length in LENGTHS:
            sought = heads_of(grams(ids, length))
            at = np.searchsorted(self.heads[:-1], sought)
            known = self.heads[at] == sought if len(self.heads) else np.zeros(len(sought), bool)
            longest[len(ids) - len(known) :][known] = length
        return longest


@cache
def shipped() -> Phrases:
    """Those that were counted for everybody."""
    return read(files("indexer.attribution").joinpath(TABLE).read_bytes())


def read(data: bytes) -> Phrases:
    """The table as write() left it."""
    with np.load(BytesIO(data), allow_pickle=False) as kept:
        steps = kept["low"] + (kept["high"].astype(np.uint16) << 8)
    return Phrases(np.cumsum(steps, dtype=np.uint32))


def write(phrases: Phrases, to: Path) -> None:
    """Writes a table for read()."""
    # Entries that are no phrases keep the steps from one to the next small enough for two bytes.
    between = np.arange(0, 1 << 32, _STEP, dtype=np.uint32)
    heads = np.union1d(phrases.heads, between)
    steps = np.diff(heads, prepend=np.uint32(0)).astype(np.uint16)
    # Only the high bytes can be made smaller; among low ones they would not be.
    np.savez_compressed(to, low=steps.astype(np.uint8), high=(steps >> 8).astype(np.uint8))


class Counter:
    """Counts in how many packages each phrase is; those whose code comes at a stretch are counted soonest."""

    def __init__(self) -> None:
        self._package = ""
        self._rows: list[Heads] = []
        self._of_package: dict[str, Heads] = {}

    def add(self, package: str, ids: Ids) -> None:
        """Adds a row of code."""
        if package != self._package:
            self._end()
            self._package = package
            self._rows = [self._of_package[package]] if package in self._of_package else []
        self._rows += [np.unique(heads_of(grams(ids, length))) for length in LENGTHS]

    def _end(self) -> None:
        if self._package:
            self._of_package[self._package] = np.unique(np.concatenate(self._rows))
        self._package, self._rows = "", []

    def phrases(self, which: Callable[[str], bool] = bool) -> Phrases:
        """What enough packages have, of those asked for."""
        self._end()
        kept = [each for name, each in self._of_package.items() if which(name)]
        every = np.sort(np.concatenate(kept)) if kept else np.zeros(0, np.uint32)
        heads, counts = np.unique(every, return_counts=True)
        return Phrases(heads[counts >= FEWEST])
