"""A part of a text that lexes as it would inside the whole: strings and comments left open are opened again."""

from indexer.attribution.families import Family
from indexer.attribution.lexing import lexer_of_family


def excerpt(text: str, first: int, last: int, family: Family) -> str:
    """Lines `first` to `last` (0-based, last excluded) of a text with unified line ends."""
    lines = text.split("\n")
    part = "\n".join(lines[first:last])
    return (
        lexer_of_family(family).opening("\n".join(lines[:first]) + "\n") + part if first else part
    )


def tail(text: str, lines: int, family: Family) -> tuple[str, int]:
    """The last lines of a text as an excerpt, and how many lines were left away."""
    cut = len(text)
    for _ in range(lines):
        cut = text.rfind("\n", 0, cut)
        if cut < 0:
            return text, 0
    before = text[: cut + 1]
    return lexer_of_family(family).opening(before) + text[cut + 1 :], before.count("\n")
