"""Shards in, index out: fingerprints, chunks, text and catalogue, built aside and swapped in at the end."""

import itertools
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.attribution import catalogue, postings, schema, text_store
from indexer.attribution.candidates import CHUNK_LINES, ChunkWriter, names_of
from indexer.attribution.families import family_of
from indexer.attribution.fingerprints import FORMS, winnow
from indexer.attribution.lexing import ARGUMENT, NAME, Lexer, Places, Tokens
from indexer.document import Document
from indexer.replacing import replacement
from indexer.shards import Manifest, open_shards, read_documents

_BATCH_BYTES = 4 << 20
_BUILD_ROWS = 300_000

Progress = Callable[[int, int], None]  # bytes done, bytes in all


@dataclass(frozen=True, slots=True)
class Batch:
    """What one worker makes of some documents. Lines are counted from the first document's first."""

    hashes: tuple[npt.NDArray[np.uint64], ...]  # one array per form
    lines: tuple[npt.NDArray[np.uint32], ...]
    line_counts: list[int]
    chunks: list[tuple[int, str]]
    text: text_store.Packed


def digest_batch(texts: list[tuple[str, str]]) -> Batch:
    """Fingerprints, names and packed text of (text, language) pairs."""
    hashes: list[list[Any]] = [[] for _ in FORMS]
    lines: list[list[Any]] = [[] for _ in FORMS]
    line_counts: list[int] = []
    chunks: list[tuple[int, str]] = []
    first_line = 0
    for text, language in texts:
        family = family_of(language)
        tokens, at, found = _lexer(family.name).scan(text)
        for number, form in enumerate(FORMS):
            if form.abstract and not family.abstract:
                continue
            grams = form.grams(tokens)
            kept = winnow(grams.hashes, form.window)
            # One entry per fingerprint and file: repetitive text would fill the table with itself.
            unique, first = np.unique(grams.hashes[kept], return_index=True)
            starts = grams.starts[kept[first]]
            hashes[number].append(unique)
            lines[number].append(tokens.lines[starts].astype(np.uint32) + np.uint32(first_line))
        chunks.extend((first_line + line, names) for line, names in _chunks(tokens, at, found))
        line_counts.append(_line_count(text))
        first_line += line_counts[-1]
    empty = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint32)]
    return Batch(
        tuple(np.concatenate(each or empty[0]) for each in hashes),
        tuple(np.concatenate(each or empty[1]) for each in lines),
        line_counts,
        chunks,
        text_store.pack([text for text, _ in texts]),
    )


_lexers: dict[str, Lexer] = {}  # of this worker process


def _lexer(name: str) -> Lexer:
    from indexer.attribution.families import FAMILIES

    if name not in _lexers:
        family = next(each for each in FAMILIES if each.name == name)
        _lexers[name] = Lexer(family, max_rows=_BUILD_ROWS)
    return _lexers[name]


def _line_count(text: str) -> int:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.count("\n") + 1


def _chunks(tokens: Tokens, at: Places, found: list[str]) -> Iterator[tuple[int, str]]:
    """The different names of every CHUNK_LINES lines, with the first of the lines."""
    names = np.flatnonzero((tokens.kinds == NAME) | (tokens.kinds == ARGUMENT))
    number, name = tokens.lines[names] // CHUNK_LINES, tokens.exact[names]
    order = np.lexsort((name, number))
    number, name = number[order], name[order]
    first = np.ones(len(order), bool)
    first[1:] = (number[1:] != number[:-1]) | (name[1:] != name[:-1])
    places, number = at[names[order[first]]].tolist(), number[first]
    cuts = np.flatnonzero(np.diff(number)) + 1
    for start, end in itertools.pairwise([0, *cuts.tolist(), len(places)]):
        if start < end:
            words = names_of(found[place] for place in places[start:end])
            yield int(number[start]) * CHUNK_LINES, " ".join(sorted(words))


