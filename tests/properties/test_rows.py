"""Compiled or by numpy, rows of ids are hashed and looked up alike, whatever they hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.attribution.compiled_rows import compiled, firsts, runs, seek, told
from indexer.attribution.fingerprints import grams, running
from indexer.attribution.postings import Postings

LIBRARY = compiled()
if LIBRARY is None:
    pytest.skip("the aligner was not compiled", allow_module_level=True)

ids = st.integers(0, 9) | st.integers(0, 2**64 - 1)
heads = st.integers(0, 40) | st.integers(0, 2**32 - 1) | st.integers(2**32 - 9, 2**32 - 1)
few = st.integers(0, 3)
keys = st.integers(0, 30) | st.integers(0, 2**40 - 1)  # 8 bits tell the bucket
thoroughly = settings(max_examples=200, deadline=None)


@thoroughly
@given(values=st.lists(ids, max_size=60), k=st.integers(1, 20))
def test_every_run_has_the_same_hash(values: list[int], k: int) -> None:
    row = np.array(values, np.uint64)

    assert grams(row, k).tolist() == running(row, k).tolist()


@thoroughly
@given(values=st.lists(ids, max_size=80))
def test_the_first_of_equal_values_is_found(values: list[int]) -> None:
    expected = [at for at, each in enumerate(values) if each not in values[:at]]

    assert firsts(np.array(values, np.uint64)).tolist() == expected


@thoroughly
@given(row=st.lists(heads, max_size=80), sought=st.lists(heads, max_size=20))
def test_the_place_in_a_sorted_row_is_found(row: list[int], sought: list[int]) -> None:
    table, asked = np.sort(np.array(row, np.uint32)), np.array(sought + row, np.uint32)

    assert seek(table, asked).tolist() == np.searchsorted(table, asked).tolist()


@thoroughly
@given(text=st.lists(few, max_size=40), known=st.lists(few, max_size=12))
def test_what_a_table_says_of_runs_is_found(text: list[int], known: list[int]) -> None:
    assert LIBRARY is not None
    lengths = 2, 3, 4
    row, other = np.array(text, np.uint64), np.array(known, np.uint64)
    table = np.unique(np.concatenate([running(other, each) >> np.uint64(32) for each in lengths]))
    of_head = {head: 1 + number for number, head in enumerate(table.tolist())}
    expected = []
    for each in lengths:
        found = [of_head.get(head, 0) for head in (running(row, each) >> np.uint64(32)).tolist()]
        expected.append([0] * (len(text) - len(found)) + found)
    values = np.arange(1, len(table) + 1, dtype=np.uint8)

    assert told(LIBRARY, table.astype(np.uint32), values, row, lengths).tolist() == expected


@thoroughly
@given(kept=st.lists(keys, max_size=120), asked=st.lists(keys, max_size=20))
def test_the_entries_of_a_hash_are_found(kept: list[int], asked: list[int]) -> None:
    assert LIBRARY is not None
    entries = np.sort(np.array(kept, np.uint64))
    starts = np.searchsorted(entries >> np.uint64(32), np.arange(257)).astype(np.uint32)
    lines = np.arange(len(entries), dtype=np.uint32)
    table = Postings(starts, entries.astype(np.uint32), lines)
    hashes = np.array([each << 24 for each in asked + kept], np.uint64)

    ours = runs(LIBRARY, table.starts, table.bits, table.keys, hashes)
    assert [each.tolist() for each in ours] == [
        each.tolist() for each in table.runs_in_step(hashes)
    ]
    assert table.find(hashes)[1].tolist() == [
        line for one in asked + kept for line, other in enumerate(entries.tolist()) if one == other
    ]
