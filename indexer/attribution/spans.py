"""Which lines a finding takes on either side: without edges that match by accident, and each line of a source once."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from indexer.attribution.alignment import FEWEST_MATCHED, Segment
from indexer.attribution.catalogue import File
from indexer.attribution.judging import (
    LICENCE_HEADER,
    MODIFIED,
    VERBATIM,
    WARNING,
    Thresholds,
    Verdict,
)
from indexer.attribution.tokens import (
    ARGUMENT,
    CLOSE,
    NAME,
    NAME_ID,
    NUMBER,
    PROSE,
    STRING,
    Places,
    Tokens,
)

_NEAR_LINES = 10  # that may lie between two parts of one copy, on either side
_SAME_NAMES = 0.9  # share of equal names from which nothing was renamed
_SAYS = np.zeros(32, bool)  # by kind, whether it tells one line from another
_SAYS[[NAME, ARGUMENT, NUMBER, STRING, PROSE]] = True
# What stands on a line for itself without being a token: round brackets, and the marks of prose.
_CLOSING = re.compile(r"[ \t]*[)(;,\\][ \t)(;,\\]*")
_OPENING = re.compile(r"[ \t]*(?:[rRuU]?\"\"\"|[rRuU]?'''|/\*+!?)[ \t(]*")
_HELD = 4  # tokens of a stretch, of which one has to match
_ENDING = re.compile(r"[ \t]*(?:\"\"\"|'''|\*+/)[ \t)(;,\\]*")


class Span(NamedTuple):
    """Lines from 0, the last included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Found:
    """One place in the corpus for one stretch of the text."""

    verdict: Verdict
    file: File
    tokens: Places  # of the text, that match, in order
    lines: npt.NDArray[np.int32]  # of the file, 0-based, on which their partners are
    covered: int = 0  # tokens of the text under the hits that led here
    same: float = 1.0  # share of the tokens that are no replaced ones

    @property
    def start(self) -> int:
        return int(self.tokens[0])

    @property
    def end(self) -> int:
        return int(self.tokens[-1]) + 1

    @property
    def source(self) -> Span:
        return Span(int(self.lines.min()), int(self.lines.max()))

    def holds(self, start: int, end: int) -> bool:
        """Whether it matches something from one token to another, and does not just pass over what is there."""
        first, last = np.searchsorted(self.tokens, (start, end)).tolist()
        return bool(_HELD * (last - first) >= end - start)

    def part(self, pairs: npt.NDArray[np.bool_], tokens: Tokens) -> "Found":
        """What of it is left with some of its pairs."""
        kept = self.tokens[pairs]
        verdict = replace(self.verdict, matched=int(tokens.sizes[kept].sum()))
        return replace(self, verdict=verdict, tokens=kept, lines=self.lines[pairs])

    @property
    def weight(self) -> tuple[bool, float]:
        """What ranks it: of siblings the one whose very names the text has."""
        similarity = (self.verdict.similarity + self.same) / 2
        return self.verdict.tier == WARNING, self.verdict.matched * similarity


def trimmed(found: Found, text: Tokens, source: Tokens, segment: Segment) -> Found:
    """A finding of a segment without edges that match by accident, and with the remark right above it."""
    kept = without_accidents(text, source, segment)
    partner = int(segment.partners[kept][0])
    return _with_remark(found.part(kept, text), text, source, partner)


def without_accidents(text: Tokens, source: Tokens, segment: Segment) -> npt.NDArray[np.bool_]:
    """Which pairs of a segment are left when lines at its edges go of which most does not match.

    Neighbouring lines often begin alike (`def`, `}`), and but for their names many are alike as a whole. A
    bracket that closes what began before is no beginning.
    """
    sides = (text, segment.matched), (source, segment.partners)
    fits = _fits(text, source, segment)
    kept = np.ones(len(fits), bool)
    left = len(kept) + 1
    while left > (left := int(kept.sum())) > 0:
        for tokens, places in sides:
            lines = tokens.lines[places]
            for edge in (np.argmin, np.argmax):
                line = int(lines[kept][edge(lines[kept])]) if kept.any() else 0
                on = kept & (lines == line)
                closes = edge is np.argmin and np.all(tokens.kinds[places[on]] == CLOSE)
                if closes or not _most_fits(tokens, line, places[on & fits]):
                    kept &= ~on
    enough = int(text.sizes[segment.matched[kept]].sum()) >= FEWEST_MATCHED
    return kept if enough else np.ones(len(fits), bool)


def _with_remark(found: Found, text: Tokens, source: Tokens, partner: int) -> Found:
    """A finding with the words of a remark right above, as both sides have them: a short one makes no run of its own.

    `partner` is the token of the source that its first token matches.
    """
    above, start = 0, found.start
    while (
        above < min(start, partner)
        and text.kinds[start - above - 1] == source.kinds[partner - above - 1] == PROSE
        and text.exact[start - above - 1] == source.exact[partner - above - 1]
    ):
        above += 1
    if not above:
        return found
    return replace(
        found,
        tokens=np.concatenate([np.arange(start - above, start), found.tokens]),
        lines=np.concatenate([source.lines[partner - above : partner], found.lines]),
    )


