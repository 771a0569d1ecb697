"""The compiled aligner finds exactly the segments that numpy and rapidfuzz find, whatever is compared."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.attribution import alignment
from indexer.attribution.aligning import align, compared, compiled
from indexer.attribution.alignment import Segment, straightened
from indexer.attribution.lexing import lexer_of
from indexer.attribution.tokens import (
    ARGUMENT,
    KEPT,
    NAME,
    NAME_ID,
    NUMBER,
    NUMBER_ID,
    PROSE,
    Tokens,
    word_id,
)
from tests.indexer.attribution.conftest import CLUSTER, FOREIGN, LEDGER, QUEUE

LIBRARY = compiled()
if LIBRARY is None:
    pytest.skip("the aligner was not compiled", allow_module_level=True)

WORDS = [word_id(str(number)) for number in range(30)]
KINDS = (NAME, KEPT, NUMBER, PROSE, ARGUMENT, NAME, KEPT)


def tokens(words: list[int]) -> Tokens:
    """Tokens of a small vocabulary, some of which are equal but for their names."""
    kinds = [KINDS[word % len(KINDS)] for word in words]
    exact = [WORDS[word] for word in words]
    shapes = {NAME: NAME_ID, NUMBER: NUMBER_ID}
    return Tokens(
        np.array(exact, np.uint64),
        np.array([shapes.get(*each) for each in zip(kinds, exact, strict=True)], np.uint64),
        np.zeros(len(words), np.int32),
        np.array(kinds, np.uint8),
        np.array([1 + word % 3 for word in words], np.uint8),
    )


rows = st.one_of(st.lists(st.integers(0, most), max_size=300) for most in (1, 6, len(WORDS) - 1))
# (where in the text, how many, what is put behind them) one after the other make a passage with edits.
pieces = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 120), st.lists(st.integers(0, 29), max_size=6)),
    max_size=8,
)


# (how many are kept, how many left out, how many come instead) one after the other make a copy.
edits = st.lists(
    st.tuples(
        st.integers(0, 20), st.integers(0, 6), st.one_of(st.integers(0, 6), st.integers(0, 90))
    ),
    min_size=1,
    max_size=16,
)


def assert_same(text: Tokens, source: Tokens) -> None:
    assert LIBRARY is not None
    ours = straightened(*compared(text, source, LIBRARY, 0, len(text)))
    theirs = alignment.align(text, source)
    assert [told(each) for each in ours] == [told(each) for each in theirs]


def told(segment: Segment) -> list[object]:
    values = (getattr(segment, each.name) for each in fields(Segment))
    return [each.tolist() if isinstance(each, np.ndarray) else each for each in values]


@settings(max_examples=400, deadline=None)
@given(text=rows, made=pieces)
def test_any_rows_of_tokens_are_aligned_alike(
    text: list[int], made: list[tuple[int, int, list[int]]]
) -> None:
    source = [word for start, size, more in made for word in (*text[start : start + size], *more)]
    assert_same(tokens(text), tokens(source))


@settings(max_examples=400, deadline=None)
@given(made=edits, seed=st.integers(0, 1 << 32))
def test_edited_copies_are_aligned_alike(made: list[tuple[int, int, int]], seed: int) -> None:
    draw = np.random.default_rng(seed)
    text = draw.integers(0, len(WORDS), 300).tolist()
    source: list[int] = []
    at = 60
    for kept, left_out, more in made:
        source += text[at : at + kept] + draw.integers(0, len(WORDS), more).tolist()
        at += kept + left_out
    assert_same(tokens(text), tokens(source))


@pytest.mark.parametrize("language", ["python", "plaintext"])
def test_code_and_prose_among_it_are_aligned_alike(language: str) -> None:
    texts = [LEDGER, CLUSTER + LEDGER, FOREIGN + LEDGER.replace("entry", "row") + QUEUE, QUEUE]
    read = [lexer_of(language).tokens(each) for each in texts]
    for text in read:
        for source in read:
            assert_same(text, source)


def test_a_part_of_a_text_is_aligned_as_a_text_of_its_own() -> None:
    text, source = (lexer_of("python").tokens(each) for each in (QUEUE + LEDGER, CLUSTER + LEDGER))
    start, end = 20, len(text) - 5

    ours, alone = align(text, source, start, end), align(text.part(start, end), source)
    assert [told(each) for each in ours] == [told(each.moved(start)) for each in alone]
    assert ours


def test_long_repetitive_rows_are_aligned_alike() -> None:
    draw = np.random.default_rng(1)
    text = draw.integers(0, 4, 3000)
    source = np.concatenate([text[1500:], draw.integers(0, 4, 500), text[:1700]])
    assert_same(tokens(text.tolist()), tokens(source.tolist()))
