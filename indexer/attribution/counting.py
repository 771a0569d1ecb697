"""What is common in a text, and what of a segment can be counted: by native/features.c, or with numpy where that was not compiled."""

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from indexer.attribution.alignment import Segment
from indexer.attribution.compiled_rows import firsts, loaded, place
from indexer.attribution.fingerprints import grams
from indexer.attribution.native.building import FEATURES
from indexer.attribution.occurrences import Hits
from indexer.attribution.postings import STOP
from indexer.attribution.rarity import RAREST, bits_of, table
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
    Places,
    Tokens,
)

RUN = 3  # tokens by which variety is told
ROW = 6  # and that of kinds of token
IDIOM_FAMILIES = 4  # unrelated packages with the same abstract gram
_SAYING = 6.0  # bits of a name that is no mere i or self
_IS_NAME, _IS_KEPT, _IS_WORD = (
    np.isin(np.arange(16), kinds)
    for kinds in (
        (NAME, ARGUMENT),
        (KEPT, CALLED),
        (NAME, ARGUMENT, KEPT, CALLED, NUMBER, STRING),
    )
)
_BYTES, _PLACE, _NUMBER, _REAL = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
_FUNCTIONS = {
    "footnote_counts": (
        _NUMBER, *(_BYTES,) * 7, _NUMBER, *(_BYTES,) * 3, _NUMBER, _BYTES, _NUMBER,
        _PLACE, _PLACE, _NUMBER, _REAL, _REAL, _NUMBER, _NUMBER, ctypes.c_uint64, _NUMBER, _PLACE, _PLACE,
    ),
    "footnote_common": (_NUMBER, *(_BYTES,) * 5, *(_NUMBER,) * 3, _PLACE),
}  # fmt: skip

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Common:
    """How common the tokens of a text are in the corpus; the arrays have one entry per token."""

    exact: Flags  # whether it lies under a fingerprint that unrelated packages share
    abstract: Flags
    shared: Flags  # whether it lies under one that two unrelated packages have
    rare: npt.NDArray[np.float64]  # bits that a name of few passages says beyond any rare word
    ids: Ids  # the exact ones; those of the text may be made like what it is compared with


def common(hits: Hits, rare: npt.NDArray[np.float64], ids: Ids) -> Common:
    """What of a text lies under fingerprints of common idiom.

    A shape of code is idiom in fewer packages than the code itself: names are what makes it somebody's.
    """
    library = compiled()
    if library is None:
        return common_by_numpy(hits, rare, ids)
    columns = hits.starts, hits.ends, hits.lines, hits.abstract, hits.families
    flags = np.empty((3, len(rare)), bool)
    said = library.footnote_common(
        *(each.tobytes() for each in columns), len(hits.starts), IDIOM_FAMILIES, len(rare), place(flags)
    )  # fmt: skip
    if said < 0:
        raise MemoryError
    exact, abstract, shared = flags
    return Common(exact, abstract, shared, rare, ids)


def common_by_numpy(hits: Hits, rare: npt.NDArray[np.float64], ids: Ids) -> Common:
    """The same, where nothing was compiled."""
    stopped = hits.lines == STOP
    shapes = hits.abstract & (stopped | (hits.families >= IDIOM_FAMILIES))
    twice = ~hits.abstract & (stopped | (hits.families > 1))
    exact, abstract, shared = (
        _covered(hits, each, len(rare)) for each in (stopped & ~hits.abstract, shapes, twice)
    )
    return Common(exact, abstract, shared, rare, ids)


def _covered(hits: Hits, which: Flags, tokens: int) -> Flags:
    depth = np.bincount(hits.starts[which], minlength=tokens + 1)
    depth -= np.bincount(hits.ends[which], minlength=tokens + 1)
    covered: Flags = np.cumsum(depth[:tokens]) > 0
    return covered


