"""How much of a text is a corpus passage, and which parts exactly: longest common subsequence, in blocks.

The alignment is made on the semi-abstract stream, where a renamed copy equals its source; how much of it is
verbatim, and whether names were replaced consistently, is read off the exact ids along it.
"""

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import LCSseq

from indexer.attribution.fingerprints import grams
from indexer.attribution.tokens import (
    ARGUMENT,
    NAME,
    NAME_ID,
    NUMBER,
    PROSE,
    STRING,
    Ids,
    Lines,
    Places,
    Tokens,
)

MIN_ABSTRACT_BLOCK = 6
MIN_EXACT_BLOCK = 5
_SHORTEST = 2  # tokens of a block between others
_SAYING = (NAME, ARGUMENT, NUMBER, STRING)  # of which it has one
_LARGEST_GAP = 80  # tokens between two blocks, to either side, in which it is looked for
_BESIDE = 20  # tokens before the first one and after the last, likewise
FEWEST_MATCHED = 30  # written tokens, for a segment to say anything at all
_MIN_SEGMENT = 14  # matched tokens below which a segment is not worth judging
_GAP_COST = 0.35  # of a token in a gap: a segment is about as dense as a judgement asks
_PROSE_COST = 0.25  # of a word of prose in a gap
_ASKEW = 1.5  # how much more a segment has to have that has not half of what is equal
_ENOUGH_CODE = 40  # tokens of code that stand without their prose
_GRAM = 6
_ENOUGH_EXACT = 0.9  # share of the abstract segments that leaves nothing to ask
_CONSISTENCY_CONTEXT = 12  # names below which consistency says nothing


class Block(NamedTuple):
    """Equal ids in two sequences."""

    text: int  # where it starts in the text
    source: int  # and in the source
    size: int


