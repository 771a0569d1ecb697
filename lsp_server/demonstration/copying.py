"""A function of the corpus as somebody might have copied it: the same code with other names."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.document import Document

_LINES = range(18, 36)
_FEWEST_NAMES = 6
_NEW_NAMES = (
    "entry", "probe", "bucket", "limit", "cursor", "state", "piece", "source", "target", "marker",
    "offset", "amount", "handle", "record", "answer", "holder", "origin", "window", "branch", "token",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Copy:
    """The copied function, and whose it is."""

    name: str
    text: str
    renamed: int  # names that are different
    package: str
    version: str
    path: str
    start_line: int  # of the original, from 1
    end_line: int


def renamed_copy(documents: Iterable[Document]) -> Copy | None:
    """The first function that is long and plain enough, with every local name changed."""
    for document in documents:
        if document.language != "python" or "test" in document.path or not document.text.isascii():
            continue
        try:
            tree = ast.parse(document.text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and (copy := _copy(document, node)) is not None:
                return copy
    return None


def _copy(document: Document, node: ast.FunctionDef) -> Copy | None:
    first, last = node.lineno, node.end_lineno or node.lineno
    names = _locals(node)
    plain = not any(isinstance(each, ast.Global | ast.Nonlocal) for each in ast.walk(node))
    if last - first + 1 not in _LINES or len(names) < _FEWEST_NAMES or not plain:
        return None
    if _code_lines(document.text.split("\n")[first - 1 : last], node) < _LINES.start:
        return None
    new = _new_names(names, _all_names(node))
    lines = document.text.split("\n")
    for line, column, old in sorted(_occurrences(node, names), reverse=True):
        text = lines[line]
        lines[line] = text[:column] + new[old] + text[column + len(old) :]
    return Copy(
        node.name,
        "\n".join(lines[first - 1 : last]) + "\n",
        len(names),
        document.package,
        document.version,
        document.path,
        first,
        last,
    )


def _locals(node: ast.FunctionDef) -> list[str]:
    """Arguments and assigned names, in the order in which they appear."""
    found = {argument.arg: None for argument in ast.walk(node) if isinstance(argument, ast.arg)}
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            found[each.id] = None
    return [name for name in found if name not in {"self", "cls", "_"}]


def _all_names(node: ast.FunctionDef) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} | set(dir(builtins))


def _new_names(old: list[str], taken: set[str]) -> dict[str, str]:
    free = (name for name in _NEW_NAMES if name not in taken)
    numbered = (f"value_{number}" for number in count(1))
    return {name: next(free, None) or next(numbered) for name in old}


def _occurrences(node: ast.FunctionDef, names: list[str]) -> set[tuple[int, int, str]]:
    """Line and column, both from 0, of every use of the names."""
    wanted = set(names)
    found = set()
    for each in ast.walk(node):
        name = each.id if isinstance(each, ast.Name) else getattr(each, "arg", None)
        # The argument of a call is somebody else's name.
        if isinstance(each, ast.Name | ast.arg) and name in wanted:
            found.add((each.lineno - 1, each.col_offset, str(name)))
    return found


def _code_lines(lines: list[str], node: ast.FunctionDef) -> int:
    """Lines that hold code: neither blank, nor comment, nor docstring."""
    doc = node.body[0]
    prose = range(0)
    if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant):
        prose = range(doc.lineno - node.lineno, (doc.end_lineno or doc.lineno) - node.lineno + 1)
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#") and at not in prose
        for at, line in enumerate(lines)
    )