@dataclass
class _Growing:
    """The parts of an index while its batches arrive, in order."""

    folder: Path
    chunks: ChunkWriter
    hashes: list[list[Any]] = field(default_factory=lambda: [[] for _ in FORMS])
    lines: list[list[Any]] = field(default_factory=lambda: [[] for _ in FORMS])
    first_line: int = 0
    block_sizes: list[int] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    packages: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    licenses: dict[str, int] = field(default_factory=dict)
    languages: dict[str, int] = field(default_factory=dict)

    def add(self, documents: list[Document], batch: Batch, blocks: Any) -> None:
        for number in range(len(FORMS)):
            self.hashes[number].append(batch.hashes[number])
            self.lines[number].append(batch.lines[number] + np.uint32(self.first_line))
        self.chunks.add((self.first_line + line, names) for line, names in batch.chunks)
        first_block = len(self.block_sizes)
        for data in batch.text.blocks:
            blocks.write(data)
            self.block_sizes.append(len(data))
        packed = batch.text
        places = zip(
            packed.block_of, packed.offset_of, packed.size_of, batch.line_counts, strict=True
        )
        for document, (block, offset, size, line_count) in zip(documents, places, strict=True):
            self._add_file(document, (first_block + block, offset, size), line_count)

    def _add_file(self, document: Document, place: tuple[int, int, int], line_count: int) -> None:
        key = (document.package, document.version)
        package = self.packages.setdefault(key, [len(self.packages), document, 0, 0])
        package[2] += 1
        package[3] += place[2]
        self.rows.append(
            (
                package[0],
                self.licenses.setdefault(document.license, len(self.licenses)),
                self.languages.setdefault(document.language, len(self.languages)),
                self.first_line,
                line_count,
                *place,
                np.frombuffer(bytes.fromhex(document.sha256), np.uint8),
            )
        )
        self.paths.append(document.path.replace("\n", " "))
        self.first_line += line_count

    def finish(self) -> dict[str, int]:
        """Writes everything that had to wait for the last batch; returns how many fingerprints stopped."""
        self.chunks.close()
        text_store.write_ends(self.folder, np.array(self.block_sizes, np.uint64))
        files = np.array(self.rows, catalogue.FILE_COLUMNS)
        families: dict[str, int] = {}
        of_package = np.array(
            [
                families.setdefault(catalogue.family_of_package(name), len(families))
                for name, _ in self.packages
            ],
            np.uint32,
        )
        of_file = of_package[files["package"]] if len(files) else np.zeros(0, np.uint32)
        stopped = {}
        for number, form in enumerate(FORMS):
            hashes = np.concatenate([np.zeros(0, np.uint64), *self.hashes[number]])
            lines = np.concatenate([np.zeros(0, np.uint32), *self.lines[number]])
            self.hashes[number], self.lines[number] = [], []
            of_line = of_file[np.searchsorted(files["first_line"], lines, "right") - 1]
            table, stopped[form.name] = postings.build(hashes, lines, of_line)
            postings.write(table, self.folder, form.name)
        catalogue.write(
            self.folder,
            files=files,
            paths=self.paths,
            packages=[
                catalogue.Package(
                    each.package, each.version, each.kind, each.license, each.url, count, size
                )
                for _, each, count, size in self.packages.values()
            ],
            licenses=list(self.licenses),
            languages=list(self.languages),
        )
        return stopped


def build_index(
    corpus: Path, folder: Path, *, jobs: int = 2, progress: Progress = lambda done, total: None
) -> schema.IndexInfo:
    """Builds the index of a corpus folder and puts it in place of the one in `folder`.

    The old index serves until the last moment; a build that dies leaves it untouched, and what it left
    beside it is removed by the next. Raises CorpusUnavailable when there is no corpus.
    """
    manifest = open_shards(corpus)
    with replacement(folder) as staging:
        return _build(read_documents(corpus), manifest, staging, jobs=jobs, progress=progress)


def _build(
    documents: Iterable[Document],
    manifest: Manifest,
    staging: Path,
    *,
    jobs: int,
    progress: Progress,
) -> schema.IndexInfo:
    growing = _Growing(staging, ChunkWriter(staging / "chunks"))
    done = 0
    with (staging / "text.blocks").open("wb") as blocks:
        for batch, digest in _digested(_batches(documents), jobs):
            growing.add(batch, digest, blocks)
            done += sum(digest.text.size_of)
            progress(done, manifest.bytes)
    stopped = growing.finish()
    info = schema.IndexInfo(
        format=schema.FORMAT,
        lexer_hash=schema.lexer_hash(),
        corpus=manifest.name,
        corpus_hash=manifest.corpus_hash,
        recipe_hash=manifest.recipe_hash,
        selection=manifest.selection,
        documents=len(growing.rows),
        packages=len(growing.packages),
        bytes=done,
        lines=growing.first_line,
        stopped=stopped,
        files=schema.record_files(staging),
    )
    schema.write_info(staging, info)
    return info


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    filled = 0
    for document in documents:
        batch.append(document)
        filled += len(document.text)
        if filled >= _BATCH_BYTES:
            yield batch
            batch, filled = [], 0
    if batch:
        yield batch


def _digested(
    batches: Iterable[list[Document]], jobs: int
) -> Iterator[tuple[list[Document], Batch]]:
    """Each batch with its digest, in order, from `jobs` processes (none for one job)."""
    if jobs < 2:
        for batch in batches:
            yield batch, digest_batch(_texts(batch))
        return
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _leave_interrupts_to_the_parent)
    waiting: deque[tuple[list[Document], Future[Batch]]] = deque()
    try:
        for batch in batches:
            with _interrupts_held():
                waiting.append((batch, pool.submit(digest_batch, _texts(batch))))
            # Two batches a worker keep it busy; more would only fill memory.
            if len(waiting) > 2 * jobs:
                first, digest = waiting.popleft()
                yield first, digest.result()
        for first, digest in waiting:
            yield first, digest.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _texts(batch: list[Document]) -> list[tuple[str, str]]:
    return [(each.text, each.language) for each in batch]


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """What starts meanwhile never sees an interrupt, not even while it loads; ours comes after."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
