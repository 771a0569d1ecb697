"""Rows of ids and hashes in native/aligner.c, called with arrays of numpy's.

Short rows go as bytes: to copy one costs less than to ask for its address.
"""

import ctypes
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
    "footnote_seek": (None, _PLACE, _NUMBER, _BYTES, _NUMBER, _PLACE),
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


def seek(row: Heads, sought: Heads) -> Places:
    """Where in a sorted row of hashes each of some others would stand, before its equals."""
    rows = compiled()
    if rows is None:
        return np.searchsorted(row, sought)
    places = np.empty(len(sought), np.intp)
    rows.footnote_seek(row.ctypes.data, len(row), sought.tobytes(), len(sought), places.ctypes.data)
    return places
