"""Whether a place in source text is in a comment or a string, where what is written is prose."""

import re
from functools import cache

_HASH_COMMENTS = frozenset(
    "python shellscript yaml toml ruby perl r julia makefile dockerfile cmake elixir nix "
    "powershell coffeescript properties ini".split()
)
_DASH_COMMENTS = frozenset("lua sql haskell elm ada vhdl".split())
_NO_COMMENTS = frozenset(
    "markdown plaintext text git-commit gitcommit scminput json html xml restructuredtext".split()
)
_LONG_STRINGS = frozenset("python toml julia elixir swift kotlin java scala groovy dart".split())
# Where an apostrophe is a lifetime, a type, a quoted symbol or the like.
_APOSTROPHES = frozenset("rust haskell ocaml fsharp clojure scheme lisp ada vhdl verilog".split())
_QUOTES = "\"'`"
_BLOCK_COMMENT = re.compile(r"^[ \t]*/\*", re.MULTILINE)
# Where no string is open: a definition. An example in a docstring may look like one.
_DEFINITION = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:def|class)\b", re.MULTILINE)
_FAR = 16_000  # characters before a place that are looked at


def in_prose(before: str, language: str, *, whole: bool) -> bool:
    """Whether a place behind this text is in a comment or a docstring; `whole` as below."""
    whole = whole and len(before) <= _FAR
    before = before[-_FAR:]
    return (
        in_comment(before[before.rfind("\n") + 1 :], language)
        or in_block_comment(before, language)
        or in_long_string(before, language, whole=whole)
    )


def comment_mark(language: str) -> str:
    """What begins a comment to the end of the line in a language; empty if nothing does."""
    if language in _NO_COMMENTS:
        return ""
    if language in _HASH_COMMENTS:
        return "#"
    return "--" if language in _DASH_COMMENTS else "//"


def in_comment(line_before: str, language: str) -> bool:
    """Whether a place behind this beginning of a line is in a comment that ends with the line."""
    mark = comment_mark(language)
    return bool(mark) and _inside(line_before, language) == mark


def in_string(line_before: str, language: str) -> bool:
    """Likewise, in a string that began on the line."""
    return _inside(line_before, language) in [*_QUOTES]


def _inside(line_before: str, language: str) -> str:
    """What a place on a line is in: the quote of a string, the mark of a comment, or nothing."""
    if not (mark := comment_mark(language)):
        return ""
    quotes = _QUOTES.replace("'", "") if language in _APOSTROPHES else _QUOTES
    quote = ""
    for index, character in enumerate(line_before):
        if quote:
            if character == quote and line_before[index - 1] != "\\":
                quote = ""
        elif character in quotes:
            quote = character
        elif line_before.startswith(mark, index):
            return mark
    return quote


def in_block_comment(before: str, language: str) -> bool:
    """Whether a place behind this text is in a comment that began on a line of its own with `/*`."""
    if comment_mark(language) != "//":
        return False
    start = max((found.start() for found in _BLOCK_COMMENT.finditer(before)), default=len(before))
    return start < len(before) and "*/" not in before[start:]


def in_long_string(before: str, language: str, *, whole: bool) -> bool:
    """Whether a place behind this text is in a string of three quotes.

    `whole` says that the text is all there is before the place. Otherwise it may begin inside such
    a string, and is read from the last definition on; without one nothing is claimed.
    """
    if language not in _LONG_STRINGS or ('"""' not in before and "'''" not in before):
        return False
    start = 0
    if not whole:
        start = max((found.start() for found in _DEFINITION.finditer(before)), default=len(before))
    means = _means(comment_mark(language))
    while found := means.search(before, start):
        what, start = found.group(), found.end()
        if what in ('"""', "'''"):
            end = before.find(what, start)
            if end < 0:
                return True
            start = end + len(what)
    return False


@cache
def _means(mark: str) -> re.Pattern[str]:
    """Three quotes, and what three quotes mean nothing in: comments, and strings of a line."""
    strings = "|".join(rf"{quote}(?:\\.|[^{quote}\\\n])*{quote}?" for quote in "\"'")
    return re.compile(rf"\"\"\"|'''|{re.escape(mark)}[^\n]*|{strings}")
