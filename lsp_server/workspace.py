"""The files of the workspace as texts, read where an import leads to one, and kept while they stay the same."""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from engine.context import LONGEST, Source
from indexer.languages import language_of
from lsp_server.exclusions import IgnoreFiles, excluding

_MOST = 128  # files kept, a few MB
_Stamp = tuple[int, int, int]


class Workspace:
    """Reads the files under a folder that may be shown. Serves one thread at a time."""

    def __init__(self) -> None:
        self._known: OrderedDict[Path, tuple[_Stamp, Source]] = OrderedDict()
        self._open: dict[str, Source] = {}
        self._ignore_files = IgnoreFiles()

    def opened(self, texts: Iterable[tuple[str, str, str]]) -> list[Source]:
        """Open documents (path, text, language), taken apart anew where they have changed."""
        before, self._open = self._open, {}
        for path, text, language in texts:
            known = before.get(path)
            same = known is not None and known.text == text and known.language == language
            self._open[path] = known if known and same else Source(path, text, language)
        return list(self._open.values())

    def may_show(self, path: str, file: Path | None, exclude: Sequence[str]) -> bool:
        """Whether neither a setting nor an ignore file keeps it from the model."""
        name = path if file is None else file.as_posix()
        if excluding(name, exclude) is not None:
            return False
        return file is None or not self._ignore_files.cover(file)

    def find(self, root: Path, path: str, exclude: Sequence[str]) -> Source | None:
        """The file at a path of a folder; None where there is none that may be shown."""
        if ".." in PurePosixPath(path).parts:
            return None
        file = root / path
        try:
            found = os.stat(file)  # noqa: PTH116 -- most paths that are tried lead nowhere
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(found.st_mode) or found.st_size > LONGEST:
            return None
        if not self.may_show(path, file, exclude) or not _is_below(file, root):
            return None
        return self._read(file, path, (found.st_mtime_ns, found.st_size, found.st_ino))

    def _read(self, file: Path, path: str, stamp: _Stamp) -> Source | None:
        known = self._known.pop(file, None)
        if known is None or known[0] != stamp or known[1].path != path:
            try:
                text = file.read_bytes().decode("utf-8")
            except (OSError, UnicodeDecodeError):
                return None
            known = stamp, Source(path, text.replace("\r\n", "\n"), language_of(path) or "")
        self._known[file] = known
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return known[1]


def _is_below(file: Path, root: Path) -> bool:
    """Whether a file lies in a folder, links followed."""
    try:
        return file.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return False
