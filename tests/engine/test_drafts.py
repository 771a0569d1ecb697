"""Guesses from the text itself: the longest run that stood before, its last place, and never more."""

from __future__ import annotations

import pytest

from engine.drafts import Lookup


@pytest.mark.parametrize(
    ("text", "most", "guess"),
    [
        ([1, 2, 3, 4, 5, 1, 2, 3], 4, [4, 5, 1]),  # no more than stood together
        ([7, 1, 2, 3, 4, 5, 8, 1, 2], 4, [3, 4]),
        ([1, 2, 3, 4, 5, 1, 2, 3], 1, [4]),
        ([1, 2, 3, 4, 5, 1, 2, 3], 0, []),
        ([1, 2, 3, 4, 5, 1, 2, 3], -1, []),
        ([9, 2, 3, 7, 1, 2, 3, 8, 5, 2, 3], 1, [8]),  # the last place of two
        ([1, 2, 3, 7, 2, 3, 8, 1, 2, 3], 1, [7]),  # three together before two
        ([*range(1, 9), 0, 6, 7, 4, 9, *range(1, 8)], 9, [8, 0, 6, 7, 4, 9]),  # six are enough
        ([3, 3, 3], 2, [3]),
        ([1, 2, 3], 4, []),
        ([1], 4, []),
        ([], 4, []),
        ([256, 1, 65536, 256, 2, 1], 1, [65536]),
        ([0x01020304, 0x03040102, 5, 0x03040304], 4, []),  # its bytes stand across two tokens
    ],
)
def test_what_followed_last_time(text: list[int], most: int, guess: list[int]) -> None:
    assert Lookup(text).guess(most) == guess


def test_what_is_added_is_looked_up_too() -> None:
    lookup = Lookup([1, 2])
    lookup.add([3, 1, 2])

    assert lookup.guess(2) == [3, 1]
