"""The lexer of native/lexer.c, called with arrays of numpy's. Nothing is held while it runs: other threads go on."""

import ctypes
import struct
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.attribution.families import Family
from indexer.attribution.tokens import NAME_ID, NUMBER_ID, STRING_ID, Reading, Tokens

# As `columns_in` in lexer.c: where each begins, in bytes for every byte of text. First the widest.
_COLUMNS = (
    (0, np.dtype(np.uint64)), (8, np.dtype(np.uint64)), (16, np.dtype(np.int32)),
    (28, np.dtype(np.uint8)), (29, np.dtype(np.uint8)),
    (20, np.dtype(np.int32)), (24, np.dtype(np.int32)),
)  # fmt: skip
_WIDTH = 30
_SPAN = struct.Struct("8s8s7B")


class _Family(ctypes.Structure):
    """As `family` in lexer.c."""

    _fields_ = (
        ("spans", ctypes.c_void_p),
        ("ids", ctypes.c_void_p),
        ("kinds", ctypes.c_void_p),
        ("mask", ctypes.c_uint64),
        ("name_id", ctypes.c_uint64),
        ("number_id", ctypes.c_uint64),
        ("string_id", ctypes.c_uint64),
        ("first", ctypes.c_uint16 * 256),
        ("n_spans", ctypes.c_int32),
        ("docstrings", ctypes.c_uint8),
        ("renames", ctypes.c_uint8),
        ("folds", ctypes.c_uint8),
    )


class CompiledLexer:
    """Cuts the texts of one family. Safe to share between threads."""

    def __init__(self, family: Family, library: Path) -> None:
        self._library = _loaded(library)
        self._kept = _packed_spans(family), *_hashed(family.reserved())
        spans, ids, kinds = self._kept
        first = (ctypes.c_uint16 * 256)()
        for number, span in reversed(list(enumerate(family.spans))):
            first[ord(span.opening[0])] = number + 1
        self._family = _Family(
            spans.ctypes.data, ids.ctypes.data, kinds.ctypes.data, len(ids) - 1,
            NAME_ID, NUMBER_ID, STRING_ID, first,
            len(family.spans), family.docstrings, family.abstract, family.folds,
        )  # fmt: skip
        self._place = ctypes.addressof(self._family)

    def read(self, data: bytes) -> Reading:
        """The tokens of a text in UTF-8 with unified line ends."""
        size = len(data)
        # One column behind the other, as long as the text: more tokens than bytes there cannot be.
        room = np.empty(size * _WIDTH, np.uint8)
        count = self._library.footnote_lex(self._place, data, size, room.ctypes.data)
        exact, abstract, lines, kinds, sizes, starts, ends = [
            room[start * size : start * size + count * kind.itemsize].view(kind).copy()
            for start, kind in _COLUMNS
        ]
        return Reading(data, Tokens(exact, abstract, lines, kinds, sizes), starts, ends)

    def open(self, data: bytes) -> int:
        """Where a string or comment begins that nothing closes, or -1."""
        return int(self._library.footnote_open(self._place, data, len(data)))


@cache
def _loaded(library: Path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(library))
    text = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64
    for function, arguments in (
        (loaded.footnote_lex, (*text, ctypes.c_void_p)),
        (loaded.footnote_open, text),
    ):
        function.restype, function.argtypes = ctypes.c_int64, arguments
    return loaded


def _packed_spans(family: Family) -> npt.NDArray[np.uint8]:
    packed = bytearray()
    for span in family.spans:
        opening, closing = span.opening.encode(), span.closing.encode()
        numbers = (
            len(opening),
            len(closing),
            span.kind,
            span.escapes,
            span.doubles,
            span.lines,
            span.shape,
        )
        packed += _SPAN.pack(opening, closing, *numbers)
    return np.frombuffer(bytes(packed) or b"\0", np.uint8)


def _hashed(reserved: dict[int, int]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """An open hash table by the lowest bits; 0 is free."""
    size = 1 << (2 * len(reserved) + 1).bit_length()
    ids, kinds = np.zeros(size, np.uint64), np.zeros(size, np.uint8)
    for word, kind in reserved.items():
        place = word & (size - 1)
        while ids[place]:
            place = (place + 1) & (size - 1)
        ids[place], kinds[place] = word, kind
    return ids, kinds
