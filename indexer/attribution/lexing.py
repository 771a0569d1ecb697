"""Turns text into two streams of token ids, one exact and one with names and literals abstracted.

N1 keeps every token but layout, parentheses, trailing commas, statement ends and the kind of quote: what
formatters add and take away. Two names side by side still tell a call. N2b ("semi-abstract") also writes V
for every name except attributes, keywords and called builtins, N for numbers and S for strings, so that a
consistent renaming leaves it as it was. Both have one id per token at the same positions. The words of
docstrings and comments stand among the code as tokens of the kind PROSE: a short function is often known by
its documentation.
"""

import re
from functools import cache
from typing import NamedTuple

import numpy as np

from indexer.attribution.compiled import CompiledLexer
from indexer.attribution.families import FAMILIES, HEREDOC, RAW, Family, family_of
from indexer.attribution.native.building import library
from indexer.attribution.patterns import PatternLexer
from indexer.attribution.tokens import ARGUMENT, NAME, Reading, Tokens, joined

# What web pages and word processors indent with in place of a space, and what is not seen at all, in UTF-8.
_BLANKS = re.compile(
    rb"\xc2\xa0|\xe1\x9a\x80|\xe2\x80[\x80-\x8b\xaf]|\xe2\x81\x9f|\xe3\x80\x80|\xef\xbb\xbf"
)


def unify_line_ends(text: str) -> str:
    """Every line end as one line feed; the number of lines stays what an editor counts."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


class Lexer:
    """Cuts the texts of one family, and what stands in them of others. Safe to share between threads."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def read(self, text: str) -> Reading:
        """The tokens of a text and where they are written.

        Any text has some: there is no such thing as a syntax error here.
        """
        return self.read_data(unify_line_ends(text).encode("utf-8", "surrogatepass"))

    def read_data(self, data: bytes) -> Reading:
        """The same of a text in UTF-8 with unified line ends. Blanks of other kinds are read as spaces."""
        if not data.isascii():
            data = _BLANKS.sub(lambda blank: b" " * len(blank[0]), data)
        parts = _parts(data, self._family)
        return joined([_reader(each.family).read(each.data) for each in parts])

    def tokens(self, text: str) -> Tokens:
        return self.read(text).tokens

    def names(self, text: str, start: int, end: int) -> list[str]:
        """The names, as written, among the tokens from `start` up to `end`."""
        reading = self.read(text)
        kinds = reading.tokens.kinds[start:end]
        return reading.words(start + np.flatnonzero((kinds == NAME) | (kinds == ARGUMENT)))

    def is_open(self, data: bytes) -> int:
        """Where in a text of this family alone a string or comment begins that nothing closes, or -1."""
        return _reader(self._family).open(data)

    def opening(self, before: str) -> str:
        """What to put in front of a text that follows `before`: the marks of what is still open there, or ""."""
        opened = self.opening_of(before.encode("utf-8", "surrogatepass"))
        return opened.decode("utf-8", "surrogatepass")

    def opening_of(self, before: bytes) -> bytes:
        """The same in UTF-8."""
        last = _parts(before, self._family)[-1]
        start = _reader(last.family).open(last.data)
        if start < 0:
            return last.within.encode()
        span = last.data[start:].decode("utf-8", "surrogatepass")
        return (last.within + _mark(span, last.family)).encode("utf-8", "surrogatepass")


class _Part(NamedTuple):
    family: Family
    data: bytes
    within: str = ""  # the tag that it is the inside of


def _parts(data: bytes, family: Family) -> list[_Part]:
    """A text in pieces of one family each. What is never closed is the last of them."""
    if not family.islands:
        return [_Part(family, data)]
    parts: list[_Part] = []
    end = 0
    inside = dict(family.islands)
    for tag, name, content in (match.regs[1:] for match in _element(family).finditer(data)):
        element = data[slice(*name)].lower().decode()
        parts.append(_Part(family, data[end : tag[1]]))
        parts.append(_Part(_family_named(inside[element]), data[slice(*content)], f"<{element}>"))
        end = content[1]
    if end < len(data) or not parts:
        parts.append(_Part(family, data[end:]))
    return parts


@cache
def _element(family: Family) -> re.Pattern[bytes]:
    names = "|".join(name for name, _ in family.islands)
    # The bound keeps a text of nothing but such beginnings from being read to its end from each of them.
    source = rf"(<({names})\b[^>]{{0,1000}}+>)(.*?)(?=</\2|\Z)"
    return re.compile(source.encode(), re.DOTALL | re.IGNORECASE)


def _mark(span: str, family: Family) -> str:
    """How a string or comment begins, without ending the line."""
    rule = next(each for each in family.spans if each.lines and span.startswith(each.opening))
    if rule.shape == HEREDOC:
        return span.partition("\n")[0] + " "
    if rule.shape == RAW:
        return span.partition("(")[0] + "("
    return rule.opening


@cache
def _reader(family: Family) -> CompiledLexer | PatternLexer:
    found = library()
    return PatternLexer(family) if found is None else CompiledLexer(family, found)


def _family_named(name: str) -> Family:
    return next(each for each in FAMILIES if each.name == name)


@cache
def lexer_of_family(family: Family) -> Lexer:
    """The lexer, shared by all, of a family."""
    return Lexer(family)


def lexer_of(language: str) -> Lexer:
    """The lexer, shared by all, of a language (an editor's language id)."""
    return lexer_of_family(family_of(language))
