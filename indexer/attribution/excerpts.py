"""A part of a text that lexes as it would inside the whole: strings and comments left open are opened again."""

from indexer.attribution.families import BRACES, PYTHON, SCRIPT, STRINGS_AND_COMMENTS, Family

_TRIPLE_MARKS = ('"""', "'''")


def unify_line_ends(text: str) -> str:
    """Every line end as one line feed; the number of lines stays what an editor counts."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def opening(before: str, family: Family) -> str:
    """What to put in front of a text that follows `before`: "" or the mark of what is still open there."""
    if family is PYTHON:
        # An odd count is cheap to see and nearly always tells; the exact answer takes reading all strings.
        if any(before.count(mark) % 2 for mark in _TRIPLE_MARKS):
            return _open_string(before)
    elif family in (SCRIPT, BRACES) and before.rfind("/*") > before.rfind("*/"):
        return "/*"
    return ""


def _open_string(before: str) -> str:
    last = ""
    for found in STRINGS_AND_COMMENTS.finditer(before):
        last = found.group()
    mark = last[:3]
    if mark in _TRIPLE_MARKS and before.endswith(last) and not _closed(last, mark):
        return mark
    return ""


def _closed(string: str, mark: str) -> bool:
    return len(string) >= 2 * len(mark) and string.endswith(mark)


def excerpt(text: str, first: int, last: int, family: Family) -> str:
    """Lines `first` to `last` (0-based, last excluded) of a text with unified line ends."""
    lines = text.split("\n")
    part = "\n".join(lines[first:last])
    return opening("\n".join(lines[:first]), family) + part if first else part


def tail(text: str, lines: int, family: Family) -> tuple[str, int]:
    """The last lines of a text as an excerpt, and how many lines were left away."""
    cut = len(text)
    for _ in range(lines):
        cut = text.rfind("\n", 0, cut)
        if cut < 0:
            return text, 0
    before = text[: cut + 1]
    return opening(before, family) + text[cut + 1 :], before.count("\n")
