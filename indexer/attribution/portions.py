"""Which part of a text is aligned with which lines of a source."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from indexer.attribution.regions import Chain

# How far past its hits a text is aligned, in tokens, and the source before and after, in lines: a last gram itself
# spans some. Nothing lies further beside a hit than a window and a gram.
_AROUND, _LITTLE = (120, 24, 47), (24, 4, 12)
_MAX_TOKENS = 6000  # of a text aligned at once: the aligner's memory grows with the square
_NEARLY = 0.75


class Part(NamedTuple):
    """What to align with what. Ends are excluded."""

    start: int  # tokens of the text
    end: int
    first_line: int  # lines of the source
    last_line: int
    covered: int = 0  # tokens under hits


def parts_of(chain: Chain) -> Iterator[Part]:
    """Where the hits of a chain lie, cut where it is too long to be aligned at once."""
    positions, lines = chain.positions, chain.lines
    first = 0
    while first < len(positions):
        last = first
        while last + 1 < len(positions) and positions[last + 1] - positions[first] < _MAX_TOKENS:
            last += 1
        here = lines[first : last + 1]
        end = chain.end if last + 1 == len(positions) else positions[last + 1]
        yield Part(positions[first], end, min(here), max(here) + 1, chain.covered)
        first = last + 1


def widened(hits: Part, tokens: int, *, little: bool = False) -> Part:
    """Hits with what lies around them; or with so little that no other passage fits in."""
    margin, before, after = _LITTLE if little else _AROUND
    return hits._replace(
        start=max(0, hits.start - margin),
        end=min(tokens, hits.end + margin),
        first_line=max(0, hits.first_line - before),
        last_line=hits.last_line + after,
    )


def is_among(part: Part, others: Iterable[Part]) -> bool:
    """Whether nearly all of this is a part of one of those, of the same file."""
    return any(
        min(part.end, other.end) - max(part.start, other.start) >= _NEARLY * (part.end - part.start)
        and min(part.last_line, other.last_line) - max(part.first_line, other.first_line)
        >= _NEARLY * (part.last_line - part.first_line)
        for other in others
    )
