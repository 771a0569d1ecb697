"""Cuts passages of a given length out of files, from one border between statements to another."""

import ast
import re
import textwrap
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from trainer.evaluation.syntax import parsed

SCRIPTS = ("javascript", "javascriptreact", "typescript", "typescriptreact")
_LEXEME = re.compile(r"\w+|[^\w\s]")
_LEAST_CODE = 0.6  # of the lines that are not blank
_LEAST_WORDS = 0.3  # of the lexemes: fewer are a table of literals


@dataclass(frozen=True, slots=True)
class Passage:
    """Whole statements as they stand in their file, without their common indentation."""

    text: str
    first_line: int  # 1-based, in its file
    last_line: int

    @property
    def lexemes(self) -> int:
        return len(lexemes(self.text))


def lexemes(text: str) -> list[str]:
    """Words and marks; a count that owes nothing to the lexer under test."""
    return _LEXEME.findall(text)


def passages(text: str, language: str, lines: int) -> list[Passage]:
    """The passages of about `lines` lines that are not blank: at most a tenth more, or one."""
    rows = text.splitlines()
    return list(_cut(rows, _spans(text, rows, language, lines), language))


def draw_passage(text: str, language: str, lines: int, rng: Random) -> Passage | None:
    """One of them, without cutting all."""
    rows = text.splitlines()
    spans = _spans(text, rows, language, lines)
    rng.shuffle(spans)
    return next(_cut(rows, spans, language), None)


def _spans(text: str, rows: list[str], language: str, lines: int) -> list[tuple[int, int]]:
    found = _python_spans(text, lines) if language == "python" else _script_spans(rows, lines)
    return list(dict.fromkeys(found))


def _cut(rows: list[str], spans: Iterable[tuple[int, int]], language: str) -> Iterator[Passage]:
    for first, last in spans:
        part = textwrap.dedent("\n".join(rows[first - 1 : last]))
        if _says_something(part, language):
            yield Passage(part, first, last)


def _most(lines: int) -> int:
    return lines if lines < 10 else lines + max(1, lines // 10)


def _says_something(part: str, language: str) -> bool:
    """Whether this is code: not mostly remarks, imports or a table."""
    marks = _PYTHON_REMARKS if language == "python" else _SCRIPT_REMARKS
    rows = [row.strip() for row in part.splitlines() if row.strip()]
    code = sum(not row.startswith(marks) for row in rows)
    code -= _docstring_lines(part, language) + _import_lines(part, language)
    found = lexemes(part)
    words = sum(each[0].isalpha() or each[0] == "_" for each in found)
    return code >= _LEAST_CODE * len(rows) and words >= _LEAST_WORDS * len(found)


_PYTHON_REMARKS = ("#", '"""', "'''", 'r"""', "r'''", 'R"""', "import ", "from ")
_SCRIPT_REMARKS = ("//", "/*", "*", "import ", "export * from", "export {")


# How an import of a script goes on over lines, and what older ones import with.
_SCRIPT_IMPORT = re.compile(
    r"""^[ \t]*(?:(?:import|export)\b[^;'"()=]*?\bfrom\s*['"]|(?:const|let|var)\b[^;'"()]*=[^;'"]*\brequire\()""",
    re.MULTILINE,
)


def _import_lines(part: str, language: str) -> int:
    """The lines of imports that do not begin with the word."""
    if language == "python":
        tree = parsed(part)
        spans = [
            (each.lineno, each.end_lineno or each.lineno)
            for each in (ast.walk(tree) if tree else ())
            if isinstance(each, ast.Import | ast.ImportFrom)
        ]
        rows = part.splitlines()
        return sum(bool(row.strip()) for first, last in spans for row in rows[first:last])
    found = _SCRIPT_IMPORT.finditer(part)
    rows = [row.strip() for each in found for row in each[0].strip().splitlines()]
    return sum(bool(row) and not row.startswith(_SCRIPT_REMARKS) for row in rows)


def _docstring_lines(part: str, language: str) -> int:
    if language != "python":
        return 0
    # The first line of a docstring is counted as a remark by its quotes already.
    strings = re.findall(
        r'^\s*[rR]?(?:"""|\'\'\').*?(?:"""|\'\'\')\s*$', part, re.DOTALL | re.MULTILINE
    )
    return sum(sum(bool(row.strip()) for row in each.splitlines()) - 1 for each in strings)


def _python_spans(text: str, lines: int) -> Iterator[tuple[int, int]]:
    tree = parsed(text)
    if tree is None:
        return
    full = [number for number, row in enumerate(text.splitlines(), 1) if row.strip()]

    def count(first: int, last: int) -> int:
        return bisect_left(full, last + 1) - bisect_left(full, first)

    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body: Any = getattr(node, name, None)
            if not isinstance(body, list):
                continue
            starts: list[int] = [_start(each) for each in body]
            if name == "body" and not isinstance(node, ast.Module | ast.Try):
                # A copy often begins with the head of a function or of a loop.
                starts = [_start(node), *starts]
            ends = [int(each.end_lineno or 0) for each in body]
            yield from _windows(starts, ends, lines, count)


def _windows(
    starts: list[int], ends: list[int], lines: int, count: Callable[[int, int], int]
) -> Iterator[tuple[int, int]]:
    number = 0
    for first in starts:
        while number < len(ends) and (ends[number] < first or count(first, ends[number]) < lines):
            number += 1
        if number < len(ends) and count(first, ends[number]) <= _most(lines):
            yield first, ends[number]


def _start(node: ast.AST) -> int:
    decorators = getattr(node, "decorator_list", [])
    lines = [getattr(each, "lineno", 1) for each in (node, *decorators)]
    return int(min(lines))


_SCRIPT_SKIPPED = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|"""
    r"""(?<=[=(,:!&|?;{}])\s*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/""",
    re.DOTALL,
)
_STATEMENT_ENDS = (";", "}", "{", "*/")


def blanked(text: str) -> str:
    """A script with its strings, comments and regular expressions made blank, line for line."""
    return _SCRIPT_SKIPPED.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def _script_spans(rows: list[str], lines: int) -> Iterator[tuple[int, int]]:
    """From a line after the end of a statement to one that ends one, as deep in brackets as it began."""
    bare = blanked("\n".join(rows)).split("\n")
    before, lowest, after = _depths(bare)
    for first in range(len(rows)):
        if not bare[first].strip() or bare[first].lstrip()[0] in ")}],.?:&|":
            continue
        previous = next((rows[n].strip() for n in range(first - 1, -1, -1) if rows[n].strip()), ";")
        if not previous.endswith(_STATEMENT_ENDS) and not previous.startswith(("//", "import ")):
            continue
        seen = 0
        for last in range(first, min(len(rows), first + 3 * lines)):
            seen += bool(rows[last].strip())
            if lowest[last] < before[first] or seen > _most(lines):
                break
            ended = bare[last].rstrip().endswith((";", "}"))
            if seen >= lines and after[last] == before[first] and ended:
                yield first + 1, last + 1
                break


def _depths(bare: list[str]) -> tuple[list[int], list[int], list[int]]:
    """For each line: brackets open before it, the fewest inside it, and after it."""
    before, lowest, after = [], [], []
    depth = 0
    for row in bare:
        before.append(depth)
        least = depth
        for mark in row:
            if mark in "([{":
                depth += 1
            elif mark in ")]}":
                depth -= 1
                least = min(least, depth)
        lowest.append(least)
        after.append(depth)
    return before, lowest, after
