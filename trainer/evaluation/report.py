"""Results as a table for people and as JSON for machines; progress while they are made."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Columns of equal width, numbers to the right; empty for no rows."""
    if not rows:
        return ""
    names = list(rows[0])
    cells = [[name.replace("_", " ") for name in names]]
    cells += [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    numeric = [isinstance(rows[0][name], (int, float)) for name in names]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in cells
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.tmp")
    staging.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    staging.replace(path)


def progress(items: Sequence[T], title: str) -> Iterator[T]:
    """The items, with a bar on a terminal or a line every ten seconds elsewhere, on stderr."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(items, title, console=Console(stderr=True), transient=True)
        return
    said = time.monotonic()
    for number, item in enumerate(items):
        if time.monotonic() - said > 10:
            said = time.monotonic()
            sys.stderr.write(f"{title}: {number} of {len(items)}\n")
        yield item


def quiet() -> None:
    """Keep transformers' own bars and remarks out of the report; call before importing it."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers.utils import logging

    voice: Any = logging
    voice.set_verbosity_error()
    voice.disable_progress_bar()


def model_folder(given: Path | None) -> Path:
    """The folder meant: the given one, or the embedded default.

    Raises ModelUnavailable or FileNotFoundError when there is none.
    """
    from engine.loading import folder_of

    folder = folder_of(given)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"no model at {folder}: give a checkpoint folder with --model")
    return folder
