"""MinHash signatures in numpy, bit for bit those of datasketch's MinHash, and near-duplicates.

StarCoder's parameters (arXiv 2305.06161, section 3.3): shingles of 5 tokens, tokens split on
[^A-Za-z_0-9], 256 permutations, 25 bands of 10 rows, threshold 0.7.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from indexer.curation.parameters import Parameters

Signature = npt.NDArray[np.uint32]
_WORD = re.compile(rb"[A-Za-z_0-9]+")
_BLOCK = 512  # shingles at once: the product stays in the second-level cache


def shingle_hashes(text: str, width: int) -> npt.NDArray[np.uint32]:
    """xxHash32 of each different run of `width` tokens; empty when there are fewer tokens."""
    tokens = _WORD.findall(text.encode("ascii", "replace"))
    if len(tokens) < width:
        return np.empty(0, np.uint32)
    shingles = set(map(b" ".join, zip(*(tokens[k:] for k in range(width)), strict=False)))
    digest = xxhash.xxh32_intdigest
    return np.fromiter((digest(each) for each in shingles), np.uint32, len(shingles))


@lru_cache(maxsize=4)
def permutations(count: int, seed: int = 1) -> tuple[Signature, Signature]:
    """Multipliers and offsets of datasketch 2's "affine32" scheme."""
    random = np.random.RandomState(seed)
    multipliers = random.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    offsets = random.randint(0, 1 << 32, count, dtype=np.uint32)
    return multipliers, offsets


def signature(text: str, parameters: Parameters) -> Signature | None:
    """[permutations] uint32, or None for a text too short to have one."""
    hashes = shingle_hashes(text, parameters.shingle)
    if not len(hashes):
        return None
    multipliers, offsets = permutations(parameters.permutations)
    mixed = _finalize(hashes)[:, None]
    best = np.full(parameters.permutations, 0xFFFFFFFF, np.uint32)
    block = np.empty((min(_BLOCK, len(mixed)), parameters.permutations), np.uint32)
    for start in range(0, len(mixed), _BLOCK):
        part = mixed[start : start + _BLOCK]
        values = block[: len(part)]
        np.multiply(part, multipliers, out=values)
        np.add(values, offsets, out=values)
        np.minimum(best, values.min(axis=0), out=best)
    return best


def _finalize(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """MurmurHash3's 32-bit finalizer, applied to the input before the permutations."""
    mixed = hashes.copy()
    mixed ^= mixed >> np.uint32(16)
    mixed *= np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed


@dataclass(frozen=True, slots=True)
class Near:
    """A document that resembles an earlier, kept one."""

    kept: int
    similarity: float  # estimated Jaccard


def near_duplicates(
    signatures: npt.NDArray[np.uint32],
    parameters: Parameters,
    *,
    skip: Sequence[bool],
    always: Sequence[bool],
) -> dict[int, Near]:
    """Which rows of signatures [n, permutations] resemble an earlier row that is kept.

    Greedy on purpose: a document goes only when it itself resembles one that stays. Joining
    all collisions transitively, as StarCoder did, also removes documents that merely resemble
    something removed, and unverified collisions join clusters by accident. Rows marked in
    `skip` are neither compared nor kept; rows marked in `always` are kept whatever they resemble.
    """
    keys = _band_keys(signatures, parameters)
    shared = [_shared(keys[:, band]) for band in range(parameters.bands)]
    buckets: list[dict[int, list[int]]] = [{} for _ in range(parameters.bands)]
    found: dict[int, Near] = {}
    active = np.zeros(len(signatures), bool)
    for column in shared:
        active |= column
    for row in np.flatnonzero(active).tolist():
        if skip[row]:
            continue
        own = [
            (band, int(keys[row, band])) for band in range(parameters.bands) if shared[band][row]
        ]
        candidates = {each for band, key in own for each in buckets[band].get(key, ())}
        near = _best(signatures, row, sorted(candidates), parameters.jaccard)
        if near and not always[row]:
            found[row] = near
            continue
        for band, key in own:
            buckets[band].setdefault(key, []).append(row)
    return found


def _band_keys(signatures: npt.NDArray[np.uint32], parameters: Parameters) -> Any:
    """[n, bands] uint64: one hash of the rows of each band."""
    count = len(signatures)
    used = signatures[:, : parameters.bands * parameters.rows]
    bands = used.reshape(count, parameters.bands, parameters.rows)
    keys = np.zeros((count, parameters.bands), np.uint64)
    for row in range(parameters.rows):
        keys ^= bands[:, :, row]
        keys *= np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys


def _shared(column: Any) -> npt.NDArray[np.bool_]:
    """Which values of the column occur more than once."""
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    shared: npt.NDArray[np.bool_] = counts[inverse] > 1
    return shared


def _best(
    signatures: npt.NDArray[np.uint32], row: int, candidates: list[int], threshold: float
) -> Near | None:
    """The most similar candidate at or above the threshold; the earliest among equals."""
    if not candidates:
        return None
    similar = (signatures[candidates] == signatures[row]).mean(axis=1)
    at = int(similar.argmax())
    return Near(candidates[at], float(similar[at])) if similar[at] >= threshold else None
