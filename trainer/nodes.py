"""Syntax nodes of a source file as character spans: by `ast` for Python, by brackets elsewhere."""

import ast
import re
import warnings
from collections.abc import Iterator

Span = tuple[int, int]

_BRACKETS = {")": "(", "]": "[", "}": "{"}
_TOKENS = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|[()\[\]{}]")
_MAX_PARSE = 120_000  # characters; parsing more costs more than the variety is worth


def node_spans(text: str, language: str) -> list[Span]:
    """Sorted, distinct spans of expressions, statements and bodies; empty when none is found."""
    spans: set[Span] = set()
    if language == "python" and len(text) <= _MAX_PARSE and "\r" not in text:
        spans.update(_python_spans(text))
    if not spans:
        spans.update(_bracket_spans(text))
    return sorted(spans)


def _python_spans(text: str) -> Iterator[Span]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    lines = _Lines(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt)) and node.end_lineno is not None:
            yield lines.span(node, node)
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(node, ast.stmt):
            yield lines.span(body[0], body[-1])


class _Lines:
    """Turns ast's lines and UTF-8 columns into character offsets."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def offset(self, line: int, column: int) -> int:
        content = self.lines[line - 1]
        if not content.isascii():
            column = len(
                content.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore")
            )
        return self.starts[line - 1] + column

    def span(self, first: ast.expr | ast.stmt, last: ast.expr | ast.stmt) -> Span:
        end_line = last.end_lineno or last.lineno
        end_column = last.end_col_offset or 0
        return self.offset(first.lineno, first.col_offset), self.offset(end_line, end_column)


def _bracket_spans(text: str) -> Iterator[Span]:
    """What balanced brackets hold, and the strings."""
    opened: list[tuple[str, int]] = []
    for match in _TOKENS.finditer(text):
        found = match.group()
        if found in "([{":
            opened.append((found, match.end()))
        elif found in _BRACKETS:
            if opened and opened[-1][0] == _BRACKETS[found]:
                start = opened.pop()[1]
                if start < match.start():
                    yield start, match.start()
        elif len(found) > 2:
            yield match.start() + 1, match.end() - 1
