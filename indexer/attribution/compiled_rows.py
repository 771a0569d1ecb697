"""Rows of ids and hashes in native/aligner.c, called with arrays of numpy's.

Short rows go as bytes: to copy one costs less than to ask for its address.
"""

import ctypes
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from indexer.attribution.native.building import ALIGNER, library
from indexer.attribution.tokens import Ids, Places

Heads = npt.NDArray[np.uint32]

_BYTES, _PLACE, _NUMBER = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64
_FUNCTIONS = {
    "footnote_align": (
        _NUMBER, *(_BYTES,) * 4, _NUMBER, *(_BYTES,) * 3, _NUMBER, ctypes.c_uint64, _PLACE, _PLACE,
    ),
    "footnote_grams": (_NUMBER, _BYTES, _NUMBER, _NUMBER, _PLACE),
    "footnote_firsts": (_NUMBER, _BYTES, _NUMBER, _PLACE),
    "footnote_seek": (None, _PLACE, _NUMBER, _BYTES, _NUMBER, _PLACE),
    "footnote_told": (None, _PLACE, _PLACE, _NUMBER, _BYTES, *(_NUMBER,) * 3, _PLACE, _PLACE),
    "footnote_find": (
        None, _PLACE, ctypes.c_int, _PLACE, _NUMBER, _BYTES, _NUMBER, _PLACE, _PLACE,
    ),
}  # fmt: skip


@cache
def compiled() -> ctypes.CDLL | None:
    """The library, if it was compiled."""
    path = library(ALIGNER)
    if path is None:
        return None
    loaded = ctypes.CDLL(str(path))
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


def grams(rows: ctypes.CDLL, ids: Ids, k: int) -> Ids:
    """As the one in fingerprints.py."""
    hashes = np.empty(max(0, len(ids) - k + 1), np.uint64)
    if len(hashes):
        rows.footnote_grams(ids.tobytes(), len(ids), k, hashes.ctypes.data)
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
    rows.footnote_seek(row.ctypes.data, len(row), sought.tobytes(), len(sought), places.ctypes.data)
    return places


def firsts(values: Ids) -> Places:
    """Where each value stands first, in order."""
    rows = compiled()
    if rows is None:
        return np.sort(np.unique(values, return_index=True)[1])
    places = np.empty(len(values), np.intp)
    count = rows.footnote_firsts(values.tobytes(), len(values), places.ctypes.data)
    if count < 0:
        raise MemoryError
    return places[:count]


def told(
    rows: ctypes.CDLL,
    heads: Heads,
    values: npt.NDArray[np.uint8],
    ids: Ids,
    lengths: Sequence[int],
) -> npt.NDArray[np.uint8]:
    """What a table of hashes has for the run of each length that ends with each id, or 0; the lengths ascend by one."""
    found = np.empty((len(lengths), len(ids)), np.uint8)
    room = np.empty(len(ids), np.uint64)
    rows.footnote_told(
        heads.ctypes.data, values.ctypes.data, len(heads), ids.tobytes(), len(ids),
        lengths[0], lengths[-1], room.ctypes.data, found.ctypes.data,
    )  # fmt: skip
    return found


def runs(
    rows: ctypes.CDLL, starts: Heads, bits: int, keys: Heads, hashes: Ids
) -> tuple[Places, Places, Places]:
    """Which hashes a table of postings.py has, where the entries of each begin, and how many they are."""
    first, counts = np.empty((2, len(hashes)), np.intp)
    rows.footnote_find(
        starts.ctypes.data, bits, keys.ctypes.data, len(keys), hashes.tobytes(), len(hashes),
        first.ctypes.data, counts.ctypes.data,
    )  # fmt: skip
    there = np.flatnonzero(counts)
    return there, first[there], counts[there]
