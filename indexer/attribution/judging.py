"""When is a correspondence worth a warning? A score that was fitted, and what is too plain to count."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import log1p

import numpy as np
import numpy.typing as npt

from indexer.attribution.alignment import FEWEST_MATCHED, Segment
from indexer.attribution.tokens import ARGUMENT, CALLED, COMMA, KEPT, NAME, PROSE, Tokens, word_id

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
_WORDS = (NAME, ARGUMENT, KEPT, CALLED, PROSE)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a segment has to reach."""

    matched: int = 40  # written tokens, for a warning
    plain_matched: int = (
        80  # below it, where no name is rare, signatures and lists of fields look alike
    )
    plain_score: float = 1.0  # that is asked for in addition
    imports: float = 0.6  # share of the code, from which a text is what everybody imports
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
    matched = max(segment.exact, segment.abstract)
    seen = max(segment.exact_grams, segment.abstract_grams)
    if matched < FEWEST_MATCHED or seen < limits.grams:
        return None
    values = features(text, segment, common)
    score = fitted.score(values)
    idiom = min(values["exact idiom"], values["abstract idiom"])
    if score < fitted.information or idiom > limits.idiom:
        return None
    part = text.part(segment.text_start, segment.text_end)
    plain = matched < limits.plain_matched and not values["rare names"]
    enough = fitted.warning + (limits.plain_score if plain else 0.0)
    warns = matched >= limits.matched and score >= enough and _is_anybodys(part, segment, limits)
    exact, renamed = segment.exact_share, segment.renamed_share
    return Verdict(
        WARNING if warns else INFORMATION,
        _kind(part, segment, limits),
        max(exact, renamed) if _has_names(part) else exact,
        matched,
    )


def features(text: Tokens, segment: Segment, common: Common) -> dict[str, float]:
    """What speaks for a segment and against it. Sizes count by their logarithms: twice as long, as much more."""
    here = slice(segment.text_start, segment.text_end)
    named = segment.equal[np.unique(text.exact[segment.equal], return_index=True)[1]]
    return {
        "rare names": log1p(float(common.rare[named].sum())),
        "exact": log1p(segment.exact),
        "abstract": log1p(segment.abstract),
        "grams": log1p(segment.abstract_grams),
        "exact run": log1p(segment.exact_run),
        "abstract run": log1p(segment.abstract_run),
        "exact bits": log1p(segment.exact_bits),
        "bits": log1p(segment.bits),
        "abstract share": segment.abstract_share,
        "renamed share": segment.renamed_share,
        "consistency": segment.consistency,
        "whole": float(segment.exact_share >= 0.95),
        "left out": log1p(max(0, segment.left_out)),
        "prose": segment.prose,
        "exact idiom": float(common.exact[here].mean()),
        "abstract idiom": float(common.abstract[here].mean()),
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
    if _imports(part) >= limits.imports * code:
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


def _imports(part: Tokens) -> int:
    """Tokens on the lines of import statements, and on those with which they go on: names and commas only."""
    code = part.kinds != PROSE
    lines, exact, kinds = part.lines[code], part.exact[code], part.kinds[code]
    first = np.ones(len(lines), bool)
    first[1:] = lines[1:] != lines[:-1]
    row = np.cumsum(first) - 1
    begins = np.isin(exact[first], _IMPORTS)
    listed = np.bincount(row, ~np.isin(kinds, (NAME, COMMA)), begins.size) == 0
    # Of each row the last one before it, or itself, that is no mere list: does that import?
    place = np.maximum.accumulate(np.where(listed, 0, np.arange(begins.size)))
    return int((begins | (listed & begins[place]))[row].sum())


def _is_licence(part: Tokens, limits: Thresholds) -> bool:
    """Whether this is the text of a licence: it says itself where it is from, and means to be copied."""
    code = int((part.kinds != PROSE).sum())
    words = int(np.isin(part.exact, _LICENCE_WORDS).sum())
    return words >= _LICENCE_MENTIONS and (code < limits.little_code or words * 20 >= len(part))
