"""The repository as files: what the house rules look at."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("engine", "indexer", "lsp_server", "trainer")

_NOT_OURS = {
    ".git",
    ".home",
    ".venv",
    ".work",
    "__pycache__",
    "build",
    "dist",
    "node_modules",
    "out",
    "pictures",
    "shared",
    "unpacked",
}


def all_files() -> list[Path]:
    """Everything that a commit would hold, in a stable order; works without git."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _NOT_OURS and not name.endswith(("_cache", ".egg-info", ".hypothesis"))
        )
        found += [
            Path(folder, name) for name in sorted(files) if not name.endswith((".pyc", ".vsix"))
        ]
    return found


def text_files() -> list[tuple[Path, str]]:
    """The files that read as UTF-8 text and are of a size that a person writes."""
    read = []
    for path in all_files():
        if path.stat().st_size > 1_000_000:
            continue
        data = path.read_bytes()
        if b"\0" in data:
            continue
        try:
            read.append((path, data.decode()))
        except UnicodeDecodeError:
            continue
    return read


def modules() -> list[Path]:
    """The Python modules of the four packages."""
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def name_of(path: Path) -> str:
    """A path as a reader knows it: relative to the repository."""
    return path.relative_to(ROOT).as_posix()
