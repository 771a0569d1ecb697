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
    _NUMBER, *(_BYTES,) * 4, _NUMBER, _NUMBER, *(_BYTES,) * 3, _NUMBER,
    ctypes.c_uint64, _PLACE, _PLACE,
)  # fmt: skip


@cache
def compiled() -> ctypes.CDLL | None:
    """The library, if it was compiled."""
    return loaded(ALIGNER, {"footnote_align": _FUNCTION})


def align(text: Tokens, source: Tokens, start: int = 0, end: int | None = None) -> list[Segment]:
    """The corresponding segments of two token streams, of the first from `start` to `end`, in the order of the text."""
    end = len(text) if end is None else end
    library = compiled()
    if library is None:
        return [each.moved(start) for each in alignment.align(text.part(start, end), source)]
    return straightened(*compared(text, source, library, start, end))


def compared(
    text: Tokens, source: Tokens, library: ctypes.CDLL, start: int, end: int
) -> tuple[list[Segment], list[Segment]]:
    """The segments on the semi-abstract ids, and those on the exact ones where the former are not exact."""
    size = end - start
    room = np.empty((size // _TOKENS + 2) * _SEGMENT.size, np.uint8)
    places = np.empty((3, 2 * size), np.intp)
    count = library.footnote_align(
        text.exact[start:end].tobytes(), text.abstract[start:end].tobytes(),
        text.kinds[start:end].tobytes(), text.sizes[start:end].tobytes(), size, start,
        source.exact.tobytes(), source.abstract.tobytes(), source.kinds.tobytes(), len(source),
        NAME_ID, place(room), place(places),
    )  # fmt: skip
    if count < 0:
        raise MemoryError
    found: tuple[list[Segment], list[Segment]] = [], []
    at = equal_at = 0
    written = room[: count * _SEGMENT.size].data
    for *numbers, matches, equals, straight in _SEGMENT.iter_unpack(written):
        here, there = slice(at, at + matches), slice(equal_at, equal_at + equals)
        partners = places[1, here]
        values = (*numbers, places[0, here], partners, source.lines[partners], places[2, there])
        found[straight].append(Segment(*values))
        at, equal_at = at + matches, equal_at + equals
    return found
