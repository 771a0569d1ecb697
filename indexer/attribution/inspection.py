"""Which files of some folders are worth checking, and what the index says about each."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from indexer.attribution.index import AttributionIndex
from indexer.attribution.matches import Match
from indexer.languages import language_of

LARGEST = 1 << 20  # bytes; larger files are data or bundles
_SKIPPED_FOLDERS = {".git", ".hg", ".svn", "node_modules", "__pycache__", ".tox", ".nox", ".eggs"}
_MANY = 64  # files from which further processes pay for opening the index again
_BINARY_PROBE = 8192


class NoSuchFile(Exception):
    """A path that was asked for does not exist; the message names it."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in one file, or why it was not read."""

    path: str
    matches: tuple[Match, ...] = ()
    skipped: str = ""


def files_of(paths: Iterable[str]) -> list[str]:
    """The files to check: those named, and of folders those in a language of the corpus.

    Version control, installed packages and virtual environments are left out. Raises NoSuchFile.
    """
    found: dict[str, None] = {}
    for name in paths:
        path = Path(name)
        if path.is_dir():
            found.update(dict.fromkeys(_walk(path)))
        elif path.exists():
            found[name] = None
        else:
            raise NoSuchFile(f"{name} does not exist")
    return list(found)


def _walk(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED_FOLDERS and not (here / name / "pyvenv.cfg").is_file()
        )
        yield from (str(here / name) for name in sorted(files) if language_of(name))


def inspect_text(index: AttributionIndex, path: str, data: bytes, language: str = "") -> Inspection:
    """What the index says about a file's bytes."""
    if len(data) > LARGEST:
        return Inspection(path, skipped=f"larger than {LARGEST >> 20} MiB")
    if b"\0" in data[:_BINARY_PROBE]:
        return Inspection(path, skipped="binary")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Inspection(path, skipped="not UTF-8")
    return Inspection(path, tuple(index.check_document(text, language=language, path=path)))


def inspect_files(
    index: AttributionIndex,
    paths: Sequence[str],
    *,
    folder: Path,
    language: str = "",
    jobs: int = 1,
) -> Iterator[Inspection]:
    """Inspects the files, in their order; many of them in `jobs` processes that open `folder` themselves."""
    if jobs < 2 or len(paths) < _MANY:
        yield from (_inspect_file(index, path, language) for path in paths)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _open, (folder, language)) as pool:
        yield from pool.map(_inspect_here, paths, chunksize=8)


def _inspect_file(index: AttributionIndex, path: str, language: str) -> Inspection:
    try:
        if Path(path).stat().st_size > LARGEST:
            return Inspection(path, skipped=f"larger than {LARGEST >> 20} MiB")
        data = Path(path).read_bytes()
    except OSError as error:
        return Inspection(path, skipped=error.strerror or "cannot be read")
    return inspect_text(index, path, data, language)


_here: list[tuple[AttributionIndex, str]] = []  # of a worker process: its index and the language


def _open(folder: Path, language: str) -> None:
    _here.append((AttributionIndex.open(folder), language))


def _inspect_here(path: str) -> Inspection:
    return _inspect_file(_here[0][0], path, _here[0][1])