class Stretch(NamedTuple):
    """Equal tokens: code or prose without what stands between, so their numbers may have holes."""

    text: Places  # numbers of the tokens in the text
    source: Places  # and of their partners in the source


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the text that corresponds to a stretch of the source. Ends are excluded.

    The shares are of the code alone where enough of it matches: a changed docstring then does not count
    against a copied function, and a missing one neither.
    """

    text_start: int
    text_end: int
    source_start: int
    source_end: int
    exact: int  # written tokens in runs of equal tokens
    abstract: int  # written tokens in runs that are equal but for names and literals
    exact_share: float
    abstract_share: float
    consistency: float  # share of names that one one-to-one renaming explains
    exact_grams: int  # different runs of six tokens among the exact ones
    abstract_grams: int  # and among the abstract ones
    exact_run: int  # tokens of the longest run of equal ones
    abstract_run: int  # likewise, but for names and literals
    left_out: int  # tokens of code in between that the text does not have
    prose: float  # share of prose in what matches
    matched: Places = field(
        compare=False, repr=False
    )  # the tokens of the text that match, in order
    partners: Places = field(compare=False, repr=False)  # and those of the source that they match
    lines: Lines = field(compare=False, repr=False)  # and the lines that those are on
    equal: Places = field(compare=False, repr=False)  # those of the text that are the same

    def moved(self, tokens: int) -> "Segment":
        """The same segment of a text in which this many tokens come before."""
        return replace(
            self,
            text_start=self.text_start + tokens,
            text_end=self.text_end + tokens,
            matched=self.matched + tokens,
            equal=self.equal + tokens,
        )

    @property
    def renamed_share(self) -> float:
        return self.abstract_share * self.consistency


def align(text: Tokens, source: Tokens) -> list[Segment]:
    """The corresponding segments of two token streams, in the order of the text: what aligner.c is held to."""
    prose = _stretches(text, source, prose=True, abstract=False)
    found = _segments(text, source, _stretches(text, source, prose=False, abstract=True), prose)
    if all(each.exact_share >= _ENOUGH_EXACT for each in found):
        return found  # or nothing: what is equal token by token is so abstractly, too
    code = _stretches(text, source, prose=False, abstract=False)
    return straightened(found, _segments(text, source, code, prose))


def straightened(found: list[Segment], straights: list[Segment]) -> list[Segment]:
    """The segments with those of the exact ids in place of lesser ones.

    Repetitive code can align askew on the abstract stream; what is verbatim shows on the exact one.
    """
    for straight in straights:
        rivals = [each for each in found if _overlap(each, straight) > 0]
        if all(_yields(each, straight) for each in rivals):
            found = [each for each in found if each not in rivals]
            found.append(straight)
    return sorted(found, key=lambda each: each.text_start)


def _yields(one: Segment, straight: Segment) -> bool:
    """Whether the exact ids tell more. Of a table a shifted alignment is a renaming of each row, as long as the table."""
    most = straight.exact * straight.exact_share
    is_askew = 2 * one.exact < straight.exact
    return _weight(one) < (_ASKEW * most if is_askew else most)


def _segments(
    text: Tokens, source: Tokens, code: list[Stretch], prose: list[Stretch]
) -> list[Segment]:
    runs = _runs(text, source, _together(code, prose))
    return [_segment(text, source, run) for run in runs if _written(text, run) >= FEWEST_MATCHED]


def _written(text: Tokens, run: list[Stretch]) -> int:
    return sum(int(text.sizes[each.text].sum()) for each in run)


def _weight(segment: Segment) -> float:
    return max(segment.exact * segment.exact_share, segment.abstract * segment.renamed_share)


def _overlap(one: Segment, other: Segment) -> int:
    return min(one.text_end, other.text_end) - max(one.text_start, other.text_start)


def _stretches(text: Tokens, source: Tokens, *, prose: bool, abstract: bool) -> list[Stretch]:
    """Equal stretches of the code (or of the prose) of both sides; comments between do not break them."""
    ours, theirs = (np.flatnonzero((each.kinds == PROSE) == prose) for each in (text, source))
    smallest = MIN_ABSTRACT_BLOCK if abstract or prose else MIN_EXACT_BLOCK
    if min(len(ours), len(theirs)) < smallest:
        return []
    left, right = (text.abstract, source.abstract) if abstract else (text.exact, source.exact)
    blocks = _blocks(left[ours], right[theirs], smallest)
    if not prose:
        says = np.isin(text.kinds[ours], _SAYING)
        blocks = _filled(blocks, text.exact[ours], source.exact[theirs], says)
    return [
        Stretch(
            ours[each.text : each.text + each.size], theirs[each.source : each.source + each.size]
        )
        for each in blocks
    ]


def _filled(
    blocks: list[Block], text: Ids, source: Ids, says: npt.NDArray[np.bool_]
) -> list[Block]:
    """The blocks with shorter ones between and beside them that are equal token by token and say something.

    A line between two edits is often shorter than a block has to be where nothing tells where to look.
    """
    if not blocks:
        return []
    first, last = blocks[0], blocks[-1]
    start = Block(max(0, first.text - _BESIDE), max(0, first.source - _BESIDE), 0)
    end = Block(
        min(len(text), last.text + last.size + _BESIDE),
        min(len(source), last.source + last.size + _BESIDE),
        0,
    )
    filled: list[Block] = []
    for before, after in pairwise([start, *blocks, end]):
        here, there = before.text + before.size, before.source + before.size
        if max(after.text - here, after.source - there) <= _LARGEST_GAP:
            short = _blocks(text[here : after.text], source[there : after.source], _SHORTEST)
            moved = (Block(here + each.text, there + each.source, each.size) for each in short)
            filled += (each for each in moved if says[each.text : each.text + each.size].any())
        filled.append(after)
    return filled[:-1]


def _together(code: list[Stretch], prose: list[Stretch]) -> list[Stretch]:
    """Both in the order of the text, without those of the lesser part that went elsewhere in the source.

    Neighbouring functions often carry the same remarks: which of them was meant, the greater part tells.
    """
    greater, lesser = (code, prose) if _tokens(code) >= _tokens(prose) else (prose, code)
    starts = [int(each.text[0]) for each in greater]
    kept = list(greater)
    for each in lesser:
        place = bisect(starts, int(each.text[0]))
        after = greater[place - 1].source[0] if place else -1
        before = greater[place].source[0] if place < len(greater) else each.source[0] + 1
        if after < each.source[0] < before:
            kept.append(each)
    return sorted(kept, key=lambda each: int(each.text[0]))


def _tokens(stretches: list[Stretch]) -> int:
    return sum(len(each.text) for each in stretches)


def _blocks(text: Ids, source: Ids, smallest: int) -> list[Block]:
    """Runs of at least `smallest` common ids, none crossing, as many ids in all as can be.

    The subsequence is taken of grams, not of ids: single ids that happen to agree would otherwise pull the
    alignment away from the runs.
    """
    ours, theirs = text.tolist(), source.tolist()
    operations = LCSseq.editops(grams(text, smallest).tolist(), grams(source, smallest).tolist())
    blocks: list[Block] = []
    for each in operations.as_matching_blocks():
        if each.size:
            block = _widened(Block(each.a, each.b, each.size + smallest - 1), ours, theirs)
            _push(blocks, block)
    return blocks


def _widened(block: Block, text: list[int], source: list[int]) -> Block:
    """The block with what is equal on either side of it: of equally long subsequences any may be found."""
    start, other, end = block.text, block.source, block.text + block.size
    while start and other and text[start - 1] == source[other - 1]:
        start, other = start - 1, other - 1
    shift = block.source - block.text
    while end < len(text) and end + shift < len(source) and text[end] == source[end + shift]:
        end += 1
    return Block(start, other, end - start)


def _push(blocks: list[Block], block: Block) -> None:
    """Adds a block after the others; where two claim the same ids, the larger one keeps them."""
    while blocks:
        last = blocks[-1]
        shared = max(last.text + last.size - block.text, last.source + last.size - block.source)
        if shared <= 0:
            break
        if last.size >= block.size:
            block = Block(block.text + shared, block.source + shared, block.size - shared)
            break
        blocks.pop()
        if last.size > shared:
            blocks.append(Block(last.text, last.source, last.size - shared))
            break
    if block.size > 0:
        blocks.append(block)


def _runs(text: Tokens, source: Tokens, stretches: list[Stretch]) -> Iterator[list[Stretch]]:
    """Cuts stretches into runs that are dense: a gap, on either side, costs part of what as many tokens earn."""
    if _tokens(stretches) < _MIN_SEGMENT:
        return  # no gap raises what they earn
    text_passed, source_passed = _passed(text), _passed(source)
    start = 0
    while start < len(stretches):
        score = peak = float(len(stretches[start].text))
        best = start
        text_end, source_end = stretches[start].text[-1] + 1, stretches[start].source[-1] + 1
        for number in range(start + 1, len(stretches)):
            next_ = stretches[number]
            gap = _GAP_COST * max(
                text_passed[next_.text[0]] - text_passed[text_end],
                source_passed[next_.source[0]] - source_passed[source_end],
                0.0,
            )
            if gap >= score:
                break
            score += len(next_.text) - gap
            text_end, source_end = (
                max(text_end, next_.text[-1] + 1),
                max(source_end, next_.source[-1] + 1),
            )
            if score > peak:
                peak, best = score, number
        if peak >= _MIN_SEGMENT:
            yield stretches[start : best + 1]
        start = best + 1


def _passed(tokens: Tokens) -> list[float]:
    """What the tokens before each one cost as a gap; prose comes cheap, as it is often rewritten."""
    costs = np.where(tokens.kinds == PROSE, _PROSE_COST, 1.0)
    return [0.0, *np.cumsum(costs).tolist()]


def _segment(text: Tokens, source: Tokens, run: list[Stretch]) -> Segment:
    text_at = np.concatenate([each.text for each in run])
    source_at = np.concatenate([each.source for each in run])
    borders = np.zeros(len(text_at), bool)
    borders[np.cumsum([0, *(len(each.text) for each in run[:-1])])] = True
    in_order = np.argsort(text_at)
    same = text.exact[text_at] == source.exact[source_at]
    exact = _in_long_runs(same, borders) | _whole(same, borders)
    start, end = int(text_at.min()), int(text_at.max()) + 1
    first, last = int(source_at.min()), int(source_at.max()) + 1
    length, code = end - start, text.kinds[start:end] != PROSE
    exact_share, abstract_share = exact.sum() / length, len(text_at) / length
    matched_code, sizes = text.kinds[text_at] != PROSE, text.sizes[text_at]
    if matched_code.sum() >= _ENOUGH_CODE:
        exact_share = max(exact_share, (exact & matched_code).sum() / code.sum())
        abstract_share = max(abstract_share, matched_code.sum() / code.sum())
    return Segment(
        text_start=start,
        text_end=end,
        source_start=first,
        source_end=last,
        exact=int(sizes[exact].sum()),
        abstract=int(sizes.sum()),
        exact_share=float(exact_share),
        abstract_share=float(abstract_share),
        consistency=_consistency(text, source, text_at, source_at),
        exact_grams=_distinct_grams(text.exact[text_at], borders | ~exact | _shifted(~exact)),
        abstract_grams=_distinct_grams(text.abstract[text_at], borders),
        exact_run=_longest(same, borders | ~same | _shifted(~same)),
        abstract_run=_longest(np.ones(len(same), bool), borders),
        left_out=int((source.kinds[first:last] != PROSE).sum() - matched_code.sum()),
        prose=float(1 - matched_code.mean()),
        matched=text_at[in_order],
        partners=source_at[in_order],
        lines=source.lines[source_at[in_order]],
        equal=np.sort(text_at[same]),
    )


def _in_long_runs(
    same: npt.NDArray[np.bool_], borders: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Which tokens lie in runs of at least MIN_EXACT_BLOCK equal ones that cross no border."""
    run = np.cumsum(borders | ~same | _shifted(~same))
    lengths = np.bincount(run, weights=same)
    return same & (lengths[run] >= MIN_EXACT_BLOCK)


