"""Compiled or by numpy, the same is counted of a segment, whatever its text holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.attribution.aligning import align
from indexer.attribution.counting import (
    Common,
    common,
    common_by_numpy,
    compiled,
    counts,
    counts_by_numpy,
)
from indexer.attribution.lexing import lexer_of
from indexer.attribution.occurrences import Hits
from indexer.attribution.postings import STOP

if TYPE_CHECKING:
    from collections.abc import Callable

if compiled() is None:
    pytest.skip("features.c was not compiled", allow_module_level=True)

LINES = (
    "total = ledger.opening(quince)", "for row in ledger.rows_of(marrow):", "    total += row.amount * 2,",
    "# What is left over is carried to the next one, as every bookkeeper knows.", "",
    "def settled(ledger, *rest):", '    """Adds what is owed to what was paid."""', "    return print(f'{total}', len(rest))",
    "names = ['fern', \"a longer string that nobody else has\", 'quince',]", "import os, sys", "self.i = i = 0",
    "raise KeyError(name) from None", "x = y if z else call(a, b)(c)[d]", "",
)  # fmt: skip
OTHERS = {"ledger": "cluster", "total": "summe", "row": "each", "2": "30", "fern": "moss"}
texts = st.lists(st.integers(0, len(LINES) - 1), min_size=6, max_size=60)


def renamed(line: str) -> str:
    for name, other in OTHERS.items():
        line = line.replace(name, other)
    return line


MADE: dict[str, Callable[[str], str]] = {
    "kept": str,
    "renamed": renamed,
    "broken": lambda row: row.replace("(", "(\n\n"),
    "gone": lambda _: "",
}


@settings(max_examples=200, deadline=None)
@given(
    source=texts,
    taken=st.lists(st.sampled_from(["kept", "kept", "renamed", "broken", "gone"]), min_size=60),
    more=texts,
    seed=st.integers(0, 99),
)
def test_the_same_is_counted(
    source: list[int], taken: list[str], more: list[int], seed: int
) -> None:
    rows = [LINES[each] for each in source]
    text = "\n".join(LINES[each] for each in more[:7])
    text += "\n" + "\n".join(MADE[how](row) for row, how in zip(rows, taken, strict=False))
    ours, theirs = (lexer_of("python").tokens(each) for each in (text, "\n".join(rows)))
    numbers = np.random.default_rng(seed)
    here, there, shared = (numbers.random(len(ours)) < 0.3 for _ in range(3))
    rare = numbers.integers(0, 9, len(ours)).astype(float)
    common = Common(here, there, shared, rare, ours.exact)

    for segment in align(ours, theirs):
        assert counts(ours, segment, common) == counts_by_numpy(ours, segment, common)


def test_of_a_text_with_everything_all_is_counted() -> None:
    text, source = "\n\n".join(map(renamed, LINES * 2)), "\n\n".join(LINES * 2)
    ours, theirs = (lexer_of("python").tokens(each) for each in (text, source))
    none = np.zeros(len(ours), bool)
    (segment,) = align(ours, theirs)

    found = counts(ours, segment, Common(none, ~none, ~none, ~none * 1.5, ours.exact))

    assert found.idiom == found.shared == segment.text_end - segment.text_start
    assert min(each for name, each in found._asdict().items() if name != "replaced") > 0


@settings(max_examples=200, deadline=None)
@given(
    found=st.lists(
        st.tuples(
            st.integers(0, 30),
            st.integers(1, 9),
            st.integers(0, 5) | st.just(STOP),
            st.booleans(),
            st.integers(1, 6),
        ),
        max_size=30,
    )
)
def test_the_same_is_common(found: list[tuple[int, int, int, bool, int]]) -> None:
    start, size, line, abstract, families = np.array(found, np.intp).reshape(-1, 5).T
    none, rare, ids = np.zeros(0, np.intp), np.zeros(40), np.zeros(40, np.uint64)
    hits = Hits(start, start + size, line.astype(np.uint32), abstract > 0, families, none, none)

    ours, theirs = (each(hits, rare, ids) for each in (common, common_by_numpy))
    for name in ("exact", "abstract", "shared"):
        assert getattr(ours, name).tolist() == getattr(theirs, name).tolist()
