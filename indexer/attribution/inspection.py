"""What the index says about each of some files, several processes at once."""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

from indexer.attribution.embedded import HOLDING
from indexer.attribution.federation import open_indexes
from indexer.attribution.ignoring import Ignores, ignore_file, passage_hash, read_ignores
from indexer.attribution.index import AttributionIndex
from indexer.attribution.lexing import unify_line_ends
from indexer.attribution.matches import Match
from indexer.attribution.projects import folders_around, level, names_around
from indexer.attribution.recognizing import language_as_checked
from indexer.decoding import NoText, decoded, is_minified
from indexer.processes import interrupts_held, matrices_left_alone, work_for_the_parent

LARGEST = 1 << 20  # bytes; larger files are data or bundles
_WORTH = 1 << 20  # bytes of files from which further processes pay for their start
_BATCH = 1 << 17  # bytes that a process is given at once


class WorkerDied(Exception):
    """A process ended by itself; the message says what to try."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the project around a folder says."""

    own: frozenset[str] = frozenset()  # the names of its packages, and the folders it lies in
    ignores: Ignores = field(default_factory=lambda: Ignores(Path()))


@dataclass(frozen=True, slots=True)
class Finding:
    """A match, and what only its text can tell."""

    match: Match
    passage: str  # the same for the same text, wherever it stands and however it is indented
    first_column: int  # 1-based, in code points
    end_column: int  # behind the last character


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in one file, or why it was not read."""

    path: str
    findings: tuple[Finding, ...] = ()
    skipped: str = ""
    ignored: int = 0  # matches that the project's ignore file settles
    size: int = 0  # bytes that were checked
    problem: str = ""  # what is wrong in that file

    @property
    def matches(self) -> tuple[Match, ...]:
        return tuple(each.match for each in self.findings)


def surroundings(*, ignoring: bool) -> Callable[[str], Surroundings]:
    """Tells what is said about a folder, and remembers it; of its ignore file nothing unless `ignoring`."""
    remembered, read = cache(level), cache(read_ignores)

    @cache
    def around(folder: str) -> Surroundings:
        ignores = read(ignore_file(Path(folder))) if ignoring else Ignores(Path(folder))
        own = names_around(os.path.abspath(folder), remembered)
        return Surroundings(own | folders_around(folder), ignores)

    return around


def inspect_text(
    index: AttributionIndex,
    path: str,
    data: bytes,
    language: str = "",
    around: Surroundings | None = None,
) -> Inspection:
    """What the index says about a file's bytes."""
    around = around or Surroundings()
    if len(data) > LARGEST:
        return Inspection(path, skipped=_too_large())
    try:
        text = decoded(data)
    except NoText as error:
        return Inspection(path, skipped=str(error))
    language = language or language_as_checked(path, text)
    # A line of a document may be a paragraph, or the picture that a cell shows.
    if language not in HOLDING and is_minified(text, language):
        return Inspection(path, skipped="minified")
    matches = index.check_document(text, language=language, path=path, own=around.own)
    reported = around.ignores.reported(matches, text)
    lines = unify_line_ends(text).split("\n") if reported else []
    findings = tuple(_finding(match, text, lines) for match in reported)
    ignored, problem = len(matches) - len(reported), around.ignores.problem
    return Inspection(path, findings, ignored=ignored, size=len(data), problem=problem)


def _finding(match: Match, text: str, lines: Sequence[str]) -> Finding:
    first, last = lines[match.start_line - 1], lines[match.end_line - 1]
    indent = len(first) - len(first.lstrip())
    return Finding(match, passage_hash(match, text), indent + 1, len(last.rstrip()) + 1)


def _too_large() -> str:
    return f"larger than {LARGEST >> 20} MiB"


def inspect_files(
    index: AttributionIndex,
    paths: Iterable[str],
    *,
    indexes: Sequence[str] = (),
    ignoring: bool = True,
    language: str = "",
    jobs: int = 1,
) -> Iterator[Inspection]:
    """Inspects the files, in their order; much text in `jobs` processes that open `indexes` themselves.

    These start as soon as it is much, while it is still being found. Raises WorkerDied.
    """
    batches = _batches(paths)
    first = _first(batches, jobs)
    if len(first) < 2 or jobs < 2:
        around = surroundings(ignoring=ignoring)
        for path in [each for batch in (*first, *batches) for each in batch]:
            yield _inspect_file(index, path, language, around)
        return
    context = get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(
        min(jobs, len(first)), context, _open, (tuple(indexes), language, ignoring, stop)
    )
    try:
        with interrupts_held(), matrices_left_alone():
            running = deque(pool.submit(_inspect_here, batch) for batch in first)
        running.extend(pool.submit(_inspect_here, batch) for batch in batches)
        while running:
            yield from running.popleft().result()
    except BrokenProcessPool as error:
        raise WorkerDied(
            "a process ended by itself, perhaps for want of memory: try --jobs 1"
        ) from error
    finally:
        stop.set()  # batches that wait in a process's own queue cannot be cancelled
        pool.shutdown(cancel_futures=True)


def _first(batches: Iterator[list[str]], jobs: int) -> list[list[str]]:
    """As many batches as are worth further processes, at least one for each; all, in one, where they are too few."""
    first = list(islice(batches, max(jobs, _WORTH // _BATCH)))
    enough = len(first) >= _WORTH // _BATCH
    return first if enough else [[path for batch in first for path in batch]]


def _batches(paths: Iterable[str]) -> Iterator[list[str]]:
    """The paths in runs of about as many bytes each."""
    batch: list[str] = []
    filled = 0
    for path in paths:
        batch.append(path)
        filled += _size(path)
        if filled >= _BATCH:
            yield batch
            batch, filled = [], 0
    if batch:
        yield batch


def _size(path: str) -> int:
    try:
        return min(os.stat(path).st_size, LARGEST)
    except OSError:
        return 0


def _inspect_file(
    index: AttributionIndex, path: str, language: str, around: Callable[[str], Surroundings]
) -> Inspection:
    try:
        about = os.stat(path)
        if stat.S_ISDIR(about.st_mode):
            return Inspection(path, skipped="a folder that cannot be read")
        if not stat.S_ISREG(about.st_mode):
            return Inspection(path, skipped="no regular file")
        if about.st_size > LARGEST:
            return Inspection(path, skipped=_too_large())
        with open(path, "rb", buffering=0) as stream:
            data = stream.readall()
    except OSError as error:
        return Inspection(path, skipped=error.strerror or "cannot be read")
    return inspect_text(index, path, data, language, around(os.path.dirname(path)))


@dataclass(frozen=True, slots=True)
class _Here:
    """What a worker process works with."""

    index: AttributionIndex
    language: str
    around: Callable[[str], Surroundings]
    stop: Event


_here: list[_Here] = []


def _open(indexes: Sequence[str], language: str, ignoring: bool, stop: Event) -> None:  # noqa: FBT001 -- called by position
    work_for_the_parent()
    _here.append(_Here(open_indexes(indexes), language, surroundings(ignoring=ignoring), stop))


def _inspect_here(paths: Sequence[str]) -> list[Inspection]:
    here = _here[0]
    return [
        _inspect_file(here.index, path, here.language, here.around)
        for path in paths
        if not here.stop.is_set()
    ]
