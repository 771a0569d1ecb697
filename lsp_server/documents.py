"""The open documents as text: lines are cut where LSP cuts them, edits cost what they change."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from urllib.parse import unquote, urlsplit

# LSP ends a line at \n, \r\n or \r and nowhere else. str.splitlines also cuts at form feeds and
# other characters, after which the server and the editor would disagree about every later line.
_LINE_END = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")
CELL_SCHEME = "vscode-notebook-cell"  # of a cell: the notebook's path, and a name of its own


@dataclass(frozen=True, slots=True)
class Place:
    """A line and an index into its `str`, both from 0."""

    line: int
    index: int


def split_lines(text: str) -> list[str]:
    """Lines with their ends; the last one has none and may be empty."""
    if text.count("\r") == text.count("\r\n"):
        head, found, last = text.rpartition("\n")
        return [*(line + "\n" for line in head.split("\n")), last] if found else [text]
    return _LINE_END.split(text)


def body(line: str) -> str:
    """A line without its end."""
    return line.rstrip("\r\n")


def has_halves(text: str) -> bool:
    """Whether half a surrogate pair is in a text, which has no UTF-8 form then."""
    if text.isascii():  # which a string knows of itself
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


@dataclass(slots=True, eq=False)
class Document:
    """One open document, itself and no other: two are never equal. Only the event loop changes it."""

    uri: str
    language: str
    version: int
    lines: list[str]
    edited_at: float = 0.0  # time.monotonic(); 0 while nobody has typed
    last_edit_deleted: bool = False  # the last edit took text away and added none
    keystroke_gap_ms: float = 200.0  # moving average of the pauses between edits
    edited_place: Place | None = None  # behind the last edit; None where that is not known
    notebook: Notebook | None = field(default=None, repr=False)  # the one it is a cell of
    _text: str | None = field(default=None, repr=False)
    _halves: bool | None = field(default=None, repr=False)  # None until somebody asks
    _reached: tuple[int, int] = field(default=(0, 0), repr=False)  # a line and where it begins

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = "".join(self.lines)
        return self._text

    @property
    def may_have_halves(self) -> bool:
        """Whether half a surrogate pair was in it once; looked for in what comes in, not at each key."""
        if self._halves is None:
            self._halves = has_halves(self.text)
        return self._halves

    @property
    def path(self) -> str:
        """The path of its URI with forward slashes, whatever the scheme."""
        return unquote(urlsplit(self.uri).path)

    @property
    def shown_path(self) -> str:
        """Folder and file name: what the model may see, the same wherever the project lies."""
        return shown_path(self.path)

    def offset(self, place: Place) -> int:
        """The index into `text`; the end of it for a place behind that."""
        if place.line >= len(self.lines):
            return sum(map(len, self.lines))
        return self._start_of(place.line) + place.index

    def _start_of(self, line: int) -> int:
        """Counted from the line that was asked for last: people stay where they are."""
        known, start = self._reached
        if line >= known:
            start += sum(map(len, self.lines[known:line]))
        else:
            start -= sum(map(len, self.lines[line:known]))
        self._reached = line, start
        return start

    def end(self) -> Place:
        return Place(len(self.lines) - 1, len(self.lines[-1]))

    def replace_all(self, text: str) -> None:
        """The client sent the whole text."""
        self._note_edit(deleted=len(text) < sum(map(len, self.lines)))
        self.lines = split_lines(text)
        self.edited_place = None
        self._halves = None
        self._text = text
        self._reached = 0, 0

    def replace(self, start: Place, end: Place, text: str) -> None:
        """Put `text` where the text from `start` to `end` was."""
        if (end.line, end.index) < (start.line, start.index):
            start, end = end, start
        self._note_edit(deleted=not text and start != end)
        *above, end_of_edit = split_lines(text)
        before = 0 if above else start.index
        self.edited_place = Place(start.line + len(above), before + len(end_of_edit))
        lines = self.lines
        first, last = start.line, end.line
        block = lines[first][: start.index] + text + lines[last][end.index :]
        # A \r and a \n that meet at a seam are one line end.
        if first > 0 and block.startswith("\n") and lines[first - 1].endswith("\r"):
            first -= 1
            block = lines[first] + block
        if last + 1 < len(lines) and block.endswith("\r") and lines[last + 1].startswith("\n"):
            last += 1
            block += lines[last]
        replacement = split_lines(block)
        if last + 1 < len(lines) and replacement[-1] == "":
            replacement.pop()  # the line after it is there already
        if first < self._reached[0]:
            self._start_of(first)
        lines[first : last + 1] = replacement
        if self._halves is False:
            self._halves = has_halves(text)
        self._text = None

    def _note_edit(self, *, deleted: bool) -> None:
        now = time.monotonic()
        if self.edited_at:
            gap = min(1000.0, (now - self.edited_at) * 1000)
            self.keystroke_gap_ms += (gap - self.keystroke_gap_ms) * 0.2
        self.edited_at = now
        self.last_edit_deleted = deleted


@dataclass(slots=True, eq=False)
class Notebook:
    """The cells of a notebook in their order, those of prose too."""

    cells: list[Document]


def cells_around(document: Document) -> tuple[str, str]:
    """The text of the notebook above and below a cell: the cells of its language, an empty line between."""
    if document.notebook is None:
        return "", ""
    cells = [each for each in document.notebook.cells if each.language == document.language]
    if document not in cells:
        return "", ""
    here = cells.index(document)
    above = "".join(f"{each.text.rstrip()}\n\n" for each in cells[:here])
    return above, "".join(f"\n\n{each.text.rstrip()}" for each in cells[here + 1 :])


def place_at(lines: Sequence[str], offset: int) -> Place:
    """Where an index into the text is."""
    for number, line in enumerate(lines):
        if offset < len(line) or number + 1 == len(lines):
            return Place(number, min(offset, len(line)))
        offset -= len(line)
    return Place(0, 0)


class Documents:
    """All open documents by URI; clients differ in what they escape, so keys are unescaped."""

    def __init__(self) -> None:
        self._open: dict[str, Document] = {}
        self._notebooks: dict[str, Notebook] = {}

    def __iter__(self) -> Iterator[Document]:
        return iter(list(self._open.values()))

    def open(self, uri: str, language: str, version: int, text: str) -> Document:
        document = Document(uri, language, version, split_lines(text))
        self._open[unquote(uri)] = document
        return document

    def get(self, uri: str) -> Document | None:
        return self._open.get(unquote(uri))

    def close(self, uri: str) -> None:
        self._open.pop(unquote(uri), None)

    def open_notebook(self, uri: str) -> None:
        self._notebooks[unquote(uri)] = Notebook([])

    def splice(self, uri: str, start: int, n_removed: int, cells: Iterable[str]) -> None:
        """Put open documents into a notebook, in the place of some that are there."""
        if (notebook := self._notebooks.get(unquote(uri))) is None:
            return
        removed = notebook.cells[start : start + n_removed]
        added = [each for cell in cells if (each := self.get(cell)) is not None]
        notebook.cells[start : start + n_removed] = added
        for each in removed:
            each.notebook = None
        for each in added:
            each.notebook = notebook

    def close_notebook(self, uri: str) -> None:
        self._notebooks.pop(unquote(uri), None)


def shown_path(path: str) -> str:
    """The last folder and the file name of a path."""
    return "/".join(PurePath(path.replace("\\", "/")).parts[-2:]).lstrip("/")
