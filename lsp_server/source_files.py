"""Corpus files as read-only files, for editors that can show nothing else."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_PREFIX = "shown-"
_STALE_S = 7 * 86_400.0  # what a server that was killed has left behind


class SourceFiles:
    """A folder of its own for every server, made when it is needed and removed at its end."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._folder: Path | None = None

    def write(self, release: str, path: str, text: str) -> Path:
        """The file, written unless it is there; what it is called is safe for any system."""
        parts = [_safe(release), *(_safe(part) for part in path.split("/") if part)]
        file = self._own_folder().joinpath(*parts)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            fresh = file.with_name(f".{file.name}.new")
            fresh.write_text(text, encoding="utf-8", errors="replace", newline="")
            fresh.chmod(0o444)
            fresh.replace(file)
        return file

    def remove(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            _remove(folder)

    def _own_folder(self) -> Path:
        if self._folder is None or not self._folder.is_dir():
            self._parent.mkdir(parents=True, exist_ok=True)
            for old in self._parent.glob(f"{_PREFIX}*"):
                with suppress(OSError):
                    if old.stat().st_mtime < time.time() - _STALE_S:
                        _remove(old)
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._parent))
        return self._folder


def _safe(name: str) -> str:
    """A name for a file: nothing that leads elsewhere or that a system refuses."""
    return re.sub(r"[^\w.@+ -]", "_", name).strip(". ")[:100] or "_"


def _remove(folder: Path) -> None:
    """Windows removes no read-only file."""
    for each in folder.rglob("*"):
        with suppress(OSError):
            os.chmod(each, 0o755 if each.is_dir() else 0o644)  # noqa: PTH101 -- a link stays one
    shutil.rmtree(folder, ignore_errors=True)