def _whole(same: npt.NDArray[np.bool_], borders: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which tokens lie in stretches that are equal as a whole, however short."""
    stretch = np.cumsum(borders)
    equal: npt.NDArray[np.bool_] = np.bincount(stretch, weights=~same) == 0
    return equal[stretch]


def _longest(flags: npt.NDArray[np.bool_], borders: npt.NDArray[np.bool_]) -> int:
    """Of the runs that begin at borders the most flags in one."""
    return int(np.bincount(np.cumsum(borders), weights=flags).max())


def _shifted(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """For each position, the flag of the one before it."""
    return np.concatenate([[False], flags[:-1]])


def _distinct_grams(ids: Ids, borders: npt.NDArray[np.bool_]) -> int:
    """Different runs of six ids that cross no border: repetitive text has few."""
    hashes = grams(ids, _GRAM)
    # A gram is whole when no border lies after its first token.
    passed = np.cumsum(borders)
    whole = passed[_GRAM - 1 :] == passed[: len(hashes)]
    return len(np.unique(hashes[whole]))


def _consistency(
    text: Tokens, source: Tokens, text_at: npt.NDArray[np.intp], source_at: npt.NDArray[np.intp]
) -> float:
    """Share of aligned names that fit a one-to-one renaming (the most common partner, both ways)."""
    # Names of arguments and of properties are not local: they stay when everything around is renamed.
    names = (text.abstract[text_at] == NAME_ID) & (text.kinds[text_at] != ARGUMENT)
    ours, theirs = text.exact[text_at[names]], source.exact[source_at[names]]
    if len(ours) < _CONSISTENCY_CONTEXT:
        return 1.0
    _, ours = np.unique(ours, return_inverse=True)
    _, theirs = np.unique(theirs, return_inverse=True)
    pairs, counts = np.unique(ours * (theirs.max() + 1) + theirs, return_counts=True)
    left, right = np.divmod(pairs, theirs.max() + 1)
    best_left = np.zeros(ours.max() + 1, np.intp)
    best_right = np.zeros(theirs.max() + 1, np.intp)
    np.maximum.at(best_left, left, counts)
    np.maximum.at(best_right, right, counts)
    fits = (counts == best_left[left]) & (counts == best_right[right])
    return float(counts[fits].sum() / len(ours))
