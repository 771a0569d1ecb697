"""Results as a table for people and as JSON for machines; progress while they are made."""

import json
import math
import os
import shlex
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
    numeric = [any(isinstance(row[name], (int, float)) for row in rows) for name in names]
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
    if isinstance(value, (list, tuple)):
        return "-".join(_cell(each) for each in value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def wilson(successes: int, cases: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95% interval of a share (1927); it holds for few cases and for shares of 0 and 1."""
    if not cases:
        return 0.0, 1.0
    share = successes / cases
    middle = share + z * z / (2 * cases)
    spread = z * math.sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))
    low, high = ((middle + side) / (1 + z * z / cases) for side in (-spread, spread))
    return max(0.0, low), min(1.0, high)


def comma_list(text: str, option: str) -> list[int]:
    """Positive numbers with commas between; ValueError names the option."""
    try:
        numbers = [int(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or any(each < 1 for each in numbers):
        raise ValueError(f"{option} needs whole numbers with commas between, not {text!r}")
    return numbers


def command_line(what: str, argv: Sequence[str]) -> str:
    """The command as another person would type it: without this machine's folders."""
    kept: list[str] = []
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name in ("--json", "--held-out", "--index", "--corpus"):
            if not equals:
                next(words, None)
        elif name == "--model":
            kept += ["--model", Path(value if equals else next(words, "")).name]
        else:
            kept.append(Path(word).name if "/" in word else word)
    return shlex.join(["footnote", "eval", what, *kept])


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write the file whole or not at all."""
    write_whole(path, json.dumps(result, indent=1) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Put a text into a file whole or not at all; OSError when it cannot be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        staging.write_text(text, encoding="utf-8")
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)


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


def model_path(given: Path | None) -> Path:
    """The same, or a GGUF file: for what needs a completer only."""
    from engine.loading import folder_of

    path = folder_of(given)
    return path if path.is_file() else model_folder(given)


def model_folder(given: Path | None) -> Path:
    """The folder meant: the given one, or the embedded default.

    Raises ModelUnavailable or FileNotFoundError when there is none.
    """
    from engine.loading import folder_of

    folder = folder_of(given)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"no model at {folder}: give a checkpoint folder with --model")
    return folder
