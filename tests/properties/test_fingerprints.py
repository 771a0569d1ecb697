"""Fingerprints promise: whatever stands around it, a common run of `guarantee` tokens is noticed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.attribution.fingerprints import FORMS, Form, grams, winnow
from indexer.attribution.tokens import PROSE, Tokens

ids = st.lists(st.integers(0, 6), max_size=90)
MULTIPLIER = 0x9E3779B97F4A7C15


def stream(numbers: list[int]) -> np.ndarray:
    """Ids from a small alphabet, so that runs repeat and hashes tie."""
    return (np.array(numbers, np.uint64) + np.uint64(1)) * np.uint64(MULTIPLIER)


@settings(max_examples=60, deadline=None)
@given(before=ids, after=ids, other_before=ids, other_after=ids, data=st.data())
@pytest.mark.parametrize(("k", "window"), [(1, 1), (3, 4), (14, 14), (20, 14), (12, 16)])
def test_two_texts_with_a_common_run_share_a_kept_fingerprint(
    k: int, window: int, before: list[int], after: list[int], other_before: list[int],
    other_after: list[int], data: st.DataObject,
) -> None:  # fmt: skip
    size = k + window - 1
    common = data.draw(st.lists(st.integers(0, 6), min_size=size, max_size=size))
    corpus = grams(stream(before + common + after), k)
    question = grams(stream(other_before + common + other_after), k)
    kept = corpus[winnow(corpus, window)]

    here = question[len(other_before) : len(other_before) + window]
    assert np.isin(here, kept).any()


@given(numbers=ids, k=st.integers(1, 8))
def test_a_gram_is_its_tokens_in_their_order_wherever_it_stands(numbers: list[int], k: int) -> None:
    hashes = grams(stream(numbers), k)
    seen: dict[tuple[int, ...], int] = {}
    for position, value in enumerate(hashes.tolist()):
        assert seen.setdefault(tuple(numbers[position : position + k]), value) == value

    assert len(set(seen.values())) == len(seen)
    assert len(hashes) == max(0, len(numbers) - k + 1)


@given(numbers=ids, window=st.integers(1, 20))
def test_winnowing_keeps_exactly_the_smallest_of_some_window(
    numbers: list[int], window: int
) -> None:
    hashes = stream(numbers)
    width = min(window, len(hashes))
    expected = sorted(
        {
            start + offset
            for start in range(len(hashes) - width + 1)
            for offset in range(width)
            if hashes[start + offset] == hashes[start : start + width].min()
        }
    )

    assert winnow(hashes, window).tolist() == (expected if len(hashes) else [])


@given(kinds=st.lists(st.booleans(), max_size=120))
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_reads_its_own_tokens_and_says_where_they_are(form: Form, kinds: list[bool]) -> None:
    count = len(kinds)
    values = stream(list(range(count)))
    kind = np.where(np.array(kinds, bool), PROSE, 2).astype(np.uint8)
    tokens = Tokens(values, values, np.zeros(count, np.int32), kind, np.ones(count, np.uint8))
    found = form.grams(tokens)
    own = [number for number, prose in enumerate(kinds) if prose == form.prose]

    assert found.starts.tolist() == own[: max(0, len(own) - form.k + 1)]
    assert found.ends.tolist() == [number + 1 for number in own[form.k - 1 :]]
    assert found.hashes.tolist() == grams(values[own], form.k).tolist()
