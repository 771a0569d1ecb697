"""Where do rare names of a text, and its hits, speak for one place of the corpus? A dozen lines of either side.

By native/voting.c, or with numpy where that was not compiled.
"""

import ctypes
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from indexer.attribution.catalogue import Catalogue
from indexer.attribution.compiled_rows import firsts, loaded, place
from indexer.attribution.native.building import VOTING
from indexer.attribution.occurrences import Hits
from indexer.attribution.postings import STOP, Lines
from indexer.attribution.rarity import RAREST
from indexer.attribution.tokens import Places

CHUNK_LINES = 40
STRETCH_TOKENS = 128  # of a text, whose names are asked for together: some twelve lines
_HALF = STRETCH_TOKENS // 2
_FEWEST = 3  # names, or runs of tokens, that speak for one place
_ENOUGH_BITS = 36.0
_HIT_BITS = 14.0  # what a hit says, as against rare names
_HIT_TOKENS = 16  # hits that begin this near to each other speak once
_SHARED_FAMILIES = 4  # unrelated packages with a gram that says nothing about places
_ROOM = 64  # places that are found, which is seldom too few
_BYTES, _PLACE, _NUMBER, _REAL = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
_FUNCTION = (
    _NUMBER, *(_BYTES,) * 5, _NUMBER, *(_BYTES,) * 3, _NUMBER, _PLACE, *(_NUMBER,) * 4, _REAL,
    _NUMBER, _NUMBER, _REAL, _PLACE, _PLACE, _NUMBER,
)  # fmt: skip


class Shared(NamedTuple):
    """Rare names that a stretch of a text shares with two neighbouring chunks."""

    start: int  # first token of the stretch, STRETCH_TOKENS long
    line: int  # corpus line of the first chunk
    bits: float  # what it says that they share them: the sum of log2(chunks / chunks with the name)


class Votes(NamedTuple):
    """Rare names of a text, and the places of the corpus that each speaks for."""

    at: Places  # tokens of the text that are one
    what: Places  # and the number of the name
    starts: Places  # for each name, and behind the last, where its lines begin
    lines: Lines  # corpus lines at which a chunk begins
    bits: npt.NDArray[np.float64]  # for each name, how much it says

    def rarity(self, tokens: int) -> npt.NDArray[np.float64]:
        """For each token of the text, what it says beyond what any rare word says."""
        said = np.zeros(tokens)
        said[self.at] = np.maximum(0, self.bits - RAREST)[self.what]
        return said


_NONE: Places = np.zeros(0, np.intp)
NO_VOTES = Votes(_NONE, _NONE, np.zeros(1, np.intp), np.zeros(0, np.uint32), np.zeros(0))


class Speakers(NamedTuple):
    """The same one by one: an entry for each token of the text and place that it speaks for."""

    at: Places
    lines: Lines  # corpus lines at which a chunk begins
    what: Places  # a number of what speaks; it counts once
    bits: npt.NDArray[np.float64]  # how much it says


def sharing(votes: Votes, hits: Hits, catalogue: Catalogue) -> list[Shared]:
    """Where enough speaks for one place, by stretch, the best first.

    Every token is in two stretches and every chunk in two pairs: what is cut by a border of one lies whole in
    the other.
    """
    library = compiled()
    found = (
        sharing_by_numpy(votes, hits, catalogue)
        if library is None
        else _heard(library, votes, hits, catalogue)
    )
    return sorted(found, key=lambda each: (each.start, -each.bits, -each.line))


@cache
def compiled() -> ctypes.CDLL | None:
    """The library, if it was compiled."""
    return loaded(VOTING, {"footnote_together": _FUNCTION})


def _heard(library: ctypes.CDLL, votes: Votes, hits: Hits, catalogue: Catalogue) -> list[Shared]:
    said = hits.starts, hits.lines, hits.families
    given = (
        *(each.tobytes() for each in votes), len(votes.at),
        *(each.tobytes() for each in said), len(hits.starts),
        catalogue.first_lines.ctypes.data, len(catalogue.first_lines),
        _HALF, CHUNK_LINES, _FEWEST, _ENOUGH_BITS, _HIT_TOKENS, _SHARED_FAMILIES, _HIT_BITS,
    )  # fmt: skip
    found, room = _ROOM, 0
    while found > room:
        room = found
        places, bits = np.empty((2, room), np.intp), np.empty(room)
        found = library.footnote_together(*given, place(places), place(bits), room)
        if found < 0:
            raise MemoryError
    starts, lines = places[:, :found].tolist()
    return list(map(Shared, starts, lines, bits[:found].tolist()))


