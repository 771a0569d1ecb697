"""When is a correspondence worth a warning? A score that was fitted, and what is too plain to count."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from indexer.attribution.alignment import FEWEST_MATCHED, Segment
from indexer.attribution.counting import Common, Flags, count
from indexer.attribution.features import apparent, bounds, unforeseen
from indexer.attribution.phrases import shipped
from indexer.attribution.scoring import scale
from indexer.attribution.tokens import (
    ARGUMENT,
    CALLED,
    COMMA,
    KEPT,
    NAME,
    PROSE,
    Ids,
    Tokens,
    word_id,
)

WARNING, INFORMATION = "warning", "information"
VERBATIM, RENAMED, MODIFIED = "verbatim", "renamed", "modified"
LICENCE_HEADER = "licence-header"  # of information only: it says itself whose it is
KINDS = (VERBATIM, RENAMED, MODIFIED, LICENCE_HEADER)

_LICENCE_WORDS = np.sort(
    np.array(
        [
            word_id(word)
            for word in (
                "license License LICENSE licence Licence copyright Copyright COPYRIGHT licensed Licensed WARRANTY "
                "WARRANTIES warranty LIABILITY liability LIABLE liable MERCHANTABILITY merchantability redistribute "
                "Redistribution SPDX"
            ).split()
        ],
        np.uint64,
    )
)
_LICENCE_MENTIONS = 3
_IMPORTS = [np.uint64(word_id(word)) for word in ("import", "from")]
_DECLARES = [np.uint64(word_id(word)) for word in ("var", "let", "const")]
_REQUIRE = np.uint64(word_id("require"))
_IS_WORD = np.zeros(256, bool)
_IS_WORD[[NAME, ARGUMENT, KEPT, CALLED, PROSE]] = True


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
    whole: int = (
        80  # written tokens of a verbatim one, from which it is warned of if it is told at all
    )
    renamed: float = 0.75
    exact_plain: float = 0.85  # in prose and data, where lines of links and fields look alike
    names: float = 0.15  # share of words, as against literals and punctuation
    table_grams: int = 100  # from which a text with few names is no mere table of literals
    table_names: float = 0.08
    long_table_grams: int = 200  # and with hardly any
    long_table_share: float = 0.9
    little_code: int = 12  # tokens of it, below which a segment is prose
    prose: float = 0.85  # share of prose that is equal, for it to be told
    prose_grams: int = 30  # different ones, likewise
    prose_warning: int = 50  # and for a warning


@dataclass(frozen=True, slots=True)
class Verdict:
    tier: str
    kind: str
    similarity: float
    matched: int


def judge(text: Tokens, segment: Segment, common: Common) -> Verdict | None:
    """The verdict on a segment, or None when it says too little."""
    limits, fitted = Thresholds(), scale()
    if not is_weighed(segment, common, limits):
        return None
    part = text.part(segment.text_start, segment.text_end)
    if is_licence(part, limits):  # which no score is about
        exact, matched = segment.exact_share, _matched(segment)
        is_told = exact >= limits.exact_plain
        return Verdict(INFORMATION, LICENCE_HEADER, exact, matched) if is_told else None
    if is_prose(part, limits):
        return _on_prose(part, segment, limits)
    seen = apparent(text, segment, common)
    if fitted.most(seen, bounds(segment)) < fitted.information:
        return None  # which spares much of what is aligned the harder question
    score = fitted.score(seen | unforeseen(text, segment, common, shipped()))
    if score < fitted.information:
        return None
    beyond = score - fitted.warning
    is_whole = segment.exact_share >= limits.verbatim and segment.exact >= limits.whole
    warns = (beyond >= 0 or is_whole) and may_warn(part, segment, limits, beyond)
    return _verdict(WARNING if warns else INFORMATION, part, segment, limits)


def _verdict(tier: str, part: Tokens, segment: Segment, limits: Thresholds) -> Verdict:
    exact, renamed = segment.exact_share, segment.renamed_share
    similarity = max(exact, renamed) if _has_names(part) else exact
    return Verdict(tier, _kind(part, segment, limits), similarity, _matched(segment))


def is_prose(part: Tokens, limits: Thresholds) -> bool:
    """Whether hardly any of this is code: of names and shapes, which the score weighs, there is nothing to say."""
    return count(part.kinds != PROSE) < limits.little_code


def _on_prose(part: Tokens, segment: Segment, limits: Thresholds) -> Verdict | None:
    """The verdict on words alone: so many in a row are not written twice."""
    if segment.exact_share < limits.prose or segment.exact_grams < limits.prose_grams:
        return None
    warns = segment.exact_grams >= limits.prose_warning
    return _verdict(WARNING if warns else INFORMATION, part, segment, limits)


def may_warn(part: Tokens, segment: Segment, limits: Thresholds, beyond: float) -> bool:
    """Whether a segment may be warned of whose score is this much beyond a warning's: it is somebody's, and code."""
    imports = limits.imports if beyond >= limits.many_imports_score else limits.many_imports
    return _is_anybodys(part, segment, limits) and _imports(part) < imports


def is_weighed(segment: Segment, common: Common, limits: Thresholds) -> bool:
    """Whether a segment has a score at all: it is no fragment, no repetition and no common idiom."""
    here = slice(segment.text_start, segment.text_end)
    return (
        _matched(segment) >= FEWEST_MATCHED
        and max(segment.exact_grams, segment.abstract_grams) >= limits.grams
        and min(count(common.exact[here]), count(common.abstract[here])) / (here.stop - here.start)
        <= limits.idiom
    )


def _matched(segment: Segment) -> int:
    return max(segment.exact, segment.abstract)


def _kind(part: Tokens, segment: Segment, limits: Thresholds) -> str:
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
    """Whether it can be told whose this is: not of a mere table."""
    share, seen = segment.exact_share, segment.exact_grams
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
    return float(_IS_WORD[part.kinds].mean())


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
    begins = _is_one_of(exact[first], _IMPORTS) | (required & _is_one_of(exact[first], _DECLARES))
    listed = np.bincount(row, (kinds != NAME) & (kinds != COMMA), begins.size) == 0
    # Of each row the last one before it, or itself, that is no mere list: does that import?
    place = np.maximum.accumulate(np.where(listed, 0, np.arange(begins.size)))
    return float((begins | (listed & begins[place]))[row].mean())


def _is_one_of(ids: Ids, few: Iterable[np.uint64]) -> Flags:
    """Which ids are among a few: sorting them, as NumPy's isin does, takes ten times as long."""
    among = np.zeros(len(ids), bool)
    for each in few:
        among |= ids == each
    return among


def is_licence(part: Tokens, limits: Thresholds) -> bool:
    """Whether this is the text of a licence: it says itself where it is from, and means to be copied."""
    place = np.searchsorted(_LICENCE_WORDS[:-1], part.exact)
    words = count(_LICENCE_WORDS[place] == part.exact)
    return words >= _LICENCE_MENTIONS and (is_prose(part, limits) or words * 20 >= len(part))
