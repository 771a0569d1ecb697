"""What two sequences begin with alike."""

from collections.abc import Sequence
from typing import Any


def common_prefix(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many items are the same from the beginning on, of two of the same type.

    In strides and then by halves, for slices are compared much faster than items one by one.
    """
    low, end, stride = 0, min(len(one), len(other)), 16
    while low < end and one[low : low + stride] == other[low : low + stride]:
        low, stride = low + stride, stride * 4
    high = min(low + stride, end)
    if one[low:high] == other[low:high]:  # the shorter one ends here
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low
