"""Where does this fingerprint occur? A sorted table on disk, memory-mapped, looked up many at a time.

An entry is 32 bits of the hash and a corpus line number. Entries are sorted and cut into buckets by the
hash's top bits, which therefore need not be stored: with 2**20 buckets 52 bits decide, at 8 bytes an entry.
A fingerprint of too many unrelated packages has one entry with the line STOP: it is common idiom, and
knowing that is worth as much as knowing a place.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.attribution.lexing import Ids

STOP = 0xFFFF_FFFF
MAX_PLACES = 8  # entries kept for one fingerprint
STOP_FAMILIES = 10  # unrelated packages after which a fingerprint is common idiom

Lines = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Postings:
    """The table of one form of fingerprint."""

    starts: Lines  # uint32[2**bits + 1]: where each bucket begins
    keys: npt.NDArray[np.uint32]
    lines: Lines

    @property
    def bits(self) -> int:
        return (len(self.starts) - 1).bit_length() - 1

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, hashes: Ids) -> tuple[npt.NDArray[np.intp], Lines]:
        """Every occurrence of every hash, in the order of the hashes: which hash, and its line or STOP."""
        buckets, keys = _split(hashes, self.bits)
        low = self.starts[buckets].astype(np.intp)
        end = self.starts[buckets + 1].astype(np.intp)
        # Only hashes whose bucket has entries go on; then a binary search of all of them in step.
        at = np.flatnonzero(low < end)
        low, end, keys = low[at], end[at], keys[at]
        high = end
        for _ in range(int((end - low).max(initial=0)).bit_length()):
            middle = (low + high) >> 1
            open_ = low < high
            smaller = open_ & (self.keys[np.minimum(middle, len(self.keys) - 1)] < keys)
            low = np.where(smaller, middle + 1, low)
            high = np.where(open_ & ~smaller, middle, high)
        positions, lines = [], []
        while True:
            inside = low < end
            at, low, end, keys = at[inside], low[inside], end[inside], keys[inside]
            same = self.keys[low] == keys
            at, low, end, keys = at[same], low[same], end[same], keys[same]
            if not len(at):
                break
            positions.append(at)
            lines.append(self.lines[low])
            low = low + 1
        if not positions:
            return np.zeros(0, np.intp), np.zeros(0, np.uint32)
        found = np.concatenate(positions)
        order = np.argsort(found, kind="stable")
        return found[order], np.concatenate(lines)[order]


def _split(hashes: Ids, bits: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint32]]:
    buckets = (hashes >> np.uint64(64 - bits)).astype(np.intp)
    keys = (hashes >> np.uint64(32 - bits)).astype(np.uint32)
    return buckets, keys


def build(hashes: Ids, lines: Lines, families: npt.NDArray[np.uint32]) -> tuple[Postings, int]:
    """The table of all fingerprints of a corpus, and how many were stopped as common idiom.

    `families` names the group of related packages each occurrence comes from. Of a fingerprint that is not
    stopped the first MAX_PLACES occurrences are kept.
    """
    bits = max(8, len(hashes).bit_length() - 3)
    keep_bits = np.uint64(32 - bits)  # what the table can tell apart
    order = np.lexsort((lines, families, hashes >> keep_bits))
    hashes, lines, families = hashes[order] >> keep_bits, lines[order], families[order]
    first = np.ones(len(hashes), bool)
    first[1:] = hashes[1:] != hashes[:-1]
    new_family = first.copy()
    new_family[1:] |= families[1:] != families[:-1]
    group = np.cumsum(first) - 1
    stopped = (
        np.bincount(group, weights=new_family)[group] >= STOP_FAMILIES if len(group) else first
    )
    rank = np.arange(len(hashes)) - np.flatnonzero(first)[group] if len(group) else group
    lines = np.where(stopped, np.uint32(STOP), lines)
    keep = np.where(stopped, rank == 0, rank < MAX_PLACES)
    hashes, lines = hashes[keep], lines[keep]
    buckets = (hashes >> np.uint64(32)).astype(np.intp)
    starts = np.searchsorted(buckets, np.arange((1 << bits) + 1)).astype(np.uint32)
    return Postings(starts, hashes.astype(np.uint32), lines), int((lines == STOP).sum())


def write(postings: Postings, folder: Path, name: str) -> None:
    for part in ("starts", "keys", "lines"):
        getattr(postings, part).tofile(folder / f"{name}.{part}")


def read(folder: Path, name: str) -> Postings:
    """The table in a folder, mapped, not loaded."""
    return Postings(*(_mapped(folder / f"{name}.{part}") for part in ("starts", "keys", "lines")))


def _mapped(path: Path) -> npt.NDArray[np.uint32]:
    if not path.stat().st_size:
        return np.zeros(0, np.uint32)
    return np.asarray(np.memmap(path, np.uint32, mode="r"))
