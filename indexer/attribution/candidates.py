"""Which corpus passages use the same rare names? A tantivy index of 40-line chunks, asked for rarity.

Fingerprints find runs of tokens. Where edits leave no run long enough, the names still tell: each rare name of
a text votes for the chunks that have it, and where a dozen lines vote for one place alignment decides.
"""

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from indexer.attribution.compiled_rows import compiled, firsts, numbered, place
from indexer.attribution.postings import Hides, Lines
from indexer.attribution.rarity import RAREST, bits_of
from indexer.attribution.tokens import ARGUMENT, NAME, Ids, Places, Reading, word_id

CHUNK_LINES = 40
STRETCH_TOKENS = 128  # of a text, whose names are asked for together: some twelve lines
_HALF = STRETCH_TOKENS // 2
_FIELD, _LINE = "names", "line"
_WRITER_BYTES = 192_000_000
_SHORTEST_NAME = 3
_RARE = 100  # chunks with a name; one that more have says little
_KEPT_NAMES = 1 << 16
_FEW_CHUNKS = 1 << 17  # rarity is told as in a corpus of this many at least
_FEWEST = 3  # names, or runs of tokens, that speak for one place
_ENOUGH_BITS = 36.0
_NOWHERE: Lines = np.zeros(0, np.uint32)


class Names(NamedTuple):
    """Names as a text has them."""

    at: Places  # numbers of the tokens
    which: Places  # the number of the name at each
    words: list[str]  # what is written there, each once
    ids: Ids  # of the words


class Shared(NamedTuple):
    """Rare names that a stretch of a text shares with two neighbouring chunks."""

    start: int  # first token of the stretch, STRETCH_TOKENS long
    line: int  # corpus line of the first chunk
    bits: float  # what it says that they share them: the sum of log2(chunks / chunks with the name)


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field(_FIELD, stored=False, tokenizer_name="whitespace", index_option="basic")
    builder.add_unsigned_field(_LINE, stored=False, indexed=False, fast=True)
    return builder.build()


