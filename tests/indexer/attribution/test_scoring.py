"""The score: a sum over values and products of two, whose bound holds whatever is not known yet."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.attribution.scoring import FARTHEST, Scale, read, scale

NAMES = ("one", "two", "three", "four")


def drawn(seed: int) -> Scale:
    random = np.random.default_rng(seed)
    together = np.triu(random.normal(0, 1, (4, 4)).round(4))
    alone, centres = random.normal(0, 1, (2, 4)).round(4)
    return Scale(
        NAMES, alone, together, centres, random.uniform(0.2, 2, 4).round(4), 0.5, 1.0, -1.0
    )


def test_products_count_as_far_as_both_are_from_their_centres() -> None:
    together = np.zeros((2, 2))
    together[0, 1] = 10.0
    simple = Scale(
        ("a", "b"), np.array([1.0, 2.0]), together, np.ones(2), np.array([1.0, 2.0]), 0.5, 0.0, 0.0
    )

    assert simple.score({"a": 2.0, "b": 5.0}) == 0.5 + 2 + 10 + 10 * 1 * 2
    assert simple.score({"a": 1.0, "b": 99.0}) == 0.5 + 1 + 198
    assert simple.score({"a": 99.0, "b": 99.0}) == 0.5 + 99 + 198 + 10 * FARTHEST**2


@settings(deadline=None)
@given(
    seed=st.integers(0, 999),
    values=st.lists(st.floats(-9, 9), min_size=4, max_size=4),
    shares=st.lists(st.floats(0, 1), min_size=4, max_size=4),
    known=st.integers(0, 4),
)
def test_no_score_is_beyond_its_bound(
    seed: int, values: list[float], shares: list[float], known: int
) -> None:
    fitted = drawn(seed)
    seen = dict(zip(NAMES[:known], values, strict=False))
    bounds = {name: (value, value + 3.0) for name, value in zip(NAMES, values, strict=True)}
    rest = {name: bounds[name][0] + 3.0 * share for name, share in zip(NAMES, shares, strict=True)}
    score = fitted.score(rest | seen)

    assert score <= fitted.most(seen, bounds) + 1e-9
    if known == len(NAMES):
        assert abs(score - fitted.most(seen, bounds)) < 1e-9


@settings(deadline=None)
@given(seed=st.integers(0, 999))
def test_what_is_written_is_read_again(seed: int) -> None:
    fitted = drawn(seed)
    again = read(json.dumps(fitted.as_json() | {"warning": 1.0, "information": -1.0}))
    rows = np.random.default_rng(seed).normal(0, 3, (5, 4))

    assert again.scores(rows).tolist() == fitted.scores(rows).tolist()
    row = dict(zip(NAMES, rows[0].tolist(), strict=True))
    assert abs(again.score(row) - fitted.scores(rows)[0]) < 1e-9


def test_the_shipped_scale_warns_of_more_than_it_tells() -> None:
    assert scale().information < scale().warning
