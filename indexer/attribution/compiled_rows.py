"""Rows of ids and hashes in native/rows.c, called with arrays of numpy's.

Short rows go as bytes: to copy one costs less than to ask for its address.
"""

import ctypes
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.attribution.native.building import ROWS, library
from indexer.attribution.tokens import Ids, Places

Heads = npt.NDArray[np.uint32]
Lengths = npt.NDArray[np.uint8]

_BYTES, _PLACE, _NUMBER = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64
_FUNCTIONS = {
    "footnote_grams": (_NUMBER, _BYTES, _NUMBER, _NUMBER, _PLACE),
    "footnote_numbered": (_NUMBER, _BYTES, _NUMBER, _PLACE),
    "footnote_seek": (None, _PLACE, _NUMBER, _BYTES, _NUMBER, _PLACE),
    "footnote_longest": (None, _PLACE, _NUMBER, _BYTES, *(_NUMBER,) * 3, _PLACE, _PLACE),
    "footnote_shapes": (_NUMBER, _BYTES, _BYTES, _NUMBER, _NUMBER, ctypes.c_uint64, _PLACE),
    "footnote_line_span": (None, _BYTES, *(_NUMBER,) * 3, _PLACE),
    "footnote_hits": (
        _NUMBER, _PLACE, _BYTES, _BYTES, *(_NUMBER,) * 3, _BYTES, _NUMBER, _NUMBER, _PLACE, _NUMBER, _PLACE,
        _NUMBER, _PLACE,
    ),
    "footnote_chains": (
        _NUMBER, *(_BYTES,) * 5, _NUMBER, _BYTES, _PLACE, _NUMBER, *(_NUMBER,) * 5, _PLACE, _PLACE,
    ),
}  # fmt: skip
_Place = ctypes.c_char * 0


@cache
def compiled() -> ctypes.CDLL | None:
    """The library, if it was compiled."""
    return loaded(ROWS, _FUNCTIONS)


def loaded(kind: str, functions: Mapping[str, Sequence[Any]]) -> ctypes.CDLL | None:
    """A library with what each of its functions returns and takes, if it was compiled."""
    path = library(kind)
    if path is None:
        return None
    opened = ctypes.CDLL(str(path))
    for name, (result, *arguments) in functions.items():
        function = getattr(opened, name)
        function.restype, function.argtypes = result, arguments
    return opened


def place(array: Any) -> Any:
    """Where an array is that may be written to; numpy tells it at four times the cost."""
    return _Place.from_buffer(array)


def grams(rows: ctypes.CDLL, ids: Ids, k: int) -> Ids:
    """As the one in fingerprints.py."""
    hashes = np.empty(max(0, len(ids) - k + 1), np.uint64)
    if len(hashes):
        rows.footnote_grams(ids.tobytes(), len(ids), k, place(hashes))
    return hashes


def heads_of(hashes: Ids) -> Heads:
    """Their upper halves, by which tables have them."""
    return (hashes >> np.uint64(32)).astype(np.uint32)


def seek(row: Heads, sought: Heads) -> Places:
    """Where in a sorted row of hashes each of some others would stand, before its equals."""
    rows = compiled()
    if rows is None:
        return np.searchsorted(row, sought)
    places = np.empty(len(sought), np.intp)
    rows.footnote_seek(place(row), len(row), sought.tobytes(), len(sought), place(places))
    return places


def firsts(values: Ids) -> Places:
    """Where each value stands first, in order."""
    return numbered(values)[0]


def numbered(values: Ids) -> tuple[Places, Places]:
    """Where each different value stands first, in order, and for every value the number of the one that it is."""
    rows = compiled()
    if rows is None:
        return numbered_by_numpy(values)
    out = np.empty((2, len(values)), np.intp)
    count = rows.footnote_numbered(values.tobytes(), len(values), place(out))
    if count < 0:
        raise MemoryError
    return out[0, :count], out[1]


def numbered_by_numpy(values: Ids) -> tuple[Places, Places]:
    """The same, where nothing was compiled."""
    _, first, which = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(order), np.intp)
    number[order] = np.arange(len(order))
    return first[order], number[which]


def longest(rows: ctypes.CDLL, heads: Heads, ids: Ids, lengths: Sequence[int]) -> Lengths:
    """As Phrases.longest in phrases.py; the lengths ascend by one."""
    found = np.empty(len(ids), np.uint8)
    room = np.empty(len(ids), np.uint64)
    rows.footnote_longest(
        place(heads), len(heads), ids.tobytes(), len(ids), lengths[0], lengths[-1],
        place(room), place(found),
    )  # fmt: skip
    return found
