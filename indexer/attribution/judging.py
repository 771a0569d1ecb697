"""When is a correspondence worth a warning? A score that was fitted, and what is too plain to count."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import log1p

import numpy as np
import numpy.typing as npt

from indexer.attribution.alignment import FEWEST_MATCHED, Segment
from indexer.attribution.compiled_rows import firsts
from indexer.attribution.fingerprints import grams
from indexer.attribution.phrases import foreseen
from indexer.attribution.rarity import RAREST, bits_of
from indexer.attribution.tokens import (
    ARGUMENT,
    CALLED,
    CLOSE,
    COMMA,
    KEPT,
    NAME,
    NUMBER,
    OPEN,
    PROSE,
    STRING,
    Ids,
    Tokens,
    word_id,
)

WARNING, INFORMATION = "warning", "information"
VERBATIM, RENAMED, MODIFIED = "verbatim", "renamed", "modified"
LICENCE_HEADER = "licence-header"  # of information only: it says itself whose it is
KINDS = (VERBATIM, RENAMED, MODIFIED, LICENCE_HEADER)
SCALE = "scale.json"

_LICENCE_WORDS = np.array(
    [
        word_id(word)
        for word in (
            "license License LICENSE licence Licence copyright Copyright COPYRIGHT licensed Licensed WARRANTY "
            "WARRANTIES warranty LIABILITY liability redistribute Redistribution SPDX"
        ).split()
    ],
    np.uint64,
)
_LICENCE_MENTIONS = 3
_IMPORTS = np.array([word_id("import"), word_id("from")], np.uint64)
_DECLARES = np.array([word_id(word) for word in ("var", "let", "const")], np.uint64)
_REQUIRE = np.uint64(word_id("require"))
_SAYING = 6.0  # bits of a name that is no mere i or self
_WORDS = (NAME, ARGUMENT, KEPT, CALLED, PROSE)
_IS_NAME, _IS_BRACKET = (
    np.isin(np.arange(16), kinds) for kinds in ((NAME, ARGUMENT), (OPEN, CLOSE))
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a segment has to reach."""

    imports: float = 0.9  # share of the code, from which a text is what everybody imports
    many_imports: float = 0.6  # from which it may be
    many_imports_score: float = 1.0  # that speaks against that, beyond a warning's
    idiom: float = 0.6  # share of tokens under common idiom, from which it is common idiom
    grams: int = 12  # different ones, of either form: less is repetition
    verbatim: float = 0.95
    missing: float = 0.05  # of what a verbatim copy has of the passage
    renamed: float = 0.75
    exact_plain: float = 0.85  # in prose and data, where lines of links and fields look alike
    names: float = 0.15  # share of words, as against literals and punctuation
    table_grams: int = 100  # from which a text with few names is no mere table of literals
    table_names: float = 0.08
    long_table_grams: int = 200  # and with hardly any
    long_table_share: float = 0.9
    prose_warning: float = 0.85  # where hardly any code matches
    prose_grams: int = 50
    little_code: int = 12  # tokens


@dataclass(frozen=True, slots=True)
class Verdict:
    tier: str
    kind: str
    similarity: float
    matched: int


@dataclass(frozen=True, slots=True)
class Common:
    """How common the tokens of a text are in the corpus; the arrays have one entry per token."""

    exact: npt.NDArray[
        np.bool_
    ]  # whether it lies under a fingerprint that unrelated packages share
    abstract: npt.NDArray[np.bool_]
    rare: npt.NDArray[np.float64]  # bits that a name of few passages says beyond any rare word
    ids: Ids  # the exact ones; those of the text may be made like what it is compared with


@dataclass(frozen=True, slots=True)
class Scale:
    """What each feature weighs, and from which score a segment is worth telling.

    The score is the logarithm of the odds that a segment is of a planted copy and not of unrelated code, as
    `footnote eval attribution --fit` finds them on packages that no figure is reported on.
    """

    weights: dict[str, float]
    intercept: float
    warning: float
    information: float

    def score(self, values: dict[str, float]) -> float:
        return self.intercept + sum(self.weights[name] * value for name, value in values.items())


