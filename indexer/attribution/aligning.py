"""Compares a text with a passage: by native/aligner.c, or as alignment.py does where that was not compiled."""

import ctypes
import struct
from functools import cache

import numpy as np

from indexer.attribution import alignment
from indexer.attribution.alignment import Segment, straightened
from indexer.attribution.compiled_rows import loaded, place
from indexer.attribution.native.building import ALIGNER
from indexer.attribution.tokens import NAME_ID, Tokens

_SEGMENT = struct.Struct("6q3d5qd3q")  # as `segment` in aligner.c
_TOKENS = 7  # of the text, for one segment at most

_BYTES, _PLACE, _NUMBER = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64
_FUNCTION = (
    _NUMBER, *(_BYTES,) * 4, _NUMBER, *(_BYTES,) * 3, _NUMBER, ctypes.c_uint64, _PLACE, _PLACE,
)  # fmt: skip


@cache
def compiled() -> ctypes.CDLL | None:
    """The library, if it was compiled."""
    return loaded(ALIGNER, {"footnote_align": _FUNCTION})


def align(text: Tokens, source: Tokens) -> list[Segment]:
    """The corresponding segments of two token streams, in the order of the text."""
    library = compiled()
    if library is None:
        return alignment.align(text, source)
    return straightened(*compared(text, source, library))


def compared(
    text: Tokens, source: Tokens, library: ctypes.CDLL
) -> tuple[list[Segment], list[Segment]]:
    """The segments on the semi-abstract ids, and those on the exact ones where the former are not exact."""
    size = len(text)
    room = np.empty((size // _TOKENS + 2) * _SEGMENT.size, np.uint8)
    places = np.empty((3, 2 * size), np.intp)
    columns = text.exact, text.abstract, text.kinds, text.sizes
    others = source.exact, source.abstract, source.kinds
    count = library.footnote_align(
        *(each.tobytes() for each in columns), size,
        *(each.tobytes() for each in others), len(source),
        NAME_ID, place(room), place(places),
    )  # fmt: skip
    if count < 0:
        raise MemoryError
    found: tuple[list[Segment], list[Segment]] = [], []
    at = equal_at = 0
    written = room[: count * _SEGMENT.size].data
    for *numbers, matched, equal, straight in _SEGMENT.iter_unpack(written):
        here, there = slice(at, at + matched), slice(equal_at, equal_at + equal)
        values = (*numbers, places[0, here], places[1, here], places[2, there])
        found[straight].append(Segment(*values))
        at, equal_at = at + matched, equal_at + equal
    return found