def sharing_by_numpy(votes: Votes, hits: Hits, catalogue: Catalogue) -> list[Shared]:
    """The same in any order, where nothing was compiled."""
    found = together(_joined(_names(votes), _hits(hits, catalogue)))
    lines = np.array([each.line for each in found], np.int64)
    files = catalogue.files_of_lines(lines.astype(np.uint32))
    # Pairs of chunks from two files have no line at which a chunk begins.
    whole = (lines - catalogue.first_lines[files]) % CHUNK_LINES == 0
    return [each for each, is_whole in zip(found, whole, strict=True) if is_whole]


def _names(votes: Votes) -> Speakers:
    counts = np.diff(votes.starts)[votes.what]
    what = np.repeat(votes.what, counts)
    within = np.arange(len(what)) - np.repeat(np.cumsum(counts) - counts, counts)
    lines = votes.lines[votes.starts[what] + within]
    return Speakers(np.repeat(votes.at, counts), lines, what, votes.bits[what])


def _hits(hits: Hits, catalogue: Catalogue) -> Speakers:
    at = np.flatnonzero((hits.lines != STOP) & (hits.families < _SHARED_FAMILIES))
    lines = hits.lines[at]
    first = catalogue.first_lines[catalogue.files_of_lines(lines)]
    chunks = lines - (lines - first) % np.uint32(CHUNK_LINES)
    # A number that no name has; the grams of one run say the same.
    what = -1 - hits.starts[at] // _HIT_TOKENS
    return Speakers(hits.starts[at], chunks, what, np.full(len(at), _HIT_BITS))


def _joined(one: Speakers, other: Speakers) -> Speakers:
    return Speakers(
        np.concatenate([one.at, other.at]),
        np.concatenate([one.lines, other.lines]),
        np.concatenate([one.what, other.what]),
        np.concatenate([one.bits, other.bits]),
    )


def together(votes: Speakers) -> list[Shared]:
    """What enough speaks for, of neighbouring chunks of any two files, in any order."""
    votes = _in_company(votes)
    half = votes.at // _HALF
    stretches = np.concatenate([half, np.maximum(half - 1, 0)])
    lines = np.tile(votes.lines.astype(np.int64), 2)
    lines = np.concatenate([lines, np.maximum(lines - CHUNK_LINES, 0)])
    key = np.tile(stretches, 2) << 32 | lines
    order = np.lexsort((np.tile(votes.what, 4), key))
    key, what, bits = key[order], np.tile(votes.what, 4)[order], np.tile(votes.bits, 4)[order]
    first = np.ones(len(key), bool)
    first[1:] = (key[1:] != key[:-1]) | (what[1:] != what[:-1])
    key, bits = key[first], bits[first]
    key, group = np.unique(key, return_inverse=True)
    said = np.bincount(group, bits, len(key))
    enough = (said >= _ENOUGH_BITS) & (np.bincount(group, minlength=len(key)) >= _FEWEST)
    return [
        Shared(int(each >> 32) * _HALF, int(each & 0xFFFF_FFFF), float(value))
        for each, value in zip(key[enough], said[enough], strict=True)
    ]


def _in_company(votes: Speakers) -> Speakers:
    """The votes beside which others speak for the same two chunks, anywhere in the text: most stand alone.

    A few that stand alone stay, too, as chunks share places in a table.
    """
    what = (votes.what - votes.what.min(initial=0)).astype(np.uint64)
    different = firsts(votes.lines.astype(np.uint64) << np.uint64(32) | what)
    places = 1 << (4 * len(different)).bit_length()
    # Of two chunks in a row the numbers are, too, wherever their file begins.
    chunk = (votes.lines // np.uint32(CHUNK_LINES) % np.uint32(places)).astype(np.intp)
    count = np.bincount(chunk[different], minlength=places)
    beside = np.maximum(count[chunk - 1], count[(chunk + 1) % places])
    # The first lines of the corpus may be taken for the line before them.
    kept = (count[chunk] + beside >= _FEWEST) | (votes.lines < 2 * CHUNK_LINES)
    return Speakers(votes.at[kept], votes.lines[kept], votes.what[kept], votes.bits[kept])