class Counts(NamedTuple):
    """Of a segment, how many there are of what speaks for it or against it; `counts` in features.c has this order."""

    blocks: int  # that match, but for the first
    replaced: int  # places between them that have code on both sides
    idiom: int  # tokens under shapes of common idiom
    shared: int  # tokens under what two unrelated packages have
    names: int  # different ones that are the same on both sides
    known_names: int  # of those, the ones that are no mere i or self
    strings: int  # different ones, likewise, that few have
    runs: int  # of RUN tokens
    different_runs: int
    rows: int  # of ROW tokens, whatever the words and literals are
    different_rows: int
    commas: int
    different_names: int  # that another may stand for
    kept_words: int  # different words that none stands for
    ends_alike: int  # line ends that are on both sides
    ends: int  # and on either
    blank_lines: int  # ends that are as many lines high on both sides, and more than one
    rare: float = 0.0  # what the different names of few passages say together


def counts(text: Tokens, segment: Segment, common: Common) -> Counts:
    """Counts what the tokens of a segment show."""
    library = compiled()
    if library is None:
        return counts_by_numpy(text, segment, common)
    here, heads, bits = slice(segment.text_start, segment.text_end), *table()
    columns = (
        text.exact, text.abstract, text.kinds, text.lines, common.abstract, common.shared, common.rare,
    )  # fmt: skip
    pairs = segment.matched, segment.partners, segment.lines
    out, rare = np.empty(len(Counts._fields) - 1, np.int64), ctypes.c_double()
    said = library.footnote_counts(
        *(each[here].tobytes() for each in columns), here.stop - here.start,
        *(each.tobytes() for each in pairs), len(segment.matched),
        segment.equal.tobytes(), len(segment.equal), place(heads), place(bits), len(heads), RAREST, _SAYING,
        RUN, ROW, NAME_ID, here.start, place(out), ctypes.byref(rare),
    )  # fmt: skip
    if said < 0:
        raise MemoryError
    return Counts._make((*out.tolist(), rare.value))


@cache
def compiled() -> ctypes.CDLL | None:
    """The library, if it was compiled."""
    return loaded(FEATURES, _FUNCTIONS)


def counts_by_numpy(text: Tokens, segment: Segment, common: Common) -> Counts:
    """The same, where nothing was compiled."""
    here = slice(segment.text_start, segment.text_end)
    kinds = text.kinds[here]
    code = kinds != PROSE
    ids = text.exact[here][code]
    runs, rows = grams(ids, RUN), _kind_grams(ids, kinds[code])
    equal = segment.equal[firsts(text.exact[segment.equal])]
    said = bits_of(text.exact[equal])
    names = _IS_NAME[text.kinds[equal]]
    is_code = text.kinds[segment.matched] != PROSE
    matched, partners = segment.matched[is_code], segment.partners[is_code]
    abstract = text.abstract[matched]
    at, there, line = segment.matched, segment.partners, text.lines[segment.matched]
    beside = (at[1:] - at[:-1] == 1) & (there[1:] - there[:-1] == 1)
    ours, theirs = ((each[1:] - each[:-1])[beside] for each in (line, segment.lines))
    return Counts(
        blocks=count(at[1:] - at[:-1] > 1),
        replaced=count(_are_apart(matched) & _are_apart(partners)),
        idiom=count(common.abstract[here]),
        shared=count(common.shared[here]),
        names=count(names),
        known_names=count(names & (said >= _SAYING)),
        strings=count((text.kinds[equal] == STRING) & (said >= RAREST)),
        runs=len(runs),
        different_runs=len(firsts(runs)),
        rows=len(rows),
        different_rows=len(firsts(rows)),
        commas=count(kinds == COMMA),
        different_names=len(firsts(text.exact[matched[abstract == NAME_ID]])),
        kept_words=len(firsts(abstract[_IS_KEPT[text.kinds[matched]]])),
        ends_alike=count((ours > 0) & (theirs > 0)),
        ends=count((ours > 0) | (theirs > 0)),
        blank_lines=count((ours > 1) & (ours == theirs)),
        rare=float(common.rare[equal].sum()),
    )


def count(flags: Flags) -> int:
    return int(np.count_nonzero(flags))


def _are_apart(places: Places) -> Flags:
    """Whether something lies between each two neighbours; not where they stand in another order."""
    apart: Flags = places[1:] - places[:-1] > 1
    return apart


def _kind_grams(exact: Ids, kinds: npt.NDArray[np.uint8]) -> Ids:
    """Rows of marks and kinds, whatever the words and literals are."""
    return grams(np.where(_IS_WORD[kinds], kinds.astype(np.uint64), exact), ROW)
