"""A file's bytes as text to check, or why they are none."""

import re

from indexer.languages import NOTEBOOK

_PROBE = 8192  # bytes in which a zero byte or many control characters tell a binary file
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_DECLARED = re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
_CONTROLLED = 0.01  # share of control characters above which bytes are no text
_MINIFIED_FROM = 4096  # characters
_MINIFIED_LINE = 250  # characters of a line on average that nobody writes in code
# A line may be a paragraph, or the picture that a cell shows.
_PROSE = frozenset({"markdown", "restructuredtext", "plaintext", NOTEBOOK})


class NoText(Exception):
    """Why a file is not checked."""


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8 or as its mark or first lines say, else Windows' or ISO's Latin letters.

    Code is ASCII nearly everywhere: with a wrong guess a comment reads oddly, and is checked all the same.
    Raises NoText.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    probe = data[:_PROBE]
    if b"\0" in probe:
        raise NoText("binary")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if len(probe) - len(probe.translate(None, _CONTROL)) > _CONTROLLED * len(probe):
        raise NoText("binary")
    declared = _DECLARED.match(data)
    for encoding in (*((declared[1].decode(),) if declared else ()), "cp1252"):
        try:
            return data.decode(encoding)
        except (UnicodeError, LookupError):
            continue
    return data.decode("latin-1")


def is_minified(text: str, language: str) -> bool:
    """Whether lines are as long as no person writes them in code."""
    lines = text.count("\n") + text.count("\r") + 1
    return (
        language not in _PROSE and len(text) > _MINIFIED_FROM and len(text) > _MINIFIED_LINE * lines
    )
