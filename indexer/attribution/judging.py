"""When is a correspondence worth a warning? Thresholds, and what is too common or too plain to count."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.attribution.alignment import Segment
from indexer.attribution.tokens import ARGUMENT, CALLED, KEPT, NAME, PROSE, Tokens, word_id

WARNING, INFORMATION = "warning", "information"
VERBATIM, RENAMED, MODIFIED = "verbatim", "renamed", "modified"

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
_WORDS = (NAME, ARGUMENT, KEPT, CALLED, PROSE)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Fitted on packages that the evaluation leaves out (`split_of` in trainer/evaluation/attribution/splits.py)."""

    matched: int = 50  # written tokens, for anything at all
    verbatim: float = 0.9
    renamed: float = 0.8
    exact_warning: float = 0.72
    exact_grams: int = 24
    exact_plain: float = 0.85  # in prose and data, where lines of links and fields look alike
    exact_patchy: float = 0.8  # below it the evidence is patchy and more of it is asked for
    patchy_grams: int = 40
    exact_names: float = 0.15
    table_grams: int = 100  # from which a text with few names is no mere table of literals
    table_names: float = 0.08
    long_table_grams: int = 200  # and with hardly any
    renamed_warning: float = 0.88
    renamed_matched: int = 50
    renamed_grams: int = 34
    renamed_evidence: int = 40  # abstract grams and half of the exact ones
    renamed_names: float = 0.3
    prose_warning: float = 0.85  # where hardly any code matches
    prose_grams: int = 50
    little_code: int = 12  # tokens
    exact_information: float = 0.6
    renamed_information: float = 0.75
    information_grams: int = 15  # different ones, of either form
    common: float = 0.6  # share of tokens under common idiom from which a segment is common idiom
    common_unless_long: float = (
        0.8  # likewise, for a segment of this many grams and nothing changed
    )
    long_grams: int = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    tier: str
    kind: str
    similarity: float
    matched: int


@dataclass(frozen=True, slots=True)
class Common:
    """Which tokens of a text lie under fingerprints that unrelated packages share: bool[tokens]."""

    exact: npt.NDArray[np.bool_]
    abstract: npt.NDArray[np.bool_]


def judge(text: Tokens, segment: Segment, common: Common, limits: Thresholds) -> Verdict | None:
    """The verdict on a segment, or None when it says too little."""
    here = slice(segment.text_start, segment.text_end)
    exact, renamed = segment.exact_share, segment.renamed_share
    matched = max(segment.exact, segment.abstract)
    seen = max(segment.exact_grams, segment.abstract_grams)
    if matched < limits.matched or seen < limits.information_grams:
        return None
    part = text.part(segment.text_start, segment.text_end)
    if np.array_equal(part.exact, part.abstract):
        renamed = 0.0  # prose and data have no names to replace
    exactly = exact >= limits.exact_information and common.exact[here].mean() <= limits.common
    long = renamed >= limits.verbatim and segment.abstract_grams >= limits.long_grams
    abstractly = renamed >= limits.renamed_information and common.abstract[here].mean() <= (
        limits.common_unless_long if long else limits.common
    )
    if not (exactly or abstractly):
        return None
    warns = (exactly and _warns_exactly(part, segment, limits)) or (
        abstractly and _warns_abstractly(part, segment, limits)
    )
    if exact >= limits.verbatim:
        kind = VERBATIM
    else:
        kind = RENAMED if renamed >= limits.renamed else MODIFIED
    return Verdict(WARNING if warns else INFORMATION, kind, max(exact, renamed), matched)


def _warns_exactly(part: Tokens, segment: Segment, limits: Thresholds) -> bool:
    share, seen = segment.exact_share, segment.exact_grams
    if share < limits.exact_warning or seen < limits.exact_grams:
        return False
    if share < limits.exact_patchy and seen < limits.patchy_grams:
        return False
    if share < limits.exact_plain and np.array_equal(part.exact, part.abstract):
        return False
    code = int((part.kinds != PROSE).sum())
    if _is_licence(part, code, limits):
        return False
    if code < limits.little_code:
        return share >= limits.prose_warning and seen >= limits.prose_grams
    names = _names(part)
    return (
        names >= limits.exact_names
        or (names >= limits.table_names and seen >= limits.table_grams)
        or (share >= limits.verbatim and seen >= limits.long_table_grams)
    )


def _warns_abstractly(part: Tokens, segment: Segment, limits: Thresholds) -> bool:
    return (
        segment.renamed_share >= limits.renamed_warning
        and segment.abstract >= limits.renamed_matched
        and segment.abstract_grams >= limits.renamed_grams
        and segment.abstract_grams + segment.exact_grams // 2 >= limits.renamed_evidence
        and _names(part) >= limits.renamed_names
        and int((part.kinds != PROSE).sum()) >= limits.little_code
    )


def _names(part: Tokens) -> float:
    """Share of words, as against literals and punctuation."""
    return float(np.isin(part.kinds, _WORDS).mean())


def _is_licence(part: Tokens, code: int, limits: Thresholds) -> bool:
    """Whether this is the text of a licence: it says itself where it is from, and means to be copied."""
    words = int(np.isin(part.exact, _LICENCE_WORDS).sum())
    return words >= _LICENCE_MENTIONS and (code < limits.little_code or words * 20 >= len(part))
