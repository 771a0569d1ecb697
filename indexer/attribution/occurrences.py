"""Where the grams of a text occur in the corpus: by native/rows.c, or with numpy where that was not compiled."""

import ctypes
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from indexer.attribution.catalogue import Catalogue
from indexer.attribution.compiled_rows import compiled, place
from indexer.attribution.fingerprints import Form
from indexer.attribution.postings import STOP, Lines, Postings
from indexer.attribution.tokens import Ids, Places, Tokens

_ROOM = 2  # occurrences for each token, which is seldom too few

Flags = npt.NDArray[np.bool_]


class Hits(NamedTuple):
    """Occurrences of a text's grams in the corpus; the arrays have one entry per occurrence."""

    starts: Places  # first token of the gram in the text
    ends: Places
    lines: Lines  # corpus line, or STOP
    abstract: Flags  # whether the gram is of the semi-abstract form
    families: Places  # how many unrelated packages have the gram, as far as places are kept
    # Where grams begin that were not asked for, as the text has them often, and the first that is like each.
    left_out: Places
    like: Places


class _Table(ctypes.Structure):
    """As `postings` in rows.c."""

    _fields_ = (
        ("starts", ctypes.c_void_p),
        ("keys", ctypes.c_void_p),
        ("lines", ctypes.c_void_p),
        ("size", ctypes.c_int64),
        ("first_lines", ctypes.c_void_p),
        ("families", ctypes.c_void_p),
        ("hidden", ctypes.c_void_p),
        ("n_files", ctypes.c_int64),
        ("bits", ctypes.c_int64),
    )


class Table:
    """The grams of one form in a corpus."""

    def __init__(self, form: Form, postings: Postings, catalogue: Catalogue) -> None:
        self.form = form
        self._postings = postings
        self._catalogue = catalogue
        hidden = catalogue.hidden if postings.hides is not None else None
        self._kept = catalogue.first_lines, catalogue.families, hidden
        self._compiled = _Table(
            postings.starts.ctypes.data, postings.keys.ctypes.data, postings.lines.ctypes.data,
            min(len(postings.keys), len(postings.lines)),
            catalogue.first_lines.ctypes.data, catalogue.families.ctypes.data,
            None if hidden is None else hidden.ctypes.data, len(catalogue), postings.bits,
        )  # fmt: skip
        self.place = ctypes.addressof(self._compiled)

    def hits(self, tokens: Tokens, *, repeats: int, asked: Flags | None) -> Hits:
        """Those of the grams of a text, with numpy."""
        grams = self.form.grams(tokens)
        if asked is not None:
            grams = grams.some(asked[grams.starts])
        at, lines = self._postings.find(grams.hashes)
        few, left_out, like = _first_few(grams.hashes, at, repeats)
        at, lines = at[few], lines[few]
        return Hits(
            grams.starts[at],
            grams.ends[at],
            lines,
            np.full(len(at), self.form.abstract),
            self._families(at, lines),
            grams.starts[left_out],
            grams.starts[like],
        )

    def _families(self, grams: Places, lines: Lines) -> Places:
        """For each occurrence, in how many families of packages its gram was found."""
        files = self._catalogue.files_of_lines(np.where(lines == STOP, 0, lines))
        families = self._catalogue.families[files]
        order = np.lexsort((families, grams))
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(grams[order]) != 0) | (np.diff(families[order]) != 0)
        counts = np.bincount(grams[order], weights=new, minlength=1)
        return counts[grams].astype(np.intp)


def hits_in(
    tables: Sequence[Table], tokens: Tokens, *, repeats: int, asked: Flags | None = None
) -> Hits:
    """Where the grams of a text occur, table by table. Of those with one hash only the first `repeats` count.

    `asked` says of each token whether a gram may begin there.
    """
    rows = compiled()
    if rows is None:
        return hits_by_numpy(tables, tokens, repeats=repeats, asked=asked)
    count, begin = len(tokens), None if asked is None else asked.tobytes()
    exact, abstract, kinds = (
        each.tobytes() for each in (tokens.exact, tokens.abstract, tokens.kinds)
    )
    left, n_left = np.empty((2, len(tables) * count), np.intp), ctypes.c_int64()
    found, room = -1, _ROOM * count
    while found < 0 or found > room:
        room = max(room, found)
        out = np.empty((4, room), np.intp)
        found, borders = 0, [0]
        n_left.value = 0
        for each in tables:
            form = each.form
            found = rows.footnote_hits(
                each.place, abstract if form.abstract else exact, kinds, count, form.prose, form.k, begin, repeats,
                found, place(out), room, place(left), left.shape[1], ctypes.byref(n_left),
            )  # fmt: skip
            if found < 0:
                raise MemoryError
            borders.append(found)
    starts, ends, lines, families = out[:, :found]
    shapes = np.zeros(found, bool)
    for each, (first, last) in zip(tables, pairwise(borders), strict=True):
        shapes[first:last] = each.form.abstract
    left_out, like = left[:, : n_left.value]
    return Hits(starts, ends, lines.astype(np.uint32), shapes, families, left_out, like)


def hits_by_numpy(
    tables: Sequence[Table], tokens: Tokens, *, repeats: int, asked: Flags | None = None
) -> Hits:
    """The same, where nothing was compiled."""
    found = [each.hits(tokens, repeats=repeats, asked=asked) for each in tables]
    return Hits(*map(np.concatenate, zip(*found, strict=True)))


def _first_few(hashes: Ids, at: Places, repeats: int) -> tuple[Flags, Places, Places]:
    """Which finds to keep: not those of the further grams with a hash that comes often, as in tables of literals.

    `at` are the numbers of the grams that were found, in order. Also, of every gram that is not kept, its number
    and that of the first gram that has its hash.
    """
    found = np.unique(at)
    order = np.argsort(hashes[found], kind="stable")
    ordered = hashes[found[order]]
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    place = np.arange(len(ordered))
    begin = np.maximum.accumulate(np.where(first, place, 0))
    kept = np.zeros(len(hashes), bool)
    kept[found[order[place - begin < repeats]]] = True
    like = np.zeros(len(hashes), np.intp)
    like[found[order]] = found[order[begin]]
    left_out = found[~kept[found]]
    return kept[at], left_out, like[left_out]
