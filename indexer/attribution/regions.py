"""Which places of the corpus do the hits of a text speak for? Hits in one file and in order form a chain."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from indexer.attribution.catalogue import Catalogue
from indexer.attribution.compiled_rows import compiled, place
from indexer.attribution.counting import IDIOM_FAMILIES
from indexer.attribution.occurrences import Hits
from indexer.attribution.postings import STOP
from indexer.attribution.tokens import Tokens

_REACH_TOKENS = 160  # hits further apart start a new chain
_REACH_LINES = 40  # source lines that may lie between two hits
_LINES_OF_LINE = 3  # beyond as many for each line asked about
_SHORT_SHAPE, _LONG_SHAPE = 20, 30  # tokens under hits, from which shapes alone may be of a copy
_BACK_LINES = 3  # a hit may point this far back: grams of both forms interleave


@dataclass(slots=True)
class Chain:
    """Hits of one corpus file that follow each other both in the text and in the file."""

    file: int
    positions: list[int] = field(default_factory=list)  # tokens of the text at which hits begin
    lines: list[int] = field(default_factory=list)  # and their lines in the file
    end: int = 0  # past the last token under a hit
    covered: int = 0  # tokens of the text under a hit
    families: int = 0  # unrelated packages with that gram of it which fewest have
    as_written: bool = False  # whether any gram of it is of the exact form
    as_shaped: bool = False  # and whether any is of the semi-abstract one
    _text_line: int = 0  # of the last hit

    @property
    def start(self) -> int:
        return self.positions[0]

    def accepts(self, position: int, text_line: int, line: int) -> bool:
        moved = line - self.lines[-1]
        return (
            position - self.end <= _REACH_TOKENS
            and -_BACK_LINES
            <= moved
            <= _REACH_LINES + _LINES_OF_LINE * (text_line - self._text_line)
        )

    def drift(self, text_line: int, line: int) -> int:
        return abs((line - self.lines[-1]) - (text_line - self._text_line))

    def add(self, position: int, end: int, text_line: int, line: int) -> None:
        """Lengthens the chain by a hit."""
        self.covered += max(0, end - max(position, self.end))
        self.end = max(self.end, end)
        self.positions.append(position)
        self.lines.append(line)
        self._text_line = text_line

    def count(self, families: int, *, abstract: bool) -> None:
        """Counts what a hit says beside its place."""
        self.families = min(self.families or families, families)
        self.as_shaped |= abstract
        self.as_written |= not abstract

    @property
    def is_promising(self) -> bool:
        """Whether a copy may lie here: what is alike in one form only, and not in one package only, seldom is one."""
        if self.as_written and self.as_shaped:
            return True
        if self.families == 1:
            return self.as_written or self.covered >= _SHORT_SHAPE
        return self.covered >= _LONG_SHAPE and self.families < IDIOM_FAMILIES


def chains(tokens: Tokens, hits: Hits, catalogue: Catalogue, *, min_hits: int) -> list[Chain]:
    """The chains of at least `min_hits` hits, those that cover most first."""
    rows = compiled()
    found = (
        chained_one_by_one(tokens, hits, catalogue, min_hits=min_hits)
        if rows is None
        else chained(rows, tokens, hits, catalogue, min_hits=min_hits)
    )
    promising = (each for each in found if each.is_promising)
    return sorted(promising, key=lambda each: (-each.covered, each.file, each.start))


def chained(
    rows: ctypes.CDLL, tokens: Tokens, hits: Hits, catalogue: Catalogue, *, min_hits: int
) -> Iterator[Chain]:
    """The chains in the order in which they end."""
    count, first_lines = len(hits.starts), catalogue.first_lines
    out, places = np.empty((count, 7), np.intp), np.empty((2, count), np.intp)
    columns = hits.starts, hits.ends, hits.lines, hits.abstract, hits.families
    found = rows.footnote_chains(
        *(each.tobytes() for each in columns), count, tokens.lines.tobytes(),
        first_lines.ctypes.data, len(first_lines),
        _REACH_TOKENS, _REACH_LINES, _LINES_OF_LINE, _BACK_LINES, min_hits, place(out), place(places),
    )  # fmt: skip
    if found < 0:
        raise MemoryError
    start = 0
    for file, size, end, covered, families, as_written, as_shaped in out[:found].tolist():
        positions, lines = places[:, start : start + size].tolist()
        start += size
        yield Chain(
            file, positions, lines, end, covered, families, bool(as_written), bool(as_shaped)
        )


def chained_one_by_one(
    tokens: Tokens, hits: Hits, catalogue: Catalogue, *, min_hits: int
) -> list[Chain]:
    """The same, where nothing was compiled."""
    at = np.flatnonzero(hits.lines != STOP)
    files = catalogue.files_of_lines(hits.lines[at])
    if min_hits > 1 and len(at):
        _, inverse, counts = np.unique(files, return_inverse=True, return_counts=True)
        often = counts[inverse] >= min_hits
        at, files = at[often], files[often]
    order = np.lexsort((hits.starts[at], files))
    at, files = at[order], files[order]
    starts = hits.starts[at]
    rows = zip(
        files.tolist(),
        starts.tolist(),
        hits.ends[at].tolist(),
        tokens.lines[starts].tolist(),
        (hits.lines[at] - catalogue.first_lines[files]).tolist(),
        hits.families[at].tolist(),
        hits.abstract[at].tolist(),
        strict=True,
    )
    found: list[Chain] = []
    open_chains: list[Chain] = []
    for file, start, end, text_line, line, families, abstract in rows:
        if open_chains and open_chains[0].file != file:
            found += open_chains
            open_chains = []
        fitting = [each for each in open_chains if each.accepts(start, text_line, line)]
        if not fitting:
            over = [each for each in open_chains if start - each.end > _REACH_TOKENS]
            found += over
            open_chains = [each for each in open_chains if each not in over]
            fitting = [Chain(file)]
            open_chains += fitting
        nearest = (
            min(fitting, key=lambda each: each.drift(text_line, line))
            if fitting[1:]
            else fitting[0]
        )
        nearest.add(start, end, text_line, line)
        nearest.count(families, abstract=abstract)
    return [each for each in found + open_chains if len(each.lines) >= min_hits]
