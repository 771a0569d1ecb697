"""What speaks for a segment and against it, in numbers that a score can weigh."""

from dataclasses import dataclass
from math import log1p

import numpy as np
import numpy.typing as npt

from indexer.attribution.alignment import Segment
from indexer.attribution.compiled_rows import firsts
from indexer.attribution.fingerprints import grams
from indexer.attribution.phrases import LENGTHS, Phrases
from indexer.attribution.rarity import RAREST, bits_of
from indexer.attribution.shapes import shape_grams
from indexer.attribution.tokens import (
    ARGUMENT,
    CALLED,
    COMMA,
    KEPT,
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

_SAYING = 6.0  # bits of a name that is no mere i or self
_WHOLE = 0.95  # share of the text that is equal, from which all of it is
_STATEMENT = 6  # tokens of a row by which variety is told
_ENDS, _ENDS_ALIKE = 2.5, 2.0  # line ends, and those alike, that are taken as seen before any is
_IS_NAME, _IS_KEPT, _IS_WORD = (
    np.isin(np.arange(16), kinds)
    for kinds in (
        (NAME, ARGUMENT),
        (KEPT, CALLED),
        (NAME, ARGUMENT, KEPT, CALLED, NUMBER, STRING),
    )
)

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Common:
    """How common the tokens of a text are in the corpus; the arrays have one entry per token."""

    exact: npt.NDArray[
        np.bool_
    ]  # whether it lies under a fingerprint that unrelated packages share
    abstract: npt.NDArray[np.bool_]
    shared: npt.NDArray[np.bool_]  # whether it lies under one that two unrelated packages have
    rare: npt.NDArray[np.float64]  # bits that a name of few passages says beyond any rare word
    ids: Ids  # the exact ones; those of the text may be made like what it is compared with


def features(text: Tokens, segment: Segment, common: Common, phrases: Phrases) -> dict[str, float]:
    """All of them. Sizes count by their logarithms: twice as long, as much more."""
    return apparent(text, segment, common) | unforeseen(text, segment, common, phrases)


def apparent(text: Tokens, segment: Segment, common: Common) -> dict[str, float]:
    """What the segment itself shows."""
    here = slice(segment.text_start, segment.text_end)
    kinds, exact = text.kinds[here], text.exact[here]
    code = kinds != PROSE
    ids, whole = exact[code], segment.exact_share >= _WHOLE
    equal = segment.equal[firsts(text.exact[segment.equal])]
    said = bits_of(text.exact[equal])
    names = _IS_NAME[text.kinds[equal]]
    is_code = text.kinds[segment.matched] != PROSE
    matched, partners = segment.matched[is_code], segment.partners[is_code]
    abstract = text.abstract[matched]
    named = text.exact[matched[abstract == NAME_ID]]
    stay = firsts(abstract[_IS_KEPT[text.kinds[matched]]])
    ours, theirs = _line_ends(text, segment)
    return {
        "rare names": log1p(float(common.rare[equal].sum())),
        "abstract": log1p(segment.abstract),
        "blocks": log1p(1 + count(segment.matched[1:] - segment.matched[:-1] > 1)),
        "equal share": len(segment.equal) / max(1, len(segment.matched)),
        "whole": float(whole),
        "left out": log1p(max(0, segment.left_out)),
        "prose": segment.prose,
        "replaced": log1p(count((_gaps(matched) > 0) & (_gaps(partners) > 0))),
        "shared": share(common.shared[here]),
        "abstract idiom": share(common.abstract[here]),
        "names": log1p(count(names)),
        "known names": log1p(count(names & (said >= _SAYING))),
        "strings": log1p(count((text.kinds[equal] == STRING) & (said >= RAREST))),
        "variety": _variety(grams(ids, 3)),
        # A verbatim copy is one however plain; what is only alike has to be varied.
        "variety of kinds": 0.0 if whole else _variety(_kind_grams(ids, kinds[code])),
        "commas": share(kinds == COMMA),
        "different names": log1p(len(firsts(named))),
        "words that stay": log1p(len(stay)),
        "line ends": _alike(count((ours > 0) & (theirs > 0)), count((ours > 0) | (theirs > 0))),
        "blank lines": log1p(count((ours > 1) & (ours == theirs))),
    }


def unforeseen(
    text: Tokens, segment: Segment, common: Common, phrases: Phrases
) -> dict[str, float]:
    """How far the code that matches follows from what many write: as it is written, and whatever its names are."""
    here = slice(segment.text_start, segment.text_end)
    code = np.flatnonzero(text.kinds[here] != PROSE)
    ids, abstract = common.ids[here][code], text.abstract[here][code]
    if len(code) < _STATEMENT:
        return {name: least for name, (least, _) in bounds(segment).items()}
    equal = _flags(segment, segment.equal)[code]
    runs = phrases.longest(ids)[equal]
    shapes = firsts(shape_grams(ids, abstract, _STATEMENT))
    return {
        "phrases": float(runs.mean()) if len(runs) else 1.0,
        "different shapes": log1p(len(shapes)),
    }


def bounds(segment: Segment) -> dict[str, tuple[float, float]]:
    """Between what the values of unforeseen() lie."""
    return {
        "phrases": (1.0, float(LENGTHS[-1])),
        "different shapes": (0.0, log1p(segment.text_end - segment.text_start)),
    }


def count(flags: Flags) -> int:
    return int(np.count_nonzero(flags))


def share(flags: Flags) -> float:
    return count(flags) / len(flags)


def _gaps(places: Places) -> Places:
    """How many tokens lie between each two neighbours; none where they stand in another order."""
    gaps: Places = np.maximum(places[1:] - places[:-1] - 1, 0)
    return gaps


def _variety(hashes: Ids) -> float:
    """Share of the grams that are different."""
    return len(firsts(hashes)) / max(1, len(hashes))


def _kind_grams(exact: Ids, kinds: npt.NDArray[np.uint8]) -> Ids:
    """Grams of marks and kinds, whatever the words and literals are.

    Rows of constants, settings or delegations repeat few, whoever writes them.
    """
    return grams(np.where(_IS_WORD[kinds], kinds.astype(np.uint64), exact), _STATEMENT)


def _line_ends(text: Tokens, segment: Segment) -> tuple[Lines, Lines]:
    """How many line ends lie between each two tokens that match and are neighbours in both, here and in the source.

    Who writes the same by chance breaks it elsewhere more often; a copy keeps what no formatter has touched.
    """
    at, there, line = segment.matched, segment.partners, text.lines[segment.matched]
    beside = (at[1:] - at[:-1] == 1) & (there[1:] - there[:-1] == 1)
    ours: Lines = (line[1:] - line[:-1])[beside]
    theirs: Lines = (segment.lines[1:] - segment.lines[:-1])[beside]
    return ours, theirs


def _alike(alike: int, ends: int) -> float:
    """Share of the line ends that are alike: a share, as a formatter may move many of a long copy."""
    return (alike + _ENDS_ALIKE) / (ends + _ENDS)


def _flags(segment: Segment, places: Places) -> Flags:
    """Which tokens of a segment are at some places of the text."""
    flags = np.zeros(segment.text_end - segment.text_start, bool)
    flags[places - segment.text_start] = True
    return flags