@cache
def scale() -> Scale:
    """The one that was fitted."""
    raw = json.loads(files("indexer.attribution").joinpath(SCALE).read_text("utf-8"))
    return Scale(raw["weights"], raw["intercept"], raw["warning"], raw["information"])


def judge(text: Tokens, segment: Segment, common: Common) -> Verdict | None:
    """The verdict on a segment, or None when it says too little."""
    limits, fitted = Thresholds(), scale()
    if not is_weighed(segment, common, limits):
        return None
    seen = _apparent(text, segment, common)
    if fitted.score(seen | _unheard_of(segment)) < fitted.information:
        return None  # which spares most of what is aligned the harder question
    score = fitted.score(seen | _unforeseen(text, segment, common))
    if score < fitted.information:
        return None
    part = text.part(segment.text_start, segment.text_end)
    beyond = score - fitted.warning
    warns = (
        beyond >= 0
        and _is_anybodys(part, segment, limits)
        and _imports(part)
        < (limits.imports if beyond >= limits.many_imports_score else limits.many_imports)
    )
    exact, renamed = segment.exact_share, segment.renamed_share
    return Verdict(
        WARNING if warns else INFORMATION,
        _kind(part, segment, limits),
        max(exact, renamed) if _has_names(part) else exact,
        _matched(segment),
    )


def is_weighed(segment: Segment, common: Common, limits: Thresholds) -> bool:
    """Whether a segment has a score at all: it is no fragment, no repetition and no common idiom."""
    here = slice(segment.text_start, segment.text_end)
    return (
        _matched(segment) >= FEWEST_MATCHED
        and max(segment.exact_grams, segment.abstract_grams) >= limits.grams
        and min(_share(common.exact[here]), _share(common.abstract[here])) <= limits.idiom
    )


def _matched(segment: Segment) -> int:
    return max(segment.exact, segment.abstract)


def features(text: Tokens, segment: Segment, common: Common) -> dict[str, float]:
    """What speaks for a segment and against it. Sizes count by their logarithms: twice as long, as much more."""
    return _apparent(text, segment, common) | _unforeseen(text, segment, common)


def _apparent(text: Tokens, segment: Segment, common: Common) -> dict[str, float]:
    """What the segment itself shows."""
    here = slice(segment.text_start, segment.text_end)
    kinds, exact = text.kinds[here], text.exact[here]
    code = kinds != PROSE
    tokens = max(1, _count(code))
    equal = segment.equal[np.unique(text.exact[segment.equal], return_index=True)[1]]
    said = bits_of(text.exact[equal])
    names = _IS_NAME[text.kinds[equal]]
    triples = grams(exact[code], 3)
    return {
        "rare names": log1p(float(common.rare[equal].sum())),
        "exact": log1p(segment.exact),
        "abstract": log1p(segment.abstract),
        "exact run": log1p(segment.exact_run),
        "abstract run": log1p(segment.abstract_run),
        "blocks": log1p(1 + _count(segment.matched[1:] - segment.matched[:-1] > 1)),
        "lines": log1p(int(text.lines[segment.text_end - 1] - text.lines[segment.text_start]) + 1),
        "exact share": segment.exact_share,
        "renamed share": segment.renamed_share,
        "equal share": len(segment.equal) / max(1, len(segment.matched)),
        "consistency": segment.consistency,
        "whole": float(segment.exact_share >= 0.95),
        "replaced": float(segment.exact_share < 0.7),
        "left out": log1p(max(0, segment.left_out)),
        "prose": segment.prose,
        "exact idiom": _share(common.exact[here]),
        "abstract idiom": _share(common.abstract[here]),
        "names": log1p(_count(names)),
        "known names": log1p(_count(names & (said >= _SAYING))),
        "strings": log1p(_count((text.kinds[equal] == STRING) & (said >= RAREST))),
        "share of names": _count(_IS_NAME[kinds[code]]) / tokens,
        "share of numbers": _count(kinds == NUMBER) / tokens,
        "commas": _share(kinds == COMMA),
        "brackets": _share(_IS_BRACKET[kinds]),
        "variety": len(firsts(triples)) / max(1, len(triples)),
    }


