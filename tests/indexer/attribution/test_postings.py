"""The table of fingerprints: everything that went in comes out, common idiom as such."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from indexer.attribution.postings import MAX_PLACES, STOP, STOP_FAMILIES, build, read, write

if TYPE_CHECKING:
    from pathlib import Path


def hashes_of(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 1 << 64, count, dtype=np.uint64)


def test_every_entry_is_found_and_nothing_else(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    hashes = hashes_of(rng, 5000)
    lines = np.arange(5000, dtype=np.uint32)
    table, stopped = build(hashes, lines, np.zeros(5000, np.uint32))
    write(table, tmp_path, "t")

    asked = np.concatenate([hashes_of(rng, 5000), hashes])
    at, found = read(tmp_path, "t").find(asked)

    assert stopped == 0
    assert at.tolist() == list(range(5000, 10000))
    assert found.tolist() == lines.tolist()


def test_a_fingerprint_in_several_places_has_all_of_them() -> None:
    hashes = np.array([7 << 40] * 3 + [9 << 40], np.uint64)
    table, _ = build(hashes, np.array([30, 10, 20, 5], np.uint32), np.zeros(4, np.uint32))

    at, found = table.find(np.array([9 << 40, 7 << 40], np.uint64))

    assert sorted(zip(at.tolist(), found.tolist(), strict=True)) == [
        (0, 5),
        (1, 10),
        (1, 20),
        (1, 30),
    ]


def test_places_are_capped_and_many_unrelated_packages_make_a_common_idiom() -> None:
    often = np.full(50, 1 << 50, np.uint64)
    everywhere = np.full(STOP_FAMILIES, 3 << 50, np.uint64)
    families = np.concatenate([np.zeros(50), np.arange(STOP_FAMILIES)]).astype(np.uint32)
    lines = np.arange(50 + STOP_FAMILIES, dtype=np.uint32)
    table, stopped = build(np.concatenate([often, everywhere]), lines, families)

    at, found = table.find(np.array([1 << 50, 3 << 50], np.uint64))

    assert stopped == 1
    assert (at == 0).sum() == MAX_PLACES
    assert found[at == 1].tolist() == [STOP]


def test_an_empty_table_finds_nothing(tmp_path: Path) -> None:
    none = np.zeros(0, np.uint64)
    table, _ = build(none, none.astype(np.uint32), none.astype(np.uint32))
    write(table, tmp_path, "t")

    assert read(tmp_path, "t").find(np.arange(5, dtype=np.uint64))[0].tolist() == []
