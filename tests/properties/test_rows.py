"""Compiled or by numpy, rows of ids are hashed and looked up alike, whatever they hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.attribution.catalogue import Catalogue
from indexer.attribution.compiled_rows import compiled, numbered, numbered_by_numpy, seek
from indexer.attribution.excerpts import line_span, line_span_by_numpy
from indexer.attribution.fingerprints import EXACT, Form, grams, running
from indexer.attribution.occurrences import Hits, Table, hits_by_numpy, hits_in
from indexer.attribution.phrases import LENGTHS, Phrases
from indexer.attribution.postings import STOP, Postings
from indexer.attribution.regions import Chain, chained, chained_one_by_one
from indexer.attribution.shapes import shape_grams, shape_grams_by_numpy
from indexer.attribution.tokens import NAME, NAME_ID, PROSE, Tokens
from indexer.attribution.voting import CHUNK_LINES, Votes, sharing, sharing_by_numpy

LIBRARY = compiled()
if LIBRARY is None:
    pytest.skip("rows.c was not compiled", allow_module_level=True)

ids = st.integers(0, 9) | st.integers(0, 2**64 - 1)
heads = st.integers(0, 40) | st.integers(0, 2**32 - 1) | st.integers(2**32 - 9, 2**32 - 1)
few = st.integers(0, 3)
thoroughly = settings(max_examples=200, deadline=None)


@thoroughly
@given(values=st.lists(ids, max_size=60), k=st.integers(1, 20))
def test_every_run_has_the_same_hash(values: list[int], k: int) -> None:
    row = np.array(values, np.uint64)

    assert grams(row, k).tolist() == running(row, k).tolist()


@thoroughly
@given(values=st.lists(ids, max_size=80))
def test_different_values_are_numbered_as_they_come(values: list[int]) -> None:
    expected = [at for at, each in enumerate(values) if each not in values[:at]]
    row = np.array(values, np.uint64)

    for first, which in (numbered(row), numbered_by_numpy(row)):
        assert first.tolist() == expected
        assert row[first][which].tolist() == values


@thoroughly
@given(row=st.lists(heads, max_size=80), sought=st.lists(heads, max_size=20))
def test_the_place_in_a_sorted_row_is_found(row: list[int], sought: list[int]) -> None:
    table, asked = np.sort(np.array(row, np.uint32)), np.array(sought + row, np.uint32)

    assert seek(table, asked).tolist() == np.searchsorted(table, asked).tolist()


@thoroughly
@given(words=st.lists(st.integers(0, 7), max_size=60), k=st.integers(1, 8))
def test_shapes_have_the_same_hash(words: list[int], k: int) -> None:
    exact = np.array(words, np.uint64)
    abstract = np.where(exact % np.uint64(3) > 0, np.uint64(NAME_ID), exact)

    ours = shape_grams(exact, abstract, k)
    assert ours.tolist() == shape_grams_by_numpy(exact, abstract, k).tolist()


@thoroughly
@given(text=st.text("a\n", max_size=30), first=st.integers(0, 20), lines=st.integers(1, 20))
def test_lines_are_cut_out(text: str, first: int, lines: int) -> None:
    data = text.encode()
    if first > data.count(b"\n"):
        with pytest.raises(IndexError):
            line_span(data, first, first + lines)
    else:
        expected = line_span_by_numpy(data, first, first + lines)
        assert line_span(data, first, first + lines) == expected


@thoroughly
@given(text=st.lists(few, max_size=40), known=st.lists(few, max_size=12))
def test_the_longest_runs_of_a_table_are_found(text: list[int], known: list[int]) -> None:
    row, other = np.array(text, np.uint64), np.array(known, np.uint64)
    heads = np.concatenate([running(other, each) >> np.uint64(32) for each in LENGTHS])
    phrases = Phrases(np.unique(heads).astype(np.uint32))

    assert phrases.longest(row).tolist() == phrases.longest_by_numpy(row).tolist()


class Corpus(Catalogue):
    """A catalogue of files of which is known where they begin, whose they are, and which are hidden."""

    def __init__(self, first_lines: list[int], families: list[int], hidden: list[bool]) -> None:
        self.first_lines = np.array(first_lines, np.uint32)
        self.families = np.array(families, np.intp)
        self.hidden = np.array(hidden, bool)

    def __len__(self) -> int:
        return len(self.first_lines)


FILES = 12
corpora = st.builds(
    lambda families, hidden: Corpus(list(range(0, 10 * FILES, 10)), families, hidden),
    st.lists(few, min_size=FILES, max_size=FILES),
    st.lists(st.booleans(), min_size=FILES, max_size=FILES),
)
lines = st.integers(0, 10 * FILES) | st.just(STOP)


def text_of(words: list[int]) -> Tokens:
    exact = np.array(words, np.uint64)
    kinds = np.array([PROSE if each % 5 == 0 else NAME for each in words], np.uint8)
    numbers = np.arange(len(words), dtype=np.int32) // 3
    return Tokens(exact, exact // np.uint64(2), numbers, kinds, np.ones(len(words), np.uint8))


@thoroughly
@given(
    words=st.lists(st.integers(0, 7), max_size=60),
    places=st.lists(st.lists(lines, max_size=9), min_size=1, max_size=30),
    corpus=corpora,
    repeats=st.integers(1, 4),
    form=st.sampled_from([(1, False, False), (3, True, False), (2, False, True)]),
    hides=st.booleans(),
    asked=st.booleans(),
)
def test_occurrences_are_found_and_counted(
    words: list[int],
    places: list[list[int]],
    corpus: Corpus,
    repeats: int,
    form: tuple[int, bool, bool],
    hides: bool,
    asked: bool,
) -> None:
    k, abstract, prose = form
    tokens, fingerprints = text_of(words), Form("", k, 4, abstract=abstract, prose=prose)
    hashes = np.unique(fingerprints.grams(tokens).hashes >> np.uint64(24))
    entries = [
        (head, line)
        for head, lines in zip(hashes.tolist(), places, strict=False)
        for line in sorted(lines)
    ]
    heads = np.array([head for head, _ in entries], np.uint64)
    starts = np.searchsorted(heads >> np.uint64(32), np.arange(257)).astype(np.uint32)
    table = Postings(
        starts,
        heads.astype(np.uint32),
        np.array([line for _, line in entries], np.uint32),
        corpus.hides if hides else None,
    )
    begin = np.arange(len(words)) % 3 > 0 if asked else None
    tables = [Table(each, table, corpus) for each in (fingerprints, EXACT)]

    ours = hits_in(tables, tokens, repeats=repeats, asked=begin)
    theirs = hits_by_numpy(tables, tokens, repeats=repeats, asked=begin)
    assert [each.tolist() for each in ours] == [each.tolist() for each in theirs]


@thoroughly
@given(
    found=st.lists(
        st.tuples(
            st.integers(0, 900) | st.integers(0, 40),
            st.integers(1, 30),
            lines,
            st.booleans(),
            st.integers(1, 9),
        ),
        max_size=60,
    ),
    min_hits=st.integers(1, 3),
)
def test_hits_are_chained(found: list[tuple[int, int, int, bool, int]], min_hits: int) -> None:
    assert LIBRARY is not None
    start, size, line, abstract, families = np.array(found, np.intp).reshape(-1, 5).T
    none = np.zeros(0, np.intp)
    hits = Hits(
        start, start + size, line.astype(np.uint32), abstract.astype(bool), families, none, none
    )
    tokens, corpus = text_of([1] * 940), Corpus([0, 50, 90], [], [])

    ours = list(chained(LIBRARY, tokens, hits, corpus, min_hits=min_hits))
    theirs = chained_one_by_one(tokens, hits, corpus, min_hits=min_hits)
    assert list(map(said_of, ours)) == list(map(said_of, theirs))


def said_of(chain: Chain) -> tuple[object, ...]:
    of_it = chain.file, chain.positions, chain.lines, chain.end, chain.covered
    return *of_it, chain.families, chain.as_written, chain.as_shaped


@thoroughly
@given(
    names=st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=8),
    said=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 90)), max_size=40),
    found=st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 350) | st.just(STOP), st.integers(1, 5)),
        max_size=40,
    ),
    files=st.lists(st.integers(1, 350), max_size=4, unique=True),
)
def test_what_speaks_for_one_place_is_heard(
    names: list[list[int]],
    said: list[tuple[int, int]],
    found: list[tuple[int, int, int]],
    files: list[int],
) -> None:
    at, what = np.array(said, np.intp).reshape(-1, 2).T
    starts = np.cumsum([0, *map(len, names)])
    places = CHUNK_LINES * np.concatenate([np.array(each, np.uint32) for each in names])
    bits = 9.0 + np.arange(len(names)) % 7 / 3
    votes = Votes(at, what % len(names), starts, places.astype(np.uint32), bits)
    start, line, families = np.array(found, np.intp).reshape(-1, 3).T
    none = np.zeros(0, np.intp)
    hits = Hits(start, start + 9, line.astype(np.uint32), start > 9, families, none, none)
    corpus = Corpus([0, *sorted(files)], [], [])

    ours = sharing(votes, hits, corpus)
    assert sorted(ours) == sorted(sharing_by_numpy(votes, hits, corpus))
