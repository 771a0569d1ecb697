"""A part of a text that lexes as it would inside the whole: strings and comments left open are opened again."""

import ctypes

import numpy as np

from indexer.attribution.compiled_rows import compiled
from indexer.attribution.families import Family
from indexer.attribution.lexing import lexer_of_family

_LINE_FEED = ord("\n")
_Span = ctypes.c_int64 * 2


def line_span(data: bytes, first: int, last: int) -> tuple[int, int]:
    """Where lines `first` to `last` (0-based, last excluded) begin and end in a text with unified line ends.

    Raises IndexError.
    """
    rows = compiled()
    if rows is None:
        return line_span_by_numpy(data, first, last)
    span = _Span()
    rows.footnote_line_span(data, len(data), first, last, span)
    start, end = span
    if start < 0:
        raise IndexError(first)
    return start, end


def line_span_by_numpy(data: bytes, first: int, last: int) -> tuple[int, int]:
    """The same, where nothing was compiled."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _LINE_FEED)
    start = int(ends[first - 1]) + 1 if first else 0
    return start, int(ends[last - 1]) if last <= len(ends) else len(data)


def excerpt(data: bytes, first: int, last: int, family: Family) -> bytes:
    """Lines `first` to `last` (0-based, last excluded) of a text in UTF-8 with unified line ends."""
    start, end = line_span(data, first, last)
    part = data[start:end]
    return lexer_of_family(family).opening_of(data[:start]) + part if start else part


def tail(text: str, lines: int, family: Family) -> tuple[str, int]:
    """The last lines of a text as an excerpt, and how many lines were left away."""
    cut = len(text)
    for _ in range(lines):
        cut = text.rfind("\n", 0, cut)
        if cut < 0:
            return text, 0
    before = text[: cut + 1]
    return lexer_of_family(family).opening(before) + text[cut + 1 :], before.count("\n")
