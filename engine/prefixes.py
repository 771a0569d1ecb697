"""What two sequences begin with alike."""

from collections.abc import Sequence
from typing import Any


def common_prefix(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many items are the same from the beginning on, of two of the same type.

    By halves, for slices are compared much faster than items one after the other.
    """
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low
