"""Comparing by slices finds what comparing item by item finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.prefixes import common_prefix


@given(st.integers(0, 500), st.text("ab", max_size=40), st.text("ab", max_size=40))
def test_the_common_prefix_is_as_long_as_items_are_the_same(
    length: int, one: str, other: str
) -> None:
    first, second = "a" * length + one, "a" * length + other
    expected = next(
        (
            place
            for place, pair in enumerate(zip(first, second, strict=False))
            if len(set(pair)) > 1
        ),
        min(len(first), len(second)),
    )

    assert common_prefix(first, second) == expected
    assert common_prefix(list(first), list(second)) == expected
