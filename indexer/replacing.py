"""Folders that are replaced as one: the new one is made aside and changes places with the old in one step.

A process may be killed at any moment. Until the exchange the old folder is in place, from then on the new
one; where the system cannot exchange two names, the moment between two renames is mended by `recover`.
"""

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NEW, _OLD, _OWNER = "new", "old", "owner"
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS
_HERE = -100  # AT_FDCWD


@contextmanager
def replacement(folder: Path) -> Iterator[Path]:
    """An empty folder to fill; after the block it stands where `folder` is, unless the block raised."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    recover(folder)
    sweep(folder)
    with scratch(folder) as place:
        new = place / _NEW
        new.mkdir()
        try:
            yield new
            exchange(new, folder)
        finally:
            recover(folder, place)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A place beside a folder, for the time of the block; what is left of it after a kill is swept later."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=prefix(folder), dir=folder.parent))
    try:
        (place / _OWNER).write_text(str(os.getpid()), "utf-8")
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def prefix(folder: Path) -> str:
    """How the names of what belongs to a folder, and lies beside it, begin."""
    return f".{folder.name}~"


def exchange(new: Path, folder: Path) -> None:
    """Puts `new` where `folder` is; the old one, if there is one, then lies beside where `new` was."""
    if not folder.exists():
        new.replace(folder)
    elif not _exchanged(new, folder):
        folder.replace(new.with_name(_OLD))
        new.replace(folder)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether the system let two names change places."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        first, second = os.fsencode(one), os.fsencode(other)
        if sys.platform == "darwin":
            return int(library.renamex_np(first, second, _EXCHANGE)) == 0
        return int(library.renameat2(_HERE, first, _HERE, second, _EXCHANGE)) == 0
    except (OSError, AttributeError, TypeError):
        return False


def recover(folder: Path, only: Path | None = None) -> None:
    """Puts the old folder back where a process died, or failed, between taking it away and its successor."""
    if folder.exists():
        return
    for place in [only] if only else _remains(folder):
        old = place / _OLD
        if old.is_dir() and (only or not _owned(place)):
            with suppress(OSError):  # somebody else was quicker, or only they may write here
                old.replace(folder)
            return


def sweep(folder: Path) -> None:
    """Deletes what killed processes left beside a folder; what a living one works on is left alone."""
    for place in _remains(folder):
        if not _owned(place):
            shutil.rmtree(place, ignore_errors=True)


def _remains(folder: Path) -> list[Path]:
    return sorted(folder.parent.glob(f"{prefix(folder)}*"))


def _owned(place: Path) -> bool:
    """Whether a process that works in a folder is still there."""
    return any(_alive(each) for each in place.glob(f"{_OWNER}*"))


def _alive(note: Path) -> bool:
    try:
        process = int(note.read_text("utf-8"))
        if os.name == "nt":
            return False
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True