def _count(which: npt.NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(which))


def _share(which: npt.NDArray[np.bool_]) -> float:
    return _count(which) / len(which)


def _unheard_of(segment: Segment) -> dict[str, float]:
    """The most that can be unforeseen."""
    said = log1p(RAREST * len(segment.equal))
    return {"unforeseen": said, "phrases": 1.0}


def _unforeseen(text: Tokens, segment: Segment, common: Common) -> dict[str, float]:
    """How far the code that is equal follows from what many write."""
    here = slice(segment.text_start, segment.text_end)
    code = text.kinds[here] != PROSE
    same = np.zeros(len(code), bool)
    same[segment.equal - segment.text_start] = True
    same, ids = same[code], common.ids[here][code]
    if not same.any():
        return {"unforeseen": 0.0, "phrases": 0.0}
    bits, run = foreseen(ids)
    # What is repeated says nothing more.
    first = np.zeros(len(ids), bool)
    first[0] = True
    first[1 + firsts(grams(ids, 2))] = True
    return {
        "unforeseen": log1p(float(bits[same & first].sum())),
        "phrases": float(run[same].mean()),
    }


def _kind(part: Tokens, segment: Segment, limits: Thresholds) -> str:
    if _is_licence(part, limits):
        return LICENCE_HEADER
    missing = segment.left_out / max(1, segment.exact)
    if segment.exact_share >= limits.verbatim and missing <= limits.missing:
        return VERBATIM
    replaced = segment.abstract_share - segment.exact_share
    if _has_names(part) and segment.renamed_share >= limits.renamed and replaced > 0.1:
        return RENAMED
    return MODIFIED


def _has_names(part: Tokens) -> bool:
    """Prose and data have no names to replace."""
    return not np.array_equal(part.exact, part.abstract)


def _is_anybodys(part: Tokens, segment: Segment, limits: Thresholds) -> bool:
    """Whether it can be told whose this is: not of a licence, nor of a mere table."""
    share, seen = segment.exact_share, segment.exact_grams
    code = int((part.kinds != PROSE).sum())
    if _is_licence(part, limits):
        return False
    if code < limits.little_code:
        return share >= limits.prose_warning and seen >= limits.prose_grams
    if share < limits.exact_plain and not _has_names(part):
        return False
    names = _names(part)
    return (
        names >= limits.names
        or (names >= limits.table_names and seen >= limits.table_grams)
        or (share >= limits.long_table_share and seen >= limits.long_table_grams)
    )


def _names(part: Tokens) -> float:
    """Share of words, as against literals and punctuation."""
    return float(np.isin(part.kinds, _WORDS).mean())


def _imports(part: Tokens) -> float:
    """Share of the code on the lines of import statements, and on those with which they go on: names and commas."""
    code = part.kinds != PROSE
    if not code.any():
        return 0.0
    lines, exact, kinds = part.lines[code], part.exact[code], part.kinds[code]
    first = np.ones(len(lines), bool)
    first[1:] = lines[1:] != lines[:-1]
    row = np.cumsum(first) - 1
    required = np.bincount(row, exact == _REQUIRE, int(first.sum())) > 0
    begins = np.isin(exact[first], _IMPORTS) | (required & np.isin(exact[first], _DECLARES))
    listed = np.bincount(row, ~np.isin(kinds, (NAME, COMMA)), begins.size) == 0
    # Of each row the last one before it, or itself, that is no mere list: does that import?
    place = np.maximum.accumulate(np.where(listed, 0, np.arange(begins.size)))
    return float((begins | (listed & begins[place]))[row].mean())


def _is_licence(part: Tokens, limits: Thresholds) -> bool:
    """Whether this is the text of a licence: it says itself where it is from, and means to be copied."""
    code = int((part.kinds != PROSE).sum())
    words = int(np.isin(part.exact, _LICENCE_WORDS).sum())
    return words >= _LICENCE_MENTIONS and (code < limits.little_code or words * 20 >= len(part))