class ChunkWriter:
    """Writes the chunks of a corpus, once. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        folder.mkdir()
        self._index = tantivy.Index(_schema(), path=str(folder))
        # One thread: the other core is lexing, and one thread leaves few segments.
        self._writer = self._index.writer(_WRITER_BYTES, 1)

    def add(self, chunks: Iterable[tuple[int, str]]) -> None:
        """Adds chunks: corpus line, names separated by blanks."""
        import tantivy

        for line, names in chunks:
            document = tantivy.Document()
            document.add_text(_FIELD, names)
            document.add_unsigned(_LINE, line)
            with _failure_said():
                self._writer.add_document(document)

    def close(self) -> None:
        with _failure_said():
            self._writer.commit()
            self._writer.wait_merging_threads()


@contextmanager
def _failure_said() -> Iterator[None]:
    """Tantivy raises ValueError whatever the system refuses."""
    try:
        yield
    except ValueError as error:
        raise OSError(str(error)) from error


class DamagedNames(Exception):
    """The chunks cannot be read."""


@contextmanager
def _damage_said() -> Iterator[None]:
    """Tantivy raises ValueError where it notices damage; elsewhere it panics, which is no Exception."""
    try:
        yield
    except ValueError as error:
        raise DamagedNames(str(error)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise DamagedNames(f"names: {error}") from error


class Chunks:
    """Asks the chunks of an index. Raises DamagedNames."""

    def __init__(self, folder: Path, hides: Hides | None = None) -> None:
        import tantivy

        self._schema = _schema()
        with _damage_said():
            self._searcher = _searcher(folder)
        self._tantivy = tantivy
        self._hides = hides
        self._places: dict[str, Lines] = {}

    def _places_of(self, names: Sequence[str]) -> list[Lines]:
        """The first lines of the chunks that have each name; none where it is common, or no name to ask for."""
        known = self._places if len(self._places) < _KEPT_NAMES else {}
        known.update(self._asked([each for each in names if each not in known]))
        self._places = known
        return [known[each] for each in names]

    def _asked(self, names: Sequence[str]) -> dict[str, Lines]:
        addresses, ends = [], []
        with _damage_said():
            for name in names:
                if (
                    len(name) >= _SHORTEST_NAME
                    and 0 < self._searcher.doc_freq(_FIELD, name) <= _RARE
                ):
                    query = self._tantivy.Query.term_query(self._schema, _FIELD, name)
                    found = self._searcher.search(query, _RARE, count=False).hits
                    addresses += [each[1] for each in found]
                ends.append(len(addresses))
            # Of all at once, if any: the whole column is read for every question.
            values = self._searcher.fast_field_values(_LINE, addresses) if addresses else []
        lines = np.array(values, np.uint32)
        places = {}
        for name, (start, end) in zip(names, pairwise([0, *ends]), strict=True):
            here = lines[start:end].copy() if end > start else _NOWHERE
            if self._hides is not None and end > start:
                here = here[~self._hides(here)]
            places[name] = here if len(here) else _NOWHERE
        return places

    def votes(self, names: Names) -> "Votes":
        """Every occurrence of a rare name in the text, with every chunk that has the name."""
        places = self._places_of(names.words)
        rare = np.array(
            [number for number, each in enumerate(places) if each is not _NOWHERE], np.intp
        )
        if not len(rare):
            return NO_VOTES
        places = [places[number] for number in rare.tolist()]
        sizes = np.array([len(each) for each in places], np.intp)
        chunks = max(self._searcher.num_docs, _FEW_CHUNKS)
        # A small corpus may have a word that everybody uses only once.
        known = bits_of(names.ids[rare])
        bits = np.log2(chunks / sizes)
        bits = np.where(known < RAREST, np.minimum(bits, known), bits)
        place = np.full(len(names.words), -1)
        place[rare] = np.arange(len(rare))
        which = place[names.which]
        at, which = names.at[which >= 0], which[which >= 0]
        counts = sizes[which]
        what = np.repeat(which, counts)
        ends = np.cumsum(counts)
        within = np.arange(len(what)) - np.repeat(ends - counts, counts)
        lines = np.concatenate(places)[(np.cumsum(sizes) - sizes)[what] + within]
        return Votes(np.repeat(at, counts), lines, rare[what], bits[what])


def _searcher(folder: Path) -> Any:
    import tantivy

    try:
        return tantivy.Index.open(str(folder)).searcher()
    except ValueError as error:
        if "Lockfile" not in str(error):
            raise
    # To begin reading takes a lock, which a folder that may only be read refuses: one of links to it does not.
    with TemporaryDirectory(prefix="footnote-") as place:
        for each in folder.resolve().iterdir():
            if each.suffix != ".lock":
                (Path(place) / each.name).symlink_to(each)
        return tantivy.Index.open(place).searcher()


class Votes(NamedTuple):
    """What speaks for places of the corpus; one entry for each token of the text and place."""

    at: Places
    lines: Lines  # corpus lines at which a chunk begins
    what: Places  # a number of what speaks; it counts once
    bits: npt.NDArray[np.float64]  # how much it says

    def rarity(self, tokens: int) -> npt.NDArray[np.float64]:
        """For each token of the text, what it says beyond what any rare word says."""
        said = np.zeros(tokens)
        said[self.at] = np.maximum(0, self.bits - RAREST)
        return said


_NONE: Places = np.zeros(0, np.intp)
NO_VOTES = Votes(_NONE, _NOWHERE, _NONE, np.zeros(0))


def together(votes: Votes) -> list[Shared]:
    """Where enough speaks for one place, by stretch, the best first.

    Every token is in two stretches and every chunk in two pairs: what is cut by a border of one lies whole in
    the other.
    """
    rows = compiled()
    found = together_by_numpy(votes) if rows is None else _heard(rows, votes)
    return sorted(found, key=lambda each: (each.start, -each.bits, -each.line))


def _heard(rows: ctypes.CDLL, votes: Votes) -> list[Shared]:
    count = len(votes.at)
    stretches, lines = np.empty((2, 4 * count), np.intp)
    said = np.empty(4 * count)
    found = rows.footnote_together(
        *(each.tobytes() for each in votes), count, _HALF, CHUNK_LINES, _FEWEST, _ENOUGH_BITS,
        place(stretches), place(lines), place(said),
    )  # fmt: skip
    if found < 0:
        raise MemoryError
    columns = stretches[:found] * _HALF, lines[:found], said[:found]
    return list(map(Shared, *(each.tolist() for each in columns)))


def together_by_numpy(votes: Votes) -> list[Shared]:
    """The same in any order, where nothing was compiled."""
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


def _in_company(votes: Votes) -> Votes:
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
    return Votes(votes.at[kept], votes.lines[kept], votes.what[kept], votes.bits[kept])


def names_of(words: Iterable[str]) -> set[str]:
    """Which token texts are worth a term: names of three letters or more."""
    return {word for word in words if len(word) >= _SHORTEST_NAME and not word[0].isdigit()}


def names_in(reading: Reading, *, folds: bool) -> Names:
    """The names in a text; where words are the same in capitals, each spelling for itself."""
    kinds = reading.tokens.kinds
    at = np.flatnonzero((kinds == NAME) | (kinds == ARGUMENT))
    ids = reading.tokens.exact[at]
    spelt = np.array([word_id(each) for each in reading.words(at)], np.uint64) if folds else ids
    first, which = numbered(spelt)
    return Names(at, which, reading.words(at[first]), ids[first])
