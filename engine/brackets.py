"""Brackets and quotes of source text of any language, good enough to count them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from engine.prose import comment_mark

PAIRS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = frozenset(PAIRS.values())
_QUOTES = "\"'`"


@dataclass(frozen=True, slots=True)
class Scan:
    """What a text opens and closes.

    `events` are (index, character) of brackets outside strings and comments, and of the quote that
    ends a string which was open before the text. `quote` is the string still open at its end.
    """

    events: list[tuple[int, str]]
    quote: str


def scan(text: str, language: str, quote: str = "") -> Scan:
    """Walk over a text that begins inside the string of `quote`, if there is one.

    Strings end with their line, except those of three quotes and of backquotes.
    """
    outside = _outside(comment_mark(language))
    events: list[tuple[int, str]] = []
    inherited = bool(quote)
    index = 0
    while found := (_INSIDE[quote] if quote else outside).search(text, index):
        what, index = found.group(), found.end()
        if quote:
            if what == quote and inherited:
                events.append((found.start(), quote))
            if what[0] != "\\":  # its own end, or that of the line
                quote, inherited = "", False
        elif what in PAIRS or what in CLOSERS:
            events.append((found.start(), what))
        elif what[0] in _QUOTES:
            quote = what
        else:  # a comment: up to the end of its line
            index = _line_end(text, index)
    return Scan(events, quote)


@cache
def _outside(mark: str) -> re.Pattern[str]:
    """What means something outside strings: quotes, comments, brackets, in this order."""
    quotes = "|".join(f"{each * 3}|{each}" for each in _QUOTES)
    comment = f"|{re.escape(mark)}" if mark else ""
    return re.compile(f"{quotes}{comment}|[{re.escape(''.join([*PAIRS, *CLOSERS]))}]")


def _inside(quote: str) -> re.Pattern[str]:
    """What means something in a string: escapes, its end, and the end of the line for some."""
    line = "|\n" if quote in "\"'" else ""
    return re.compile(rf"\\.?|{quote}{line}", re.DOTALL)


_INSIDE = {quote: _inside(quote) for each in _QUOTES for quote in (each, each * 3)}


def _line_end(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end


def unclosed(events: Sequence[tuple[int, str]]) -> list[str]:
    """The opening brackets that are still open at the end, outermost first."""
    stack: list[str] = []
    for _, character in events:
        if character in PAIRS:
            stack.append(character)
        elif stack and PAIRS[stack[-1]] == character:
            stack.pop()
    return stack


def unopened(events: Sequence[tuple[int, str]]) -> list[str]:
    """The closing brackets that close something from before, in order."""
    stack: list[str] = []
    loose: list[str] = []
    for _, character in events:
        if character in PAIRS:
            stack.append(character)
        elif character in CLOSERS:
            if stack:
                stack.pop()
            else:
                loose.append(character)
    return loose


def left_open(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Of the brackets open before the gap, outermost first, those that nothing after it closes.

    A closer after the gap takes the innermost bracket of its kind; those further in stay open.
    """
    taken: set[int] = set()
    place = len(before) - 1
    for closer in after:
        while place >= 0 and PAIRS[before[place]] != closer:
            place -= 1
        if place < 0:
            break
        taken.add(place)
        place -= 1
    return [each for index, each in enumerate(before) if index not in taken]


def open_quote(line_before: str, language: str) -> str:
    """The quote of the string that a gap behind this text stands in; empty if in none."""
    return scan(line_before, language).quote
