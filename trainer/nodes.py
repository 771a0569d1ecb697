"""Syntax nodes near a place of a source file: by `ast` for Python, by brackets elsewhere.

Only the function or statement around the place is parsed. Whole files would take longer than all
the rest of making an example: `ast` reads about 1 MB/s, and one example in seven asks for a node.
"""

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from random import Random

Span = tuple[int, int]

_BRACKETS = {")": "(", "]": "[", "}": "{"}
_TOKENS = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|[()\[\]{}]")
_REGION = 8_000  # characters that are looked at, at most
# A line that goes on with the statement before it, or says nothing.
_GOES_ON = re.compile(r"[ \t]*(?:[)\]}#]|(?:else|elif|except|finally|case)\b|$)", re.MULTILINE)
_OPENS = re.compile(r"[ \t]*(?:@|async[ \t]|def[ \t]|class[ \t])")


def nodes_near(text: str, language: str, place: int) -> list[Span]:
    """Sorted, distinct spans of expressions, statements and bodies around a character of the text."""
    start, end = _region(text, place) if language == "python" else _window(text, place)
    spans: set[Span] = set()
    if language == "python":
        spans.update(_python_spans(text[start:end], start))
    if not spans:
        spans.update(_bracket_spans(text, start, end))
    return sorted(spans)


def nodes_within(
    text: str, language: str, within: Span, rng: Random
) -> Callable[[], Sequence[Span]]:
    """Each call draws another place between two characters and gives the nodes near it."""
    return lambda: nodes_near(text, language, rng.randrange(*within))


def _window(text: str, place: int) -> Span:
    """Whole lines around the place."""
    start = text.rfind("\n", 0, max(0, place - _REGION // 2)) + 1
    end = text.find("\n", min(len(text), place + _REGION // 2))
    return start, len(text) if end < 0 else end


def _region(text: str, place: int) -> Span:
    """The innermost function, class or statement at the margin that the place is in."""
    low, high = _window(text, place)
    start = text.rfind("\n", 0, place) + 1
    inside = _indent(text, start)
    while start > low:
        indent = _indent(text, start)
        is_blank = _GOES_ON.match(text, start) is not None
        if not is_blank and (indent == 0 or (_OPENS.match(text, start) and indent <= inside)):
            break
        start = text.rfind("\n", low, start - 1) + 1 or low
    indent = _indent(text, start)
    is_decorated = text.startswith("@", start + indent)
    end = text.find("\n", start, high)
    while 0 <= end < high:
        following = end + 1
        if not _GOES_ON.match(text, following) and _indent(text, following) <= indent:
            if not is_decorated:
                return start, end
            is_decorated = text.startswith("@", following + indent)
        end = text.find("\n", following, high)
    return start, high


def _indent(text: str, line: int) -> int:
    """Blanks at the start of the line that begins there."""
    end = line
    while end < len(text) and text[end] in " \t":
        end += 1
    return end - line


def _python_spans(text: str, offset: int) -> Iterator[Span]:
    """The nodes of some whole lines that stand at `offset`; they may be indented."""
    if "\r" in text:
        return  # ast counts it as a line end of its own
    is_indented = text[:1] in (" ", "\t")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(f"if 1:\n{text}" if is_indented else text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    lines = _Lines(text, offset, first=2 if is_indented else 1)
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt)) and node.lineno >= lines.first:
            yield lines.span(node, node)
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(node, ast.stmt):
            yield lines.span(body[0], body[-1])


class _Lines:
    """Turns ast's lines and UTF-8 columns into character offsets."""

    def __init__(self, text: str, offset: int, *, first: int) -> None:
        self.first = first  # ast's number of the first line
        self.lines = text.split("\n")
        self.starts = [offset]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def offset(self, line: int, column: int) -> int:
        content = self.lines[line - self.first]
        if not content.isascii():
            column = len(
                content.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore")
            )
        return self.starts[line - self.first] + column

    def span(self, first: ast.expr | ast.stmt, last: ast.expr | ast.stmt) -> Span:
        end_line = last.end_lineno or last.lineno
        end_column = last.end_col_offset or 0
        return self.offset(first.lineno, first.col_offset), self.offset(end_line, end_column)


def _bracket_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """What balanced brackets hold, and the strings."""
    opened: list[tuple[str, int]] = []
    for match in _TOKENS.finditer(text, start, end):
        found = match.group()
        if found in "([{":
            opened.append((found, match.end()))
        elif found in _BRACKETS:
            if opened and opened[-1][0] == _BRACKETS[found]:
                begin = opened.pop()[1]
                if begin < match.start():
                    yield begin, match.start()
        elif len(found) > 2:
            yield match.start() + 1, match.end() - 1
