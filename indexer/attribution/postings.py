"""Where does this fingerprint occur? A sorted table on disk, memory-mapped, looked up many at a time.

An entry is 32 bits of the hash and a corpus line number. Entries are sorted and cut into buckets by the
hash's top bits, which therefore need not be stored: with 2**20 buckets 52 bits decide, at 8 bytes an entry.
A fingerprint of too many unrelated packages has one entry with the line STOP: it is common idiom, and
knowing that is worth as much as knowing a place.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.attribution.catalogue import NO_LINE, mapped
from indexer.attribution.tokens import Ids, Places

STOP = NO_LINE


@dataclass(frozen=True, slots=True)
class Limits:
    """How many entries one hash may have."""

    places: int  # that are kept
    groups: int  # unrelated packages after which it is common idiom


FINGERPRINTS = Limits(places=8, groups=10)

Lines = npt.NDArray[np.uint32]
Hides = Callable[[Lines], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Postings:
    """The table of one form of fingerprint."""

    starts: Lines  # uint32[2**bits + 1]: where each bucket begins
    keys: npt.NDArray[np.uint32]
    lines: Lines
    hides: Hides | None = None  # tells which lines are not to be found

    @property
    def bits(self) -> int:
        return (len(self.starts) - 1).bit_length() - 1

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, hashes: Ids) -> tuple[npt.NDArray[np.intp], Lines]:
        """Every occurrence of every hash, in the order of the hashes: which hash, and its line or STOP.

        A binary search of all of them in step; occurrences.py asks rows.c for the same where that was compiled.
        """
        at, first, counts = self._runs(hashes)
        before = np.cumsum(counts) - counts
        places = np.arange(counts.sum()) + np.repeat(first - before, counts)
        at, lines = np.repeat(at, counts), self.lines[places]
        if self.hides is None:
            return at, lines
        shown = ~self.hides(lines)
        return at[shown], lines[shown]

    def _runs(self, hashes: Ids) -> tuple[Places, Places, Places]:
        """Which hashes are there, where the entries of each begin, and how many they are."""
        buckets, keys = _split(hashes, self.bits)
        low = self.starts[buckets].astype(np.intp)
        end = np.minimum(self.starts[buckets + 1], np.uint32(len(self.keys))).astype(np.intp)
        # Only hashes whose bucket has entries go on.
        at = np.flatnonzero(low < end)
        low, end, keys = low[at], end[at], keys[at]
        first = self._bound(low, end, keys, np.less)
        # Few are there at all; where their entries end is asked of them alone.
        there = np.flatnonzero(first < end)
        there = there[self.keys[first[there]] == keys[there]]
        at, first, end, keys = at[there], first[there], end[there], keys[there]
        return at, first, self._bound(first, end, keys, np.less_equal) - first

    def _bound(
        self,
        low: npt.NDArray[np.intp],
        high: npt.NDArray[np.intp],
        keys: npt.NDArray[np.uint32],
        passes: np.ufunc,
    ) -> npt.NDArray[np.intp]:
        """For each key the first entry from `low` up to `high` that no longer passes the comparison with it."""
        for _ in range(int((high - low).max(initial=0)).bit_length()):
            middle = (low + high) >> 1
            open_ = low < high
            passed = open_ & passes(self.keys[np.minimum(middle, len(self.keys) - 1)], keys)
            low = np.where(passed, middle + 1, low)
            high = np.where(open_ & ~passed, middle, high)
        return low


def _split(hashes: Ids, bits: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint32]]:
    buckets = (hashes >> np.uint64(64 - bits)).astype(np.intp)
    keys = (hashes >> np.uint64(32 - bits)).astype(np.uint32)
    return buckets, keys


def write(
    folder: Path,
    name: str,
    ranges: Iterable[tuple[Ids, Lines]],
    groups_of: Callable[[Lines], npt.NDArray[Any]],
    *,
    entries: int,
    limits: Limits = FINGERPRINTS,
) -> int:
    """Writes a table of at most so many entries; returns how many hashes were stopped as common idiom.

    The ranges come in the order of their hashes, no hash is in two of them, and a range fits into memory.
    `groups_of` tells which group of related packages a line belongs to.
    """
    bits = max(8, entries.bit_length() - 5)
    counts = np.zeros((1 << bits) + 1, np.uint32)
    stopped = 0
    with (
        (folder / f"{name}.keys").open("wb") as keys,
        (folder / f"{name}.lines").open("wb") as places,
    ):
        for hashes, lines in ranges:
            kept, lines = _kept(hashes >> np.uint64(32 - bits), lines, groups_of, limits)
            kept.astype(np.uint32).tofile(keys)
            lines.tofile(places)
            stopped += int((lines == STOP).sum())
            buckets = (kept >> np.uint64(32)).astype(np.intp)
            if len(buckets):
                found = np.bincount(buckets - buckets[0])
                counts[buckets[0] + 1 : buckets[0] + 1 + len(found)] += found.astype(np.uint32)
    np.cumsum(counts, dtype=np.uint32).tofile(folder / f"{name}.starts")
    return stopped


def _kept(
    hashes: Ids, lines: Lines, groups_of: Callable[[Lines], npt.NDArray[Any]], limits: Limits
) -> tuple[Ids, Lines]:
    """Sorted entries: of a hash its first places, or STOP alone."""
    order = np.argsort(hashes, kind="stable")
    hashes, lines = hashes[order], lines[order]
    first = np.ones(len(hashes), bool)
    first[1:] = hashes[1:] != hashes[:-1]
    starts = np.flatnonzero(first)
    sizes = np.diff(starts, append=len(hashes))
    number = np.repeat(np.arange(len(starts)), sizes)
    often = np.flatnonzero((sizes >= limits.groups)[number])  # few: only these can be common idiom
    pairs = np.unique(np.stack([number[often], groups_of(lines[often]).astype(np.intp)]), axis=1)
    stopped = (np.bincount(pairs[0], minlength=len(starts)) >= limits.groups)[number]
    rank = np.arange(len(hashes)) - starts[number]
    keep = np.where(stopped, rank == 0, rank < limits.places)
    return hashes[keep], np.where(stopped, np.uint32(STOP), lines)[keep]


def read(folder: Path, name: str, hides: Hides | None = None) -> Postings:
    """The table in a folder, mapped, not loaded; an empty one where there is none of this name."""
    if not (folder / f"{name}.starts").is_file():
        none = np.zeros(0, np.uint32)
        return Postings(np.zeros(257, np.uint32), none, none)
    starts, keys, lines = (
        mapped(folder / f"{name}.{part}", np.dtype(np.uint32))
        for part in ("starts", "keys", "lines")
    )
    return Postings(starts, keys, lines, hides)
