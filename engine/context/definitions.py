"""What a file defines at its outermost level, and each of it told in a few lines.

By regular expressions over lines: a file that is being written is seldom one that a parser takes.
"""

import re
from collections.abc import Iterator, Sequence

from engine.context.imports import SCRIPTS

_PYTHON = re.compile(
    r"^(?:async[ \t]+def|def|class)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]+)?=(?!=)", re.MULTILINE
)
_SCRIPT = re.compile(
    r"^(?:export[ \t]+)?(?:default[ \t]+)?(?:declare[ \t]+)?(?:abstract[ \t]+)?(?:async[ \t]+)?"
    r"(?:function\b\*?|class|const|let|var|interface|type|enum)[ \t]*([\w$]+)"
    r"|^(?:module\.)?exports\.([\w$]+)[ \t]*=",
    re.MULTILINE,
)
_MEMBER = re.compile(r"\s*(?:async\s+def|def)\s|\s*\w+\s*(?::|=(?!=))")
_DOCUMENTATION = re.compile(r"\s*[rRuU]?(?:\"\"\"|''')")
_BODY = re.compile(r"\b(?:class|interface|enum|type)\b")

_LONGEST_LINE = 160  # characters
_HEAD_LINES = 12  # a signature has at most
_BODY_LINES = 16  # of a class are told at most
_READ = 8_000  # characters of a definition that are looked at


def definitions(text: str, language: str) -> dict[str, int]:
    """Names that a file defines at its outermost level, and where each of them is first."""
    pattern = _PYTHON if language == "python" else _SCRIPT if language in SCRIPTS else None
    found: dict[str, int] = {}
    for match in pattern.finditer(text) if pattern else ():
        found.setdefault(match.group(1) or match.group(2), match.start())
    return found


def told(text: str, place: int, language: str) -> str:
    """What stands at a place in a few lines: its head, the first line of its documentation, members."""
    lines = text[place : place + _READ].split("\n")
    several = _python(lines) if language == "python" else _script(lines)
    return "\n".join(line[:_LONGEST_LINE].rstrip() for line in several) + "\n"


def _python(lines: Sequence[str]) -> Iterator[str]:
    if not lines[0].startswith(("def ", "class ", "async ")):
        yield lines[0]
        return
    end = _head(lines, 0)
    yield from lines[:end]
    if end < len(lines) and (opening := _DOCUMENTATION.match(lines[end])):
        quotes = opening.group()[-3:]
        line = lines[end]
        end += 1
        if line.count(quotes) < 2:
            line = line.rstrip() + quotes  # the rest is left out
            while end < len(lines) and quotes not in lines[end]:
                end += 1
            end += 1
        yield line
    if lines[0].startswith("class "):
        yield from _members(lines, end)


def _head(lines: Sequence[str], first: int) -> int:
    """The line behind a head that ends in a colon when its brackets are closed."""
    depth = 0
    for number in range(first, min(len(lines), first + _HEAD_LINES)):
        line = lines[number]
        depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if depth <= 0:
            return number + 1
    return first + 1


def _members(lines: Sequence[str], first: int) -> Iterator[str]:
    """The heads of methods, and attributes, of a class body."""
    indent, count, number = "", 0, first
    while number < len(lines) and count < _BODY_LINES:
        line = lines[number]
        stripped = line.lstrip()
        if stripped and stripped == line:
            return  # the class is over
        indent = indent or line[: len(line) - len(stripped)]
        end = number + 1
        if line.startswith(indent) and line[len(indent) :] == stripped and _MEMBER.match(line):
            end = _head(lines, number)
            yield from lines[number:end]
            count += end - number
        number = end


def _script(lines: Sequence[str]) -> Iterator[str]:
    if not _BODY.search(lines[0]):
        for line in lines[:_HEAD_LINES]:
            yield line
            if line.rstrip().endswith(("{", ";", "=>")):
                return
        return
    indent = ""
    for number, line in enumerate(lines[:_READ]):
        stripped = line.lstrip()
        if number == 0:
            yield line
            if line.rstrip().endswith((";", "}")):
                return
            continue
        if stripped and stripped == line:
            yield line  # what closes it
            return
        indent = indent or line[: len(line) - len(stripped)]
        is_member = line[len(indent) :] == stripped and not stripped.startswith(("/", "*", "}"))
        if stripped and is_member and number < _BODY_LINES * 3:
            yield line
