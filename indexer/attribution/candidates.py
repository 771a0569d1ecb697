"""Which corpus passages use the same rare names? A tantivy index of 40-line chunks, asked for rarity.

Fingerprints find runs of tokens. Where edits leave no run long enough, the names still tell: BM25 over the
sixteen rarest names of a question ranks the chunks, and alignment decides.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from indexer.attribution.postings import Hides

CHUNK_LINES = 40
RAREST_TERMS = 16
_FIELD, _LINE = "names", "line"
_WRITER_BYTES = 192_000_000
_SHORTEST_NAME = 3
_MORE = 64  # chunks that are asked for where some are not to be found
_ENOUGH = 0.4  # of the score that a chunk with all the names would have


class Chunk(NamedTuple):
    line: int  # corpus line of its first line
    score: float


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field(_FIELD, stored=False, tokenizer_name="whitespace", index_option="basic")
    builder.add_unsigned_field(_LINE, stored=False, indexed=False, fast=True)
    return builder.build()


class ChunkWriter:
    """Writes the chunks of a corpus, once."""

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
            self._writer.add_document(document)

    def close(self) -> None:
        self._writer.commit()
        self._writer.wait_merging_threads()


class Chunks:
    """Asks the chunks of an index."""

    def __init__(self, folder: Path, hides: Hides | None = None) -> None:
        import tantivy

        self._schema = _schema()
        self._searcher = tantivy.Index.open(str(folder)).searcher()
        self._tantivy = tantivy
        self._hides = hides

    def with_names(self, names: Iterable[str], limit: int = 6) -> list[Chunk]:
        """The chunks that share much of the rarest of these names, best first."""
        counts = {name: self._searcher.doc_freq(_FIELD, name) for name in set(names)}
        rare = sorted((count, name) for name, count in counts.items() if count)[:RAREST_TERMS]
        # BM25 of a chunk of average length is the sum of its terms' rarities.
        chunks = self._searcher.num_docs
        enough = _ENOUGH * sum(
            math.log(1 + (chunks - count + 0.5) / (count + 0.5)) for count, _ in rare
        )
        if not rare:
            return []
        terms = [self._tantivy.Query.term_query(self._schema, _FIELD, name) for _, name in rare]
        query = self._tantivy.Query.boolean_query(
            [(self._tantivy.Occur.Should, term) for term in terms]
        )
        asked = limit if self._hides is None else limit + _MORE
        hits = self._searcher.search(query, asked, count=False).hits
        lines = self._searcher.fast_field_values(_LINE, [address for _, address in hits])
        found = [
            Chunk(int(line or 0), float(score))
            for (score, _), line in zip(hits, lines, strict=True)
            if score >= enough
        ]
        if self._hides is not None:
            hidden = self._hides(np.array([each.line for each in found], np.uint32))
            found = [each for each, gone in zip(found, hidden, strict=True) if not gone]
        return found[:limit]


def names_of(words: Iterable[str]) -> set[str]:
    """Which token texts are worth a term: names of three letters or more."""
    return {word for word in words if len(word) >= _SHORTEST_NAME and not word[0].isdigit()}
