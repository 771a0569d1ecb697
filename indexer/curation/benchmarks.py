"""Keeps evaluation exercises out of the corpus, without holding their text.

Each docstring and each solution of a benchmark is a run of lower-case words, stored as
hashes of its 10-word windows. A file that holds most windows of one exercise is dropped.
What has fewer than 10 words (`return x + y`) is too common to be told apart, and is let go.
"""

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

Hashes = npt.NDArray[np.uint64]
_WORD = re.compile(rb"[a-z0-9_]+")
_FIELDS = ("prompt", "canonical_solution", "text", "code", "declaration")
_TABLE_BITS = 22
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Fingerprints:
    """Sorted window hashes, the exercise each belongs to, and windows per exercise."""

    gram: int
    hashes: Hashes  # [m] sorted
    exercise: npt.NDArray[np.uint32]  # [m]
    windows: npt.NDArray[np.uint32]  # [exercises]
    table: npt.NDArray[np.bool_]  # which top bits occur: most windows end here

    def match(self, text: str, share: float) -> int | None:
        """The exercise of which the text holds at least `share` of the windows."""
        found = window_hashes(text, self.gram)
        found = found[self.table[found >> np.uint64(64 - _TABLE_BITS)]]
        if not len(found):
            return None
        found = np.unique(found)
        low = np.searchsorted(self.hashes, found, "left")
        high = np.searchsorted(self.hashes, found, "right")
        spans = [np.arange(a, b) for a, b in zip(low, high, strict=True) if a < b]
        if not spans:
            return None
        counts = np.bincount(self.exercise[np.concatenate(spans)], minlength=len(self.windows))
        full = np.flatnonzero(counts >= np.maximum(1, np.ceil(share * self.windows)))
        return int(full[0]) if len(full) else None


def window_hashes(text: str, gram: int) -> Hashes:
    """uint64 hash of each run of `gram` lower-case words."""
    words = _WORD.findall(text.encode("ascii", "replace").lower())
    if len(words) < gram:
        return np.empty(0, np.uint64)
    digest = xxhash.xxh32_intdigest
    ids = np.fromiter((digest(word) for word in words), np.uint64, len(words)) + np.uint64(1)
    size = len(words) - gram + 1
    total = np.zeros(size, np.uint64)
    for offset in range(gram):
        total ^= ids[offset : offset + size]
        total *= _ODD
        total ^= total >> np.uint64(31)
    return total


def build(folder: Path, *, gram: int) -> Fingerprints:
    """Fingerprints of every *.jsonl.gz in a folder of benchmarks."""
    hashes: list[Hashes] = []
    seen: set[bytes] = set()
    for text in _exercises(folder):
        windows = np.unique(window_hashes(text, gram))
        if len(windows) and windows.tobytes() not in seen:
            seen.add(windows.tobytes())
            hashes.append(windows)
    sizes = np.array([len(each) for each in hashes], np.uint32)
    owner = np.repeat(np.arange(len(hashes), dtype=np.uint32), sizes)
    joined = np.concatenate(hashes) if hashes else np.empty(0, np.uint64)
    order = np.argsort(joined, kind="stable")
    return _fingerprints(gram, joined[order], owner[order], sizes)


def _fingerprints(gram: int, hashes: Hashes, exercise: Any, windows: Any) -> Fingerprints:
    table = np.zeros(1 << _TABLE_BITS, bool)
    table[hashes >> np.uint64(64 - _TABLE_BITS)] = True
    return Fingerprints(gram, hashes, exercise, windows, table)


def _exercises(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                for name in _FIELDS:
                    if isinstance(row.get(name), str):
                        yield from _parts(row[name])


def _parts(text: str) -> Iterator[str]:
    """The whole, doc strings apart from the code around them, and their prose alone."""
    yield text
    for double, single in re.findall(r'"""(.*?)"""|\'\'\'(.*?)\'\'\'', text, re.DOTALL):
        yield double or single
        yield re.split(r">>>|\b[Ee]xamples?\b", double or single)[0]


def save(fingerprints: Fingerprints, path: Path) -> None:
    np.savez_compressed(
        path,
        gram=np.uint32(fingerprints.gram),
        hashes=fingerprints.hashes,
        exercise=fingerprints.exercise.astype(np.uint16),
        windows=fingerprints.windows.astype(np.uint16),
    )


def load(path: Path) -> Fingerprints:
    with np.load(path) as stored:
        return _fingerprints(
            int(stored["gram"]),
            stored["hashes"],
            stored["exercise"].astype(np.uint32),
            stored["windows"].astype(np.uint32),
        )


@lru_cache(maxsize=1)
def packaged() -> Fingerprints:
    """The fingerprints that ship with the package."""
    return load(Path(str(resources.files("indexer.curation") / "benchmarks.npz")))
