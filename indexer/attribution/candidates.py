"""Which corpus passages use the same rare names? A tantivy index of 40-line chunks, asked for rarity.

Fingerprints find runs of tokens. Where edits leave no run long enough, the names still tell: each rare name of
a text votes for the chunks that have it, and where a dozen lines vote for one place alignment decides.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from indexer.attribution.compiled_rows import numbered
from indexer.attribution.postings import Hides, Lines
from indexer.attribution.rarity import RAREST, bits_of
from indexer.attribution.tokens import ARGUMENT, NAME, Ids, Places, Reading, word_id
from indexer.attribution.voting import NO_VOTES, Votes

_FIELD, _LINE = "names", "line"
_WRITER_BYTES = 192_000_000
_SHORTEST_NAME = 3
_RARE = 100  # chunks with a name; one that more have says little
_KEPT_NAMES = 1 << 16
_FEW_CHUNKS = 1 << 17  # rarity is told as in a corpus of this many at least
_NOWHERE: Lines = np.zeros(0, np.uint32)  # of a name: the very same, where it has no places


class Names(NamedTuple):
    """Names as a text has them."""

    at: Places  # numbers of the tokens
    which: Places  # the number of the name at each
    words: list[str]  # what is written there, each once
    ids: Ids  # of the words


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

    def votes(self, names: Names) -> Votes:
        """Where rare names are in the text, and every chunk that has one of them."""
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
        what = place[names.which]
        said = what >= 0
        starts = np.zeros(len(rare) + 1, np.intp)
        np.cumsum(sizes, out=starts[1:])
        return Votes(names.at[said], what[said], starts, np.concatenate(places), bits)


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
