"""How long look-ups take, how fast the index is built, and what it weighs."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from indexer.attribution.lexing import lexer_of
from indexer.document import Document
from indexer.shards import open_shards, read_documents, write_shards
from trainer.evaluation.attribution.fresh import Asked
from trainer.evaluation.latency import percentile

T = TypeVar("T")

_SHARES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def timed(call: Callable[[T], object], items: Iterable[T]) -> Iterator[float]:
    """Milliseconds of each call."""
    for item in items:
        started = time.perf_counter()
        call(item)
        yield 1000 * (time.perf_counter() - started)


def row(what: str, milliseconds: Sequence[float], **more: Any) -> dict[str, Any]:
    """One line of the table."""
    times = {name: round(percentile(milliseconds, share), 3) for name, share in _SHARES.items()}
    return {"what": what, **more, "cases": len(milliseconds), **times}


def forget(folder: Path) -> None:
    """Tells the system that the pages of a folder's files need not be kept; those in use are."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def in_fresh_processes(
    folder: Path, questions: Sequence[Sequence[Asked]], *, cold: bool
) -> Iterator[dict[str, Any]]:
    """For each lot of questions a process that opens the index and asks; its files forgotten if cold."""
    for each in questions:
        if cold:
            forget(folder)
        made = subprocess.run(
            [sys.executable, "-m", "trainer.evaluation.attribution.fresh", str(folder)],
            input=json.dumps([asdict(asked) for asked in each]),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise OSError(f"a fresh process could not ask the index: {made.stderr[-300:]}")
        yield json.loads(made.stdout)


def slice_of(corpus: Path, megabytes: float) -> list[Document]:
    """Every so-manieth document of the corpus, about as many megabytes in all."""
    step = max(1, round(open_shards(corpus).bytes / 1e6 / megabytes))
    return [each for number, each in enumerate(read_documents(corpus)) if number % step == 0]


def build_speed(documents: Sequence[Document], *, jobs: int) -> dict[str, Any]:
    """MB of text a second that `footnote index build` gets through, its start included."""
    with tempfile.TemporaryDirectory(prefix="footnote-build-") as place:
        meta = {"name": "a slice", "recipe_hash": "", "selection": "full"}
        manifest = write_shards(Path(place) / "corpus", documents, meta=meta)
        command = (
            "from indexer.commands.index import main; "
            f"raise SystemExit(main(['build', '--jobs', '{jobs}']))"
        )
        path = os.pathsep.join(filter(None, sys.path))
        environment = {**os.environ, "FOOTNOTE_HOME": place, "PYTHONPATH": path}
        started = time.perf_counter()
        made = subprocess.run(
            [sys.executable, "-c", command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - started
        if made.returncode:
            raise OSError(f"the slice could not be indexed: {made.stderr[-300:]}")
    return {
        "megabytes": round(manifest.bytes / 1e6, 1),
        "jobs": jobs,
        "seconds": round(seconds, 1),
        "mb_per_second": round(manifest.bytes / 1e6 / seconds, 2),
    }


def lexing_speed(documents: Iterable[Document], seconds: float = 1.0) -> list[dict[str, Any]]:
    """MB a second of one core that each language is cut into tokens at: the best of three passes."""
    by_language: dict[str, list[Document]] = {}
    for each in documents:
        by_language.setdefault(each.language, []).append(each)
    rows = []
    for language, files in sorted(by_language.items()):
        lexer = lexer_of(language)
        texts, size = [], 0
        for each in files[:200]:
            texts.append(each.text)
            size += each.size
        best = 0.0
        for _ in range(3):
            started, done = time.process_time(), 0
            for text in texts:
                lexer.tokens(text)
                done += len(text)
                if time.process_time() - started > seconds:
                    break
            took = time.process_time() - started
            share = done / max(1, sum(map(len, texts)))
            best = max(best, size * share / 1e6 / max(took, 1e-9))
        rows.append({"language": language, "mb_per_second": round(best, 2)})
    return rows
