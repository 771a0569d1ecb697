"""Compares a text with a passage: by native/aligner.c, or as alignment.py does where that was not compiled."""

import ctypes
import struct
from functools import cache
from pathlib import Path

import numpy as np

from indexer.attribution import alignment
from indexer.attribution.alignment import Segment, straightened
from indexer.attribution.native.building import ALIGNER, library
from indexer.attribution.tokens import NAME_ID, Tokens

_SEGMENT = struct.Struct("6q3d5qd3q")  # as `segment` in aligner.c
_TOKENS = 7  # of the text, for one segment at most


def align(text: Tokens, source: Tokens) -> list[Segment]:
    """The corresponding segments of two token streams, in the order of the text."""
    path = library(ALIGNER)
    if path is None:
        return alignment.align(text, source)
    return straightened(*compared(text, source, path))


def compared(text: Tokens, source: Tokens, path: Path) -> tuple[list[Segment], list[Segment]]:
    """The segments on the semi-abstract ids, and those on the exact ones where the former are not exact."""
    size = len(text)
    room = np.empty((size // _TOKENS + 2) * _SEGMENT.size, np.uint8)
    places = np.empty((3, 2 * size), np.intp)
    columns = text.exact, text.abstract, text.kinds, text.sizes
    others = source.exact, source.abstract, source.kinds
    count = _loaded(path).footnote_align(
        *(each.ctypes.data for each in columns), size,
        *(each.ctypes.data for each in others), len(source),
        NAME_ID, room.ctypes.data, places.ctypes.data,
    )  # fmt: skip
    if count < 0:
        raise MemoryError
    found: tuple[list[Segment], list[Segment]] = [], []
    at = equal_at = 0
    for *numbers, matched, equal, straight in _SEGMENT.iter_unpack(
        room[: count * _SEGMENT.size].data
    ):
        here, there = slice(at, at + matched), slice(equal_at, equal_at + equal)
        values = (*numbers, places[0, here], places[1, here], places[2, there])
        found[straight].append(Segment(*values))
        at, equal_at = at + matched, equal_at + equal
    return found


@cache
def _loaded(path: Path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(path))
    array, number = ctypes.c_void_p, ctypes.c_int64
    loaded.footnote_align.restype = number
    loaded.footnote_align.argtypes = (
        *(array,) * 4, number, *(array,) * 3, number, ctypes.c_uint64, array, array,
    )  # fmt: skip
    return loaded
