"""LSP positions to places in our text and back; the only module that knows code units."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from lsp_server.documents import Document, Place, body, has_halves

UTF8 = types.PositionEncodingKind.Utf8
UTF16 = types.PositionEncodingKind.Utf16
UTF32 = types.PositionEncodingKind.Utf32


def preferred_encoding(offered: Sequence[str] | None) -> types.PositionEncodingKind:
    """UTF-16 whenever the client can: mixed encodings between servers trouble some editors."""
    for encoding in offered or ():
        if encoding == UTF16:
            return UTF16
    for encoding in offered or ():
        if encoding in {UTF8, UTF32}:
            return types.PositionEncodingKind(encoding)
    return UTF16


def units_before(line: str, index: int, encoding: str) -> int:
    """Code units of `line[:index]`."""
    part = line[:index]
    if encoding == UTF32 or part.isascii():
        return len(part)
    if encoding == UTF8:
        return len(part.encode("utf-8", "surrogatepass"))
    return len(part) + sum(1 for char in part if char > "\uffff")


def index_after(line: str, units: int, encoding: str) -> int:
    """The index that `units` code units reach; never past the line's end or inside a character."""
    visible = body(line)
    if encoding == UTF32 or visible.isascii():
        return min(units, len(visible))
    reached = 0
    for index, char in enumerate(visible):
        reached += _width(char, encoding)
        if reached > units:
            return index
    return len(visible)


def _width(char: str, encoding: str) -> int:
    if encoding == UTF16:
        return 2 if char > "\uffff" else 1
    return 1 if char < "\x80" else 2 if char < "\u0800" else 3 if char <= "\uffff" else 4


def place_of(lines: Sequence[str], position: types.Position, encoding: str) -> Place:
    """Where a client's position is; one beyond the document is its end."""
    if position.line >= len(lines):
        return Place(len(lines) - 1, len(lines[-1]))
    return Place(position.line, index_after(lines[position.line], position.character, encoding))


def position_of(lines: Sequence[str], place: Place, encoding: str) -> types.Position:
    line = min(place.line, len(lines) - 1)
    return types.Position(line, units_before(lines[line], place.index, encoding))


def range_of(lines: Sequence[str], start: Place, end: Place, encoding: str) -> types.Range:
    return types.Range(position_of(lines, start, encoding), position_of(lines, end, encoding))


def range_of_lines(lines: Sequence[str], first: int, last: int, encoding: str) -> types.Range:
    """From the first character that is no space to the end of the last line; lines from 1."""
    top = min(max(first, 1), len(lines)) - 1
    bottom = min(max(last, first, 1), len(lines)) - 1
    indent = len(lines[top]) - len(lines[top].lstrip())
    start = Place(top, min(indent, len(body(lines[top]))))
    return range_of(lines, start, Place(bottom, len(body(lines[bottom]))), encoding)


def apply_change(
    document: Document, change: types.TextDocumentContentChangeEvent, encoding: str
) -> None:
    """Apply one change of a didChange, whole or partial."""
    if isinstance(change, types.TextDocumentContentChangePartial):
        start = place_of(document.lines, change.range.start, encoding)
        end = place_of(document.lines, change.range.end, encoding)
        document.replace(start, end, change.text)
    else:
        document.replace_all(change.text)


def speakable(text: str) -> str:
    """Text that has a UTF-8 form: half a surrogate pair becomes a replacement character."""
    if not has_halves(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
