"""Case files: a workspace, a cursor, a script and an expectation in one readable text.

    Why this case exists, in a sentence or two.
    -- script --
    text that the scripted model answers, with {before} and {after}
    -- main.py --
    x = <CURSOR>
    -- expect --
    1:0-1:4 'x = |'

A line `-- name --` begins a section. `settings` holds JSON, `client` names a kind of client, `ask`
is `completion` for the menu, `selected` is the item selected in an open menu, `fails` makes the
model fail; any other name that is not `expect` or `script` is a file. Sections end with the line break before the next one; it belongs to none of them. In a
file, `\\r` at the end of a line is a carriage return.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CURSOR = "<CURSOR>"
_SECTION = re.compile(r"^-- (.+) --$", re.MULTILINE)
_WORDS = {"script", "expect", "settings", "ask", "client", "replace_after", "selected", "fails"}


@dataclass(frozen=True)
class Place:
    """A file with the cursor taken out, and where it was: line and index, both from 0."""

    name: str
    text: str
    line: int
    index: int


@dataclass(frozen=True)
class Case:
    path: Path
    about: str
    sections: dict[str, str]

    @property
    def expected(self) -> str:
        return self.sections["expect"]

    def get(self, name: str, otherwise: str = "") -> str:
        return self.sections.get(name, otherwise)

    def place(self) -> Place:
        for name, text in self.sections.items():
            if name not in _WORDS and CURSOR in text:
                return cut(name, text)
        raise ValueError(f"{self.path.name}: no file has a {CURSOR}")

    def rewrite(self, expected: str) -> None:
        """Put what came into the file; for `pytest --update`."""
        text = self.path.read_text(encoding="utf-8")
        head = text[: text.index("-- expect --\n")]
        self.path.write_text(f"{head}-- expect --\n{expected}\n", encoding="utf-8")


def cut(name: str, text: str) -> Place:
    """Take the cursor out of a text."""
    before, _, after = text.partition(CURSOR)
    last = before.rpartition("\n")[2].rpartition("\r")[2]
    line = len(re.findall(r"\r\n|\r|\n", before))
    return Place(name, before + after, line, len(last))


def read_case(path: Path) -> Case:
    parts = _SECTION.split(path.read_text(encoding="utf-8"))
    bodies = [body.removeprefix("\n").removesuffix("\n") for body in parts[2::2]]
    sections = {
        name: body if name in _WORDS else body.replace("\\r\n", "\r\n")
        for name, body in zip(parts[1::2], bodies, strict=True)
    }
    return Case(path, parts[0].strip(), sections)


def read_cases(folder: Path) -> list[Case]:
    return [read_case(path) for path in sorted(folder.glob("*.txt"))]
