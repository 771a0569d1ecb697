"""One pass over the corpus for all peers: which of the asked hashes and terms are where.

No index is kept: what is asked is known beforehand, so only its places are. The answers are those of an
index of the whole corpus.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from indexer.document import Document
from trainer.evaluation.attribution.peers.grams import Hashes, lexemes, word_hashes
from trainer.evaluation.attribution.peers.membership import PEERS
from trainer.evaluation.attribution.peers.ranking import CHUNK_LINES, Postings, terms
from trainer.evaluation.attribution.pools import pool

T = TypeVar("T")

_BATCH = 4 << 20  # characters
_MOST_PLACES = 50  # documents of one hash that are kept
SEPARATOR = b"\xff\xff"  # before every document of the stream
VOCABULARY = 65_000  # of the stream for suffix arrays, whose numbers have 16 bits


@dataclass(frozen=True, slots=True)
class Questions:
    """All that is asked, of all texts together."""

    hashes: tuple[Hashes, ...]  # sorted, one array per peer
    vocabulary: dict[str, int]  # numbered in the order of their hashes
    terms: Hashes  # those hashes

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Questions":
        hashes = tuple(
            np.unique(np.concatenate([np.zeros(0, np.uint64), *map(peer.asked, texts)]))
            for peer in PEERS
        )
        words = sorted({word for text in texts for word in terms(lexemes(text))})
        hashed = word_hashes(words)
        order = np.argsort(hashed)
        vocabulary = {words[place]: number for number, place in enumerate(order.tolist())}
        return cls(hashes, vocabulary, hashed[order])


@dataclass(frozen=True, slots=True)
class _Part:
    """What a batch of documents has. Documents and chunks are counted from its first."""

    places: list[tuple[Hashes, npt.NDArray[np.int32]]]  # per peer
    hashed: list[int]
    terms: npt.NDArray[np.int32]
    chunks: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint16]
    chunk_rows: list[tuple[int, int, int]]  # length, document, first line
    stream: bytes


@dataclass(slots=True)
class Corpus:
    """What of the questions the corpus has, and where."""

    places: list[dict[int, list[int]]]  # per peer: hash -> numbers of documents
    hashed: list[int]  # per peer: how many hashes an index would hold
    postings: Postings
    names: list[tuple[str, str]]  # package and path of every document
    bytes: int


@dataclass(slots=True)
class _Growing:
    questions: Questions
    places: list[dict[int, list[int]]] = field(default_factory=lambda: [{} for _ in PEERS])
    hashed: list[int] = field(default_factory=lambda: [0 for _ in PEERS])
    terms: list[npt.NDArray[np.int32]] = field(default_factory=list)
    chunks: list[npt.NDArray[np.int32]] = field(default_factory=list)
    counts: list[npt.NDArray[np.uint16]] = field(default_factory=list)
    chunk_rows: list[tuple[int, int, int]] = field(default_factory=list)
    names: list[tuple[str, str]] = field(default_factory=list)
    bytes: int = 0

    def add(self, documents: Sequence[Document], part: _Part) -> None:
        first = len(self.names)
        for number, (hashes, at) in enumerate(part.places):
            known = self.places[number]
            for value, document in zip(hashes.tolist(), at.tolist(), strict=True):
                found = known.setdefault(value, [])
                if len(found) < _MOST_PLACES:
                    found.append(first + document)
            self.hashed[number] += part.hashed[number]
        self.terms.append(part.terms)
        self.chunks.append(part.chunks + np.int32(len(self.chunk_rows)))
        self.counts.append(part.counts)
        self.chunk_rows += [(size, first + at, line) for size, at, line in part.chunk_rows]
        self.names += [(each.package, each.path) for each in documents]
        self.bytes += sum(each.size for each in documents)

    def finished(self) -> Corpus:
        terms_ = np.concatenate([np.zeros(0, np.int32), *self.terms])
        order = np.argsort(terms_, kind="stable")
        rows = np.array(self.chunk_rows, np.int32).reshape(-1, 3)
        postings = Postings(
            terms_[order],
            np.concatenate([np.zeros(0, np.int32), *self.chunks])[order],
            np.concatenate([np.zeros(0, np.uint16), *self.counts])[order],
            rows[:, 0],
            rows[:, 1],
            rows[:, 2],
        )
        return Corpus(self.places, self.hashed, postings, self.names, self.bytes)


def scan(
    documents: Iterable[Document],
    questions: Questions,
    *,
    jobs: int,
    stream: Callable[[bytes], object] | None = None,
) -> Corpus:
    """Goes over the corpus once. `stream` is given its words as numbers of 16 bits, in order."""
    growing = _Growing(questions)
    for batch, part in _parts(documents, questions, jobs, with_stream=stream is not None):
        growing.add(batch, part)
        if stream:
            stream(part.stream)
    return growing.finished()


def _parts(
    documents: Iterable[Document], questions: Questions, jobs: int, *, with_stream: bool
) -> Iterator[tuple[list[Document], _Part]]:
    if jobs < 2:
        for batch in _batches(documents):
            yield batch, _scanned([each.text for each in batch], questions, with_stream=with_stream)
        return
    with pool(jobs, _start, questions, with_stream) as workers:
        yield from in_order(workers, _scan_here, documents, 2 * jobs)


def in_order(
    workers: ProcessPoolExecutor,
    make: Callable[[list[str]], T],
    documents: Iterable[Document],
    ahead: int,
) -> Iterator[tuple[list[Document], T]]:
    """Batches of documents with what is made of their texts, a few being made ahead of the taker."""
    waiting: deque[tuple[list[Document], Future[T]]] = deque()
    for batch in _batches(documents):
        waiting.append((batch, workers.submit(make, [each.text for each in batch])))
        if len(waiting) > ahead:
            first, part = waiting.popleft()
            yield first, part.result()
    for first, part in waiting:
        yield first, part.result()


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    filled = 0
    for document in documents:
        batch.append(document)
        filled += len(document.text)
        if filled >= _BATCH:
            yield batch
            batch, filled = [], 0
    if batch:
        yield batch


_HERE: list[tuple[Questions, bool]] = []  # of this worker process


def _start(questions: Questions, with_stream: bool) -> None:  # noqa: FBT001  # an initializer has no names
    _HERE.append((questions, with_stream))


def _scan_here(texts: list[str]) -> _Part:
    questions, with_stream = _HERE[0]
    return _scanned(texts, questions, with_stream=with_stream)


def _scanned(texts: Sequence[str], questions: Questions, *, with_stream: bool) -> _Part:
    places: list[list[tuple[Hashes, npt.NDArray[np.int32]]]] = [[] for _ in PEERS]
    hashed = [0 for _ in PEERS]
    rows: list[tuple[int, int, int]] = []
    found: list[npt.NDArray[np.int64]] = []  # term, chunk, count
    stream: list[bytes] = []
    for document, text in enumerate(texts):
        words, sizes = _words(text)
        for number, (peer, asked) in enumerate(zip(PEERS, questions.hashes, strict=True)):
            hashes = np.unique(peer.indexed(text, words))
            hashed[number] += len(hashes)
            known = hashes[_is_in(hashes, asked)]
            places[number].append((known, np.full(len(known), document, np.int32)))
        chunk = np.repeat(np.arange(len(sizes)), sizes)
        found.append(_counted(words, chunk + len(rows), questions.terms))
        lengths = np.bincount(chunk, (words & np.uint64(1)).astype(float), len(sizes))
        rows += [
            (int(length), document, at * CHUNK_LINES) for at, length in enumerate(lengths.tolist())
        ]
        if with_stream:
            stream += [SEPARATOR, _numbered(words).tobytes()]
    table = np.concatenate([np.zeros((0, 3), np.int64), *found])
    joined = [
        (
            np.concatenate([np.zeros(0, np.uint64), *(values for values, _ in each)]),
            np.concatenate([np.zeros(0, np.int32), *(at for _, at in each)]),
        )
        for each in places
    ]
    counts = np.minimum(table[:, 2], 65_535).astype(np.uint16)
    terms_, chunks = table[:, 0].astype(np.int32), table[:, 1].astype(np.int32)
    return _Part(joined, hashed, terms_, chunks, counts, rows, b"".join(stream))


def _words(text: str) -> tuple[Hashes, list[int]]:
    """The words of a document, and how many each of its chunks has."""
    lines = text.split("\n")
    words: list[str] = []
    sizes = []
    for first in range(0, len(lines), CHUNK_LINES):
        here = lexemes("\n".join(lines[first : first + CHUNK_LINES]))
        words += here
        sizes.append(len(here))
    return word_hashes(words), sizes


def _counted(words: Hashes, chunk: npt.NDArray[np.intp], known: Hashes) -> npt.NDArray[np.int64]:
    """Rows of a term's number, its chunk and how often it is there."""
    if not len(known):
        return np.zeros((0, 3), np.int64)
    different, which = np.unique(words, return_inverse=True)
    at = np.minimum(np.searchsorted(known, different), len(known) - 1)
    at = np.where(known[at] == different, at, -1)[which]
    pairs, counts = np.unique((at + chunk * len(known))[at >= 0], return_counts=True)
    chunks, terms_ = np.divmod(pairs, len(known))
    return np.stack([terms_, chunks, counts], axis=1).astype(np.int64)


def numbers(words: Sequence[str]) -> npt.NDArray[np.uint16]:
    """Words as numbers of 16 bits: their hashes, so that a few of them share one."""
    return _numbered(word_hashes(words))


def _numbered(hashes: Hashes) -> npt.NDArray[np.uint16]:
    return ((hashes >> np.uint64(1)) % np.uint64(VOCABULARY)).astype(np.uint16)


def _is_in(hashes: Hashes, known: Hashes) -> npt.NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(hashes), bool)
    at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return np.equal(known[at], hashes)
