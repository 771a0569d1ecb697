"""The parts of an open index: tables, catalogue, and texts or tokens; all of it mapped and read-only."""

from copy import copy
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.attribution import postings
from indexer.attribution.candidates import Chunks, Names
from indexer.attribution.catalogue import Catalogue, File
from indexer.attribution.excerpts import excerpt, line_span
from indexer.attribution.families import family_of
from indexer.attribution.fingerprints import FORMS
from indexer.attribution.lexing import lexer_of
from indexer.attribution.occurrences import Hits, Table, hits_in
from indexer.attribution.removal import hidden_files, read_removals
from indexer.attribution.text_store import TEXT, TOKENS, BlockStore
from indexer.attribution.token_store import Codes, as_coded, decode, ids_like, tokens_of
from indexer.attribution.tokens import Ids, Tokens
from indexer.attribution.voting import NO_VOTES, Shared, Votes, sharing

_PAGE_LINES = 128  # passages are lexed and cached in pages of this many lines
_CACHED_PASSAGES = 1024
REPEATS = 4  # occurrences of the same gram in a text that count


class Library:
    """Reads an index folder. Safe to share between threads."""

    def __init__(self, folder: Path, *, text: bool = True) -> None:
        self.catalogue = Catalogue(folder)
        hidden = hidden_files(self.catalogue, read_removals(folder))
        self.catalogue.hide(hidden)
        hides = self.catalogue.hides if hidden.any() else None
        self._tables = {
            form: Table(form, postings.read(folder, form.name, hides), self.catalogue)
            for form in FORMS
        }
        self._chunks = Chunks(folder / "chunks", hides) if text else None
        self.has_text = text
        self._stored = BlockStore(folder, TEXT if text else TOKENS)
        self._passage = lru_cache(_CACHED_PASSAGES)(self._lex_passage)
        self._codes = lru_cache(_CACHED_PASSAGES)(self._decode)
        self._facing: tuple[Tokens, Ids] | None = None

    def hits(
        self,
        tokens: Tokens,
        *,
        abstract: bool,
        repeats: int = REPEATS,
        outside: npt.NDArray[np.bool_] | None = None,
    ) -> Hits:
        """Where the grams of a text occur; without the abstract form if it says nothing.

        Of a gram that the text has often only the first `repeats` count: a table of literals has one for every
        row. `outside` says of each token whether a gram that begins there is asked for.
        """
        if self._facing is not None:
            tokens = self._facing[0]
        tables = [table for form, table in self._tables.items() if abstract or not form.abstract]
        return hits_in(tables, tokens, repeats=repeats, asked=outside)

    def votes(self, names: Names) -> Votes:
        """The places that rare names of a text speak for; none where the index has no names."""
        return self._chunks.votes(names) if self._chunks else NO_VOTES

    def sharing(self, votes: Votes, hits: Hits) -> list[Shared]:
        """Where rare names of a text, and hits, speak for one place."""
        return sharing(votes, hits, self.catalogue)

    def file_of_line(self, line: int) -> File:
        """The file a corpus line is in."""
        return self.catalogue.file(self.catalogue.file_of_line(line))

    def lines(self, file: File, first: int, last: int) -> list[str]:
        """The lines `first` to `last` of a file (0-based, last excluded); none where the index holds no texts."""
        if not self.has_text:
            return []
        data = self._unified(file)
        start, end = line_span(data, first, last)
        return data[start:end].decode("utf-8", "surrogatepass").split("\n")

    def text(self, file: File) -> str | None:
        """The text of a file, where the index holds texts."""
        if not self.has_text:
            return None
        return self._stored.read(*self.catalogue.place(file.number)).decode(
            "utf-8", "surrogatepass"
        )

    def _unified(self, file: File) -> bytes:
        """The text of a file with unified line ends."""
        data = self._stored.read(*self.catalogue.place(file.number))
        if b"\r" not in data:
            return data
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def facing(self, tokens: Tokens) -> "tuple[Library, Tokens]":
        """This library for the comparison with these tokens, and they as it is compared with.

        Without texts the ids of passages are made like those of the tokens. Hits are still those of the tokens
        as they were.
        """
        if self.has_text:
            return self, tokens
        ids = ids_like(tokens)
        facing = copy(self)
        facing._facing = tokens, ids  # noqa: SLF001 -- of our own kind
        return facing, as_coded(tokens, ids)

    def written(self, tokens: Tokens) -> Ids:
        """The exact ids of tokens that this library faces as they were before."""
        return (self._facing[0] if self._facing is not None else tokens).exact

    def _decode(self, number: int) -> tuple[Codes, npt.NDArray[np.int32]]:
        return decode(self._stored.read(*self.catalogue.place(number)))

    def passage(self, file: File, first: int, last: int) -> Tokens:
        """Tokens of the lines `first` to `last` of a file (0-based, last excluded), with its line numbers."""
        if self._facing is not None:
            codes, lines = self._codes(file.number)
            low, high = np.searchsorted(lines, (first, last)).tolist()
            return tokens_of(codes[low:high], lines[low:high], self._facing[1])
        start = max(0, first) // _PAGE_LINES
        end = -(-min(last, file.lines) // _PAGE_LINES)
        tokens = self._passage(file.number, start, end)
        return tokens.part(*tokens.lines.searchsorted((first, last)).tolist())

    def _lex_passage(self, number: int, start: int, end: int) -> Tokens:
        file = self.catalogue.file(number)
        first, last = start * _PAGE_LINES, end * _PAGE_LINES
        data = excerpt(self._unified(file), first, last, family_of(file.language))
        return lexer_of(file.language).read_data(data).tokens.on_later_lines(first)
