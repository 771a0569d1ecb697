"""Places in held-out files: real code that the model was not trained on, cut off at a cursor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.document import Document

# Package, file, and the text that the cursor stands behind; what follows it on the line is hidden.
# A fixed list to look at, no measurement: `footnote eval infill` counts over all held-out files.
_CHOSEN = (
    ("click", "click/formatting.py", "    widths: dict[int, int] = {}\n\n    for "),
    ("flask", "flask/cli.py", "        if self._loaded_app is not None:\n            return "),
    ("marshmallow", "marshmallow/utils.py", "    if isinstance(val, "),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A file as it is at the cursor: the rest of the cursor's line is taken away."""

    package: str
    version: str
    path: str
    language: str
    before: str
    after: str
    hidden: str  # what its author wrote there

    @property
    def text(self) -> str:
        return self.before + self.after

    @property
    def line(self) -> int:
        """From 0."""
        return self.before.count("\n")

    @property
    def column(self) -> int:
        """Characters of the cursor's line before it."""
        return len(self.before) - self.before.rfind("\n") - 1


def chosen_places(documents: Iterable[Document]) -> list[Place]:
    """The chosen places that these documents have, in the order of the list."""
    wanted = {(package, path): at for at, (package, path, _) in enumerate(_CHOSEN)}
    found: dict[int, Place] = {}
    for document in documents:
        at = wanted.get((document.package.lower(), document.path.removeprefix("src/")))
        if at is not None:
            found[at] = _cut(document, _CHOSEN[at][2])
        if len(found) == len(_CHOSEN):
            break
    return [found[at] for at in sorted(found)]


def _cut(document: Document, anchor: str) -> Place:
    """Cut the file behind the anchor, or behind its middle `return` where it has none."""
    text = document.text
    at = text.find(anchor)
    end = at + len(anchor) if at >= 0 else _behind_a_return(text)
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    return Place(
        document.package,
        document.version,
        document.path,
        document.language,
        text[:end],
        text[line_end:],
        text[end:line_end],
    )


def _behind_a_return(text: str) -> int:
    places = list(_ends_of(text, "    return "))
    return places[len(places) // 2] if places else len(text.rstrip())


def _ends_of(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at + len(word)
        at = text.find(word, at + len(word))
