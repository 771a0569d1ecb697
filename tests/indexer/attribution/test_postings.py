"""The table of fingerprints: everything that went in comes out, common idiom as such."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from indexer.attribution import postings
from indexer.attribution.postings import FINGERPRINTS, STOP

if TYPE_CHECKING:
    from pathlib import Path


def hashes_of(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 1 << 64, count, dtype=np.uint64)


def write(folder: Path, hashes: np.ndarray, families: dict[int, int] | None = None) -> int:
    """A table of these hashes on lines 0, 1, 2, ..., in four ranges; returns how many were stopped."""
    lines = np.arange(len(hashes), dtype=np.uint32)
    of_line = np.array([(families or {}).get(line, 0) for line in lines.tolist()], np.uint32)
    ranges = [
        (hashes[here], lines[here])
        for here in (np.flatnonzero(hashes >> np.uint64(62) == top) for top in range(4))
    ]
    return postings.write(folder, "t", ranges, lambda lines: of_line[lines], entries=len(hashes))


def test_every_entry_is_found_and_nothing_else(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    hashes = hashes_of(rng, 5000)

    assert write(tmp_path, hashes) == 0
    at, found = postings.read(tmp_path, "t").find(np.concatenate([hashes_of(rng, 5000), hashes]))

    assert at.tolist() == list(range(5000, 10000))
    assert found.tolist() == list(range(5000))


def test_a_fingerprint_in_several_places_has_all_of_them(tmp_path: Path) -> None:
    write(tmp_path, np.array([7 << 40, 9 << 40, 7 << 40, 7 << 40], np.uint64))

    at, found = postings.read(tmp_path, "t").find(np.array([9 << 40, 7 << 40], np.uint64))

    assert list(zip(at.tolist(), found.tolist(), strict=True)) == [(0, 1), (1, 0), (1, 2), (1, 3)]


def test_places_are_capped_and_many_unrelated_packages_make_a_common_idiom(
    tmp_path: Path,
) -> None:
    often = np.full(50, 1 << 50, np.uint64)
    everywhere = np.full(FINGERPRINTS.groups, 3 << 50, np.uint64)
    nearly = np.full(2 * FINGERPRINTS.groups, 5 << 50, np.uint64)
    families = {50 + n: n for n in range(FINGERPRINTS.groups)}
    families |= {60 + n: n % (FINGERPRINTS.groups - 1) for n in range(len(nearly))}

    assert write(tmp_path, np.concatenate([often, everywhere, nearly]), families) == 1
    asked = np.array([1 << 50, 3 << 50, 5 << 50], np.uint64)
    at, found = postings.read(tmp_path, "t").find(asked)

    assert np.bincount(at).tolist() == [FINGERPRINTS.places, 1, FINGERPRINTS.places]
    assert found[at == 1].tolist() == [STOP]


def test_hidden_lines_are_not_found(tmp_path: Path) -> None:
    write(tmp_path, np.array([7 << 40, 9 << 40, 7 << 40], np.uint64))
    table = postings.read(tmp_path, "t", lambda lines: lines == 0)

    at, found = table.find(np.array([7 << 40, 9 << 40], np.uint64))

    assert (at.tolist(), found.tolist()) == ([0, 1], [2, 1])


def test_an_empty_table_and_one_that_is_not_there_find_nothing(tmp_path: Path) -> None:
    write(tmp_path, np.zeros(0, np.uint64))

    for name in ("t", "absent"):
        table = postings.read(tmp_path, name)
        assert table.find(np.arange(5, dtype=np.uint64))[0].tolist() == []
