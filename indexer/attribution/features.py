"""What speaks for a segment and against it, in numbers that a score can weigh."""

from math import log1p

import numpy as np

from indexer.attribution.alignment import Segment
from indexer.attribution.compiled_rows import firsts
from indexer.attribution.counting import Common, Flags, counts
from indexer.attribution.phrases import LENGTHS, Phrases
from indexer.attribution.shapes import shape_grams
from indexer.attribution.tokens import PROSE, Places, Tokens

_WHOLE = 0.95  # share of the text that is equal, from which all of it is
_STATEMENT = 6  # tokens of a row by which shapes are told
_ENDS, _ENDS_ALIKE = 2.5, 2.0  # line ends, and those alike, that are taken as seen before any is


def features(text: Tokens, segment: Segment, common: Common, phrases: Phrases) -> dict[str, float]:
    """All of them. Sizes count by their logarithms: twice as long, as much more."""
    return apparent(text, segment, common) | unforeseen(text, segment, common, phrases)


def apparent(text: Tokens, segment: Segment, common: Common) -> dict[str, float]:
    """What the segment itself shows."""
    tokens, whole = segment.text_end - segment.text_start, segment.exact_share >= _WHOLE
    seen = counts(text, segment, common)
    return {
        "rare names": log1p(seen.rare),
        "abstract": log1p(segment.abstract),
        "blocks": log1p(1 + seen.blocks),
        "equal share": len(segment.equal) / max(1, len(segment.matched)),
        "whole": float(whole),
        "left out": log1p(max(0, segment.left_out)),
        "prose": segment.prose,
        "replaced": log1p(seen.replaced),
        "shared": seen.shared / tokens,
        "abstract idiom": seen.idiom / tokens,
        "names": log1p(seen.names),
        "known names": log1p(seen.known_names),
        "strings": log1p(seen.strings),
        "variety": seen.different_runs / max(1, seen.runs),
        # Rows of constants, settings or delegations repeat few kinds, whoever writes them. A verbatim copy is one
        # however plain; what is only alike has to be varied.
        "variety of kinds": 0.0 if whole else seen.different_rows / max(1, seen.rows),
        "commas": seen.commas / tokens,
        "different names": log1p(seen.different_names),
        "words that stay": log1p(seen.kept_words),
        # Who writes the same by chance breaks it elsewhere more often; a copy keeps what no formatter has touched.
        # A share, as one may move many of a long copy.
        "line ends": (seen.ends_alike + _ENDS_ALIKE) / (seen.ends + _ENDS),
        "blank lines": log1p(seen.blank_lines),
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


def _flags(segment: Segment, places: Places) -> Flags:
    """Which tokens of a segment are at some places of the text."""
    flags = np.zeros(segment.text_end - segment.text_start, bool)
    flags[places - segment.text_start] = True
    return flags
