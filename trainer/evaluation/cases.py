"""Gaps in files the model has never seen, drawn the same way every time."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from engine.api import Excerpt
from indexer.document import Document
from trainer.config import SpanRecipe
from trainer.examples import Piece, choose_span

LINE = SpanRecipe(single_line=1, block=0, node=0, random=0, closer_rate=0, max_middle=400)
BLOCK = SpanRecipe(single_line=0, block=1, node=0, random=0, max_middle=600)
MAX_FILE = 100_000  # characters; longer files are tables and bundles

PROTOCOL = (
    "one gap per file, files in the order of their content hash; line: in a random line that is "
    "not blank, from its indent (30%), after one of `.(=,[ ` or a space (45%) or from any character "
    "(25%) to its end; block: from such a place to the last line indented as deep, 2 lines or more"
)


@dataclass(frozen=True, slots=True)
class OtherFile:
    """Another file of the same package, and the place in it that matters."""

    path: str
    text: str
    offset: int  # characters before that place


@dataclass(frozen=True, slots=True)
class Case:
    """A gap and the text that was in it."""

    name: str
    kind: str  # "line", "block" or "cross-file"
    language: str
    path: str
    prefix: str
    middle: str
    suffix: str
    repository: str = ""
    files: tuple[OtherFile, ...] = ()
    context: tuple[Excerpt, ...] = ()  # what the engine is shown of other files


def draw(documents: Iterable[Document], *, kind: str, language: str, count: int) -> list[Case]:
    """Up to `count` cases, one per file; the same documents give the same cases."""
    spans = LINE if kind == "line" else BLOCK
    cases: list[Case] = []
    for document in sorted(documents, key=lambda each: each.sha256):
        if len(cases) == count:
            break
        text = document.text
        if document.language != language or not 200 < len(text) <= MAX_FILE:
            continue
        piece = Piece(text=text, start=0, path=document.path, language=language, is_end=True)
        seed = hashlib.sha256(f"{kind}/{document.sha256}".encode()).digest()
        start, end = choose_span(piece, list, spans, Random(seed))
        middle = text[start:end]
        if not middle.strip() or ("\n" in middle) != (kind == "block"):
            continue
        cases.append(
            Case(
                name=f"{document.package}/{document.path}:{text.count(chr(10), 0, start) + 1}",
                kind=kind,
                language=language,
                path=document.path,
                prefix=text[:start],
                middle=middle,
                suffix=text[end:],
            )
        )
    return cases


def languages_of(documents: Iterable[Document]) -> Iterator[str]:
    """The languages with code, most common in Footnote's corpus first."""
    present = {each.language for each in documents}
    yield from (each for each in ("python", "javascript", "typescript") if each in present)
