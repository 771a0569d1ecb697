"""Code that stands inside of documents: blocks of Markdown and reStructuredText, and cells of notebooks.

Each is read in its own language, at the lines where it stands; all around it is left blank. Only texts that are
asked about are read so: as a document of the corpus such a file is plain words.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from indexer.attribution.families import DATA_LANGUAGES, PLAIN, family_of
from indexer.languages import NOTEBOOK, language_of

_MARKDOWN = frozenset({"markdown", "mdx", "quarto", "rmd"})
HOLDING = _MARKDOWN | {NOTEBOOK, "restructuredtext"}
"""The languages of documents that may hold code of others."""

_FENCE = re.compile(r"[ \t>]*(?:[-*+][ \t]+|\d+[.)][ \t]+)?(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_DIRECTIVE = re.compile(r"([ \t]*)\.\.[ \t]+(?:code|code-block|sourcecode|ipython)::[ \t]*(\S*)")
_WORD = re.compile(r"[A-Za-z][\w+#-]*")
_DIRECTIVES = ("code", "code-block", "code-cell", "sourcecode")  # of Markdown that knows some
_ALIASES = {
    "golang": "go", "ipython": "python", "node": "javascript", "shell": "shellscript", "console": "shellscript",
}  # fmt: skip
_CELL = re.compile(r'\s*"cell_type"\s*:\s*"(\w+)"')
_SOURCE = re.compile(r'\s*"source"\s*:\s*\[\s*$')
_ROW = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*,?\s*$')
_KERNEL = re.compile(r'"language"\s*:\s*"(\w+)"')


class _Block(NamedTuple):
    language: str  # "" where it is not said, which may be any
    first: int  # lines from 0
    last: int  # excluded


def code_in(text: str, language: str) -> list[tuple[str, str]]:
    """The languages of which a text with unified line ends holds code, and for each the text with nothing else."""
    if language not in HOLDING:
        return []
    lines = text.split("\n")
    by_language: dict[str, list[_Block]] = {}
    for each in _blocks(lines, language):
        by_language.setdefault(each.language, []).append(each)
    shown = list(map(_written, lines)) if language == NOTEBOOK else lines
    return [(name, _only(blocks, shown)) for name, blocks in by_language.items()]


def code_before(before: str, language: str) -> tuple[str, str] | None:
    """The language of the block that is open at the end of a text, and the text with nothing else; None without one."""
    lines = before.split("\n")
    last = None
    for each in _blocks(lines, language):
        last = each
    if last is None or last.last < len(lines):
        return None
    return last.language, _only([last], lines)


def _only(blocks: Sequence[_Block], lines: Sequence[str]) -> str:
    kept = [""] * len(lines)
    for each in blocks:
        kept[each.first : each.last] = lines[each.first : each.last]
    return "\n".join(kept)


def _blocks(lines: Sequence[str], language: str) -> Iterator[_Block]:
    if language in _MARKDOWN:
        yield from _known(_fenced(lines))
    elif language == "restructuredtext":
        yield from _known(_directed(lines))
    elif language == NOTEBOOK:
        kernel = _KERNEL.search("\n".join(lines))
        name = _named(kernel[1]) if kernel else "python"
        yield from (_Block(name, *cell) for cell in _cells(lines) if name is not None)


def _known(blocks: Iterator[tuple[str, int, int]]) -> Iterator[_Block]:
    for info, first, last in blocks:
        name = _named(info)
        if name is not None and last > first:
            yield _Block(name, first, last)


def _named(info: str) -> str | None:
    """The language that a block says it is in, "" where it says nothing, None where that is none we can tell apart."""
    words = [each.lower() for each in _WORD.findall(info)]
    if not words:
        return ""
    name = words[1] if words[0] in _DIRECTIVES and words[1:] else words[0]
    name = name.removeprefix("language-").rstrip("0123456789")
    name = _ALIASES.get(name) or language_of(f"_.{name}") or name
    return None if family_of(name) is PLAIN or name in DATA_LANGUAGES else name


def _fenced(lines: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """What is said about each block between fences, and its lines.

    A fence that names a language begins a block: the one before it, if any, was never closed.
    """
    opened: tuple[str, str, int] | None = None  # its mark, what it says, the line behind it
    for number, line in enumerate(lines):
        found = _FENCE.match(line)
        if not found:
            continue
        mark, info = found[1], found[2].strip()
        if opened is None:
            opened = mark, info, number + 1
        elif mark.startswith(opened[0]) and (not info or _named(info)):
            yield opened[1], opened[2], number
            opened = (mark, info, number + 1) if info else None
    if opened is not None:
        yield opened[1], opened[2], len(lines)


def _directed(lines: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """What is said about each block under a directive, and its lines: those that are indented deeper."""
    opened: tuple[int, str, int] | None = (
        None  # indentation, what the directive says, the line behind it
    )
    for number, line in enumerate(lines):
        if opened is not None and line.strip() and _indentation(line) <= opened[0]:
            yield opened[1], opened[2], number
            opened = None
        if opened is None and (found := _DIRECTIVE.match(line)):
            opened = _indentation(line), found[2], number + 1
    if opened is not None:
        yield opened[1], opened[2], len(lines)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _cells(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The lines of each cell of code, as notebooks are stored: one string for each line of the cell."""
    is_code, first = False, None
    for number, line in enumerate(lines):
        if first is not None and not _ROW.match(line):
            yield first, number
            first = None
        elif found := _CELL.match(line):
            is_code = found[1] == "code"
        elif is_code and _SOURCE.match(line):
            first = number + 1


def _written(line: str) -> str:
    """What a line of a notebook holds of its cell."""
    found = _ROW.match(line)
    try:
        return str(json.loads(found[1])).replace("\n", " ") if found else ""
    except ValueError:
        return ""