def _fits(text: Tokens, source: Tokens, segment: Segment) -> npt.NDArray[np.bool_]:
    """Which pairs speak for a line at the edge: equal ones, and where names were replaced, replaced ones."""
    same: npt.NDArray[np.bool_] = text.exact[segment.matched] == source.exact[segment.partners]
    names = text.abstract[segment.matched] == NAME_ID
    quarter = len(names) // 4
    names[:quarter] = names[len(names) - quarter :] = False  # it is the edges that are in doubt
    if same[names].sum() >= _SAME_NAMES * names.sum():
        return same
    return np.ones(len(same), bool)


def _most_fits(tokens: Tokens, line: int, fitting: Places) -> bool:
    """Whether most tokens of a line fit, and of its names and literals half."""
    first, last = np.searchsorted(tokens.lines, (line, line + 1))
    if 2 * len(fitting) <= last - first:
        return False
    said, fits = _SAYS[tokens.kinds[first:last]].sum(), _SAYS[tokens.kinds[fitting]].sum()
    return bool(2 * fits >= said)


def united(found: Iterable[Found], tokens: Tokens) -> list[Found]:
    """Findings of one file that go on where another ends become one: long copies are aligned in parts."""
    by_file: dict[int, list[Found]] = {}
    for each in sorted(found, key=lambda each: (each.start, -each.end)):
        parts = by_file.setdefault(each.file.number, [])
        before = next((n for n, one in enumerate(parts) if _goes_on(one, each, tokens)), None)
        if before is None:
            parts.append(each)
        else:
            parts[before] = _joined(parts[before], each, tokens)
    return [each for parts in by_file.values() for each in parts]


def _goes_on(one: Found, other: Found, tokens: Tokens) -> bool:
    """Whether one finding, which begins first, and another of its file are of one copy."""
    if other.start < one.end:
        _, here, there = np.intersect1d(
            one.tokens, other.tokens, assume_unique=True, return_indices=True
        )
        apart = np.abs(one.lines[here] - other.lines[there])
        rest = other.lines[other.tokens > one.tokens[-1]]
        # Of two copies in a row one alignment may have the beginning of the first and the end of the second.
        goes_back = len(rest) and rest[0] < one.lines.max() - 1
        return bool(len(apart) and np.median(apart) <= 1 and not goes_back)
    passed = int(tokens.lines[other.start]) - int(tokens.lines[one.end - 1])
    return 0 <= passed <= _NEAR_LINES and 0 <= other.lines[0] - one.lines[-1] <= _NEAR_LINES


def _joined(one: Found, other: Found, tokens: Tokens) -> Found:
    rest = other.tokens > one.tokens[-1]
    if not rest.any():
        return max(one, other, key=lambda each: each.weight)
    sizes = one.end - one.start, other.end - max(one.end, other.start)
    shares = one.verdict.similarity, other.verdict.similarity
    similarity = float(np.dot(sizes, shares) / (other.end - one.start))
    verdict = Verdict(
        max(one, other, key=lambda each: each.weight).verdict.tier,
        _kind(one.verdict, other.verdict, similarity),
        similarity,
        one.verdict.matched + int(tokens.sizes[other.tokens[rest]].sum()),
    )
    return replace(
        one,
        verdict=verdict,
        tokens=np.concatenate([one.tokens, other.tokens[rest]]),
        lines=np.concatenate([one.lines, other.lines[rest]]),
        covered=one.covered + round(float(rest.mean()) * other.covered),
        same=float(np.average([one.same, other.same], weights=[len(one.tokens), rest.sum()])),
    )


def _kind(one: Verdict, other: Verdict, similarity: float) -> str:
    """What two parts together are: what the greater is, but verbatim only as a whole."""
    kind = max((one, other), key=lambda each: (each.kind != LICENCE_HEADER, each.matched)).kind
    return MODIFIED if kind == VERBATIM and similarity < Thresholds().verbatim else kind


def beside(found: Found, better: Iterable[Found], tokens: Tokens) -> Found | None:
    """A finding without the lines of the text that better ones of its file have; None where little is left."""
    rest = np.ones(len(found.tokens), bool)
    lines = tokens.lines[found.tokens]
    for each in better:
        first, last = tokens.lines[each.start], tokens.lines[each.end - 1]
        if each.file.number == found.file.number and _meets(lines, first, last):
            rest &= max((lines < first, lines > last), key=np.count_nonzero)
    if rest.all():
        return found
    cut = found.part(rest, tokens)
    return cut if cut.verdict.matched >= FEWEST_MATCHED else None


def _meets(lines: npt.NDArray[np.int32], first: np.int32, last: np.int32) -> bool:
    return bool(lines[0] <= last and first <= lines[-1])


def whole_lines(found: Span, lines: Sequence[str], *, prose: tuple[bool, bool]) -> Span:
    """The lines from a first to a last token, with those around them that hold no token of their own.

    A call ends with its bracket, and a remark begins and ends with its marks; `prose` says whether it does so.
    """
    first, last = found
    while first and prose[0] and _OPENING.fullmatch(lines[first - 1]):
        first -= 1
    while last + 1 < len(lines) and (
        _CLOSING.fullmatch(lines[last + 1]) or (prose[1] and _ENDING.fullmatch(lines[last + 1]))
    ):
        last += 1
    return Span(first, last)
