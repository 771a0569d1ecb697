"""Fingerprints of token streams: hashes of k consecutive ids, and the winnowed few that an index keeps.

Winnowing (Schleimer, Wilkerson, Aiken: "Winnowing: local algorithms for document fingerprinting", SIGMOD
2003): of every `window` consecutive k-grams at least the smallest hash is kept, so two texts that share
`k + window - 1` consecutive tokens share a kept fingerprint. The index keeps the winnowed ones; a question
uses every k-gram, which is what turns that into a guarantee.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.attribution import compiled_rows
from indexer.attribution.tokens import PROSE, Ids, Tokens

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_INVERSE = pow(_BASE, -1, 1 << 64)


@dataclass(frozen=True, slots=True)
class Form:
    """Which tokens are fingerprinted, with grams of `k` of them and one kept in every `window`."""

    name: str
    k: int
    window: int
    abstract: bool = False  # the semi-abstract ids, not the exact ones
    prose: bool = False  # the words of docstrings, not the code: either survives without the other

    @property
    def guarantee(self) -> int:
        """Any common run of this many tokens is noticed."""
        return self.k + self.window - 1

    def grams(self, tokens: Tokens) -> "Grams":
        at = np.flatnonzero((tokens.kinds == PROSE) == self.prose)
        ids = (tokens.abstract if self.abstract else tokens.exact)[at]
        hashes = grams(ids, self.k)
        return Grams(hashes, at[: len(hashes)], at[self.k - 1 :] + 1)


@dataclass(frozen=True, slots=True)
class Grams:
    """The grams of a text: their hashes, first tokens and ends (past the last token)."""

    hashes: Ids
    starts: npt.NDArray[np.intp]
    ends: npt.NDArray[np.intp]

    def some(self, which: npt.NDArray[np.bool_]) -> "Grams":
        return Grams(self.hashes[which], self.starts[which], self.ends[which])


EXACT = Form("exact", k=10, window=8)
ABSTRACT = Form("abstract", k=16, window=10, abstract=True)
DOCUMENTED = Form("prose", k=12, window=16, prose=True)
FORMS = (EXACT, ABSTRACT, DOCUMENTED)


def grams(ids: Ids, k: int) -> Ids:
    """Order-sensitive hash of every k consecutive ids."""
    rows = compiled_rows.compiled()
    return running(ids, k) if rows is None else compiled_rows.grams(rows, ids, k)


def running(ids: Ids, k: int) -> Ids:
    """The same by differences of one running polynomial."""
    n = len(ids)
    if n < k:
        return np.zeros(0, np.uint64)
    running = np.zeros(n + 1, np.uint64)
    np.cumsum(ids * _powers(_INVERSE, n), out=running[1:])
    return mix((running[k:] - running[:-k]) * _powers(_BASE, n)[: n - k + 1])


def mix(values: Ids) -> Ids:
    """Spreads the bits (the finaliser of SplitMix64), so that parts of a hash can be used alone."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def winnow(hashes: Ids, window: int) -> npt.NDArray[np.intp]:
    """Positions whose hash is the smallest of some `window` consecutive ones; all of them when tied.

    A text shorter than one window keeps its smallest.
    """
    n = len(hashes)
    if n == 0:
        return np.zeros(0, np.intp)
    window = min(window, n)
    smallest = _sliding(hashes, window, np.minimum)  # of the window that starts at i
    # Position i is kept if one of the windows over it has it as the smallest, i.e. the largest of those
    # smallest values is its own.
    edge = np.zeros(window - 1, np.uint64)
    reach = _sliding(np.concatenate([edge, smallest, edge]), window, np.maximum)
    return np.flatnonzero(reach == hashes)


def _sliding(values: Ids, width: int, choose: np.ufunc) -> Ids:
    """Extreme of every `width` consecutive values, by doubling: uint64[n - width + 1]."""
    reached = 1
    while reached < width:
        step = min(reached, width - reached)
        values = choose(values[:-step], values[step:])
        reached += step
    return values


_tables: dict[int, Ids] = {}


def _powers(base: int, n: int) -> Ids:
    """base ** i modulo 2**64 for i < n (at least), grown by doubling and kept."""
    table = _tables.get(base)
    if table is None or len(table) < n:
        table = np.ones(1, np.uint64)
        while len(table) < max(n, 1 << 14):
            table = np.concatenate([table, table * np.uint64(pow(base, len(table), 1 << 64))])
        _tables[base] = table
    return table[:n]
