"""The parts of an open index: fingerprint tables, catalogue, chunks and texts; all of it mapped and read-only."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.attribution import postings
from indexer.attribution.candidates import Chunks
from indexer.attribution.catalogue import Catalogue, File
from indexer.attribution.excerpts import excerpt, unify_line_ends
from indexer.attribution.families import family_of
from indexer.attribution.fingerprints import FORMS
from indexer.attribution.lexing import Ids, Places, Tokens, lexer_of
from indexer.attribution.postings import STOP
from indexer.attribution.regions import Hits
from indexer.attribution.text_store import TextStore

_PAGE_LINES = 128  # passages are lexed and cached in pages of this many lines
_CACHED_PASSAGES = 1024
_REPEATS = 4  # occurrences of the same gram in a text that are looked up


class Library:
    """Reads an index folder. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self.catalogue = Catalogue(folder)
        self.chunks = Chunks(folder / "chunks")
        self._texts = TextStore(folder)
        self._tables = {form: postings.read(folder, form.name) for form in FORMS}
        self._passage = lru_cache(_CACHED_PASSAGES)(self._lex_passage)

    def hits(self, tokens: Tokens, *, abstract: bool) -> Hits:
        """Where the grams of a text occur; without the abstract form if it says nothing."""
        found = []
        for form in FORMS:
            if abstract or not form.abstract:
                grams = form.grams(tokens)
                asked = _first_few(grams.hashes)
                at, lines = self._tables[form].find(grams.hashes[asked])
                kind = np.full(len(at), form.abstract)
                families = self._families(at, lines)
                found.append(
                    (grams.starts[asked[at]], grams.ends[asked[at]], lines, kind, families)
                )
        return Hits(*(np.concatenate(each) for each in zip(*found, strict=True)))

    def _families(self, grams: Places, lines: npt.NDArray[np.uint32]) -> Places:
        """For each occurrence, in how many families of packages its gram was found."""
        files = self.catalogue.files_of_lines(np.where(lines == STOP, 0, lines))
        families = self.catalogue.families[files]
        order = np.lexsort((families, grams))
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(grams[order]) != 0) | (np.diff(families[order]) != 0)
        counts = np.bincount(grams[order], weights=new, minlength=1)
        return counts[grams].astype(np.intp)

    def file_of_line(self, line: int) -> File:
        """The file a corpus line is in."""
        return self.catalogue.file(
            int(self.catalogue.files_of_lines(np.array([line], np.uint32))[0])
        )

    def text(self, file: File) -> str:
        return self._texts.text(*self.catalogue.place(file.number))

    def passage(self, file: File, first: int, last: int) -> Tokens:
        """Tokens of the lines `first` to `last` of a file (0-based, last excluded), with its line numbers."""
        start = max(0, first) // _PAGE_LINES
        end = -(-min(last, file.lines) // _PAGE_LINES)
        tokens = self._passage(file.number, start, end)
        cut = np.searchsorted(tokens.lines, (first, last))
        return tokens.part(int(cut[0]), int(cut[1]))

    def _lex_passage(self, number: int, start: int, end: int) -> Tokens:
        file = self.catalogue.file(number)
        text = excerpt(
            unify_line_ends(self.text(file)),
            start * _PAGE_LINES,
            end * _PAGE_LINES,
            family_of(file.language),
        )
        return lexer_of(file.language).tokens(text).on_later_lines(start * _PAGE_LINES)


def _first_few(hashes: Ids) -> Places:
    """Positions of the hashes but for the further ones of a hash that comes often: tables of literals."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    rank = np.arange(len(ordered)) - np.maximum.accumulate(
        np.where(first, np.arange(len(ordered)), 0)
    )
    return np.sort(order[rank < _REPEATS])
