"""What a person does in an editor, as gaps to complete: typing, accepting, jumping, editing above."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

from engine.api import Gap
from indexer.document import Document
from indexer.languages import NEAR_CODE, TAKEN, language_of

OPENED = "opened"  # the first place in a file: nothing of it is known
TYPED = "typed"  # one more character on the line
ACCEPTED = "accepted"  # the rest of the line came at once, and the next one begins
JUMPED = "jumped"  # to another place in the file
EDITED = "edited"  # a line came in above, and back to the first place
RETURNED = "returned"  # to the file before this one, where it was left
KINDS = (TYPED, ACCEPTED, EDITED, JUMPED, RETURNED, OPENED)

_BEFORE, _AFTER = 3500, 1200  # characters around a line: enough to fill the window
_SHORTEST = 16  # characters of a line that is worth typing
_FAR = 1500  # characters that make another place
_ABOVE = 12  # lines from the place to the edit above it


@dataclass(frozen=True, slots=True)
class Step:
    kind: str
    gap: Gap


@dataclass(frozen=True, slots=True)
class Session:
    """One file, one thing after the other."""

    name: str
    steps: tuple[Step, ...]


def sessions(documents: Iterable[Document], *, count: int, keystrokes: int) -> list[Session]:
    """Up to `count` sessions, one per document, drawn the same way every time.

    A document must have a screenful of text before and after a line, so that prompts are full.
    """
    found: list[Session] = []
    for document in sorted(documents, key=lambda each: each.sha256):
        if len(found) == count:
            break
        if document.language in NEAR_CODE or len(document.text) < _BEFORE + _AFTER:
            continue
        session = _session(document, keystrokes, found[-1] if found else None)
        if session is not None:
            found.append(session)
    return found


def _session(document: Document, keystrokes: int, before: Session | None) -> Session | None:
    text = document.text
    lines = [(start, end) for start, end in _lines(text) if _worth_typing(text[start:end])]
    places = [
        (start, end) for start, end in lines if start >= _BEFORE and end + _AFTER <= len(text)
    ]
    if not places:
        return None
    rng = Random(document.sha256)
    start, end = rng.choice(places)
    first = _first(text, start)
    steps = [Step(OPENED, _gap(document, text, first, end))]
    steps += [
        Step(TYPED, _gap(document, text, at, end))
        for at in range(first + 1, min(end, first + 1 + keystrokes))
    ]
    following = next(((a, b) for a, b in _lines(text) if a > end), None)
    if following is not None:
        steps.append(Step(ACCEPTED, _gap(document, text, _first(text, following[0]), following[1])))
    far = [(a, b) for a, b in places if abs(a - start) >= _FAR]
    if far:
        there, its_end = rng.choice(far)
        steps.append(Step(JUMPED, _gap(document, text, _first(text, there), its_end)))
    above = _above(text, start)
    line = text[above : text.index("\n", above) + 1]
    edited, shift = text[:above] + line + text[above:], len(line)
    steps.append(Step(EDITED, _gap(document, edited, first + shift, end + shift)))
    if before is not None:
        left = next(each.gap for each in before.steps if each.kind == EDITED)
        steps.append(Step(RETURNED, left))
    number = text.count("\n", 0, start) + 1
    return Session(f"{document.package}/{document.path}:{number}", tuple(steps))


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every line, without its line end."""
    starts = [0, *(i + 1 for i, character in enumerate(text) if character == "\n")]
    for start, end in pairwise([*starts, len(text) + 1]):
        yield start, end - 1


def _first(text: str, start: int) -> int:
    """Behind the first character of a line that is no blank."""
    while text[start : start + 1] in (" ", "\t"):
        start += 1
    return start + (text[start : start + 1] not in ("", "\n"))


def _above(text: str, start: int) -> int:
    for _ in range(_ABOVE):
        start = text.rfind("\n", 0, start - 1) + 1
    return start


def _gap(document: Document, text: str, place: int, end: int) -> Gap:
    """The gap at a place whose line was not written any further."""
    return Gap(text[:place], text[max(place, end) :], document.path, document.language)


def _worth_typing(line: str) -> bool:
    bare = line.strip()
    return len(bare) >= _SHORTEST and not bare.startswith(("#", "//", "*", "/*", '"""'))


def folder_documents(folder: Path) -> Iterator[Document]:
    """The source files under any folder; those that are no UTF-8 are passed over."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        language = language_of(name)
        if language not in TAKEN or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        yield Document(
            text=text,
            path=name,
            package=folder.name,
            version="",
            kind="folder",
            license="",
            license_source="",
            url="",
            language=language,
            sha256=name,
        )
