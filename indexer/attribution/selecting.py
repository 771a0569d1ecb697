"""Which files of some folders are worth checking. There may be many: paths are text, which costs a third."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from indexer.attribution.recognizing import language_as_checked
from indexer.git import listed

_SKIPPED_FOLDERS = frozenset(
    {".footnote", ".git", ".hg", ".svn", "node_modules", "__pycache__", ".tox", ".nox", ".eggs"}
)
_ENVIRONMENT = "pyvenv.cfg"
_BEGINNING = 200  # bytes of a file without an ending, in which it says whose script it is
_HERE = os.path.join(os.curdir, "")


class NoSuchFile(Exception):
    """A path that was asked for does not exist; the message names it."""


def files_of(paths: Sequence[str], *, ignoring: bool = True) -> Iterator[str]:
    """The files to check: those named, and of folders those in a language that is known.

    The name tells it, or of a script without an ending the first line.
    Version control, installed packages, virtual environments and links are left out, and what git ignores
    unless not `ignoring`. Raises NoSuchFile before any is told.
    """
    for name in paths:
        if not os.path.lexists(name):
            raise NoSuchFile(f"{name} does not exist")
    return _found(paths, ignoring=ignoring)


def _found(paths: Iterable[str], *, ignoring: bool) -> Iterator[str]:
    seen: set[str] = set()  # by place, as the same file may be named in several ways
    for name in paths:
        path = Path(name)
        for each in _files_under(path, ignoring=ignoring) if path.is_dir() else [name]:
            place = os.path.abspath(each)
            if place not in seen:
                seen.add(place)
                yield each


def _files_under(folder: Path, *, ignoring: bool) -> Iterator[str]:
    names = listed(folder) if ignoring else []
    # Nothing is listed outside a repository, and of an ignored folder, which was then meant as it was named.
    yield from _listed(folder, names) if names else _walked(folder, ignoring=ignoring)


def _listed(folder: Path, names: Iterable[str]) -> Iterator[str]:
    names = sorted(set(names))
    environments = tuple(
        name.removesuffix(_ENVIRONMENT) for name in names if name.endswith(f"/{_ENVIRONMENT}")
    )
    for name in names:
        path = _inside(folder, name)
        if not _SKIPPED_FOLDERS.isdisjoint(name.split("/")[:-1]):
            continue
        if os.path.islink(path) or (environments and name.startswith(environments)):
            continue
        # A repository inside this one, or the place of one that was not fetched.
        if os.path.isdir(path):
            inner = _files_under if os.path.exists(os.path.join(path, ".git")) else _walked
            yield from inner(Path(path), ignoring=True)
        # Git also lists what was deleted a moment ago.
        elif _is_checked(name, path) and os.path.exists(path):
            yield path


def _walked(folder: Path, *, ignoring: bool) -> Iterator[str]:
    closed: list[str] = []
    for parent, folders, files in os.walk(folder, onerror=lambda one: closed.append(one.filename)):
        entered = []
        for name in sorted(folders):
            inner = _inside(parent, name)
            if name in _SKIPPED_FOLDERS or os.path.islink(inner):
                continue
            if os.path.isfile(os.path.join(inner, _ENVIRONMENT)):
                continue
            if ignoring and os.path.exists(os.path.join(inner, ".git")):
                yield from _files_under(Path(inner), ignoring=True)
            else:
                entered.append(name)
        folders[:] = entered
        for name in sorted(files):
            path = _inside(parent, name)
            if _is_checked(name, path) and not os.path.islink(path):
                yield path
    yield from closed  # a folder that nobody may read is told among what was not checked


def _inside(folder: str | Path, name: str) -> str:
    return os.path.join(folder, name).removeprefix(_HERE)


def _is_checked(name: str, path: str) -> bool:
    return bool(language_as_checked(name)) or (
        "." not in os.path.basename(name) and _is_script(path)
    )


def _is_script(path: str) -> bool:
    """Whether a file's first line names an interpreter; one that cannot be read may, and is told as such later."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):  # to open a pipe would wait for its writer
            return False
        with open(path, "rb", buffering=0) as stream:
            beginning = stream.read(_BEGINNING)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return bool(language_as_checked(path, beginning.decode("utf-8-sig", "replace")))
