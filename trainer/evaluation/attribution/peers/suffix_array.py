"""infini-gram, where it is installed: exact runs of words of any length, by a suffix array.

Its own step for cutting text needs a vocabulary of a language model; words are numbered here instead, and
handed over in its format.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from indexer.document import Document
from trainer.evaluation.attribution.peers.grams import lexemes
from trainer.evaluation.attribution.peers.membership import Found
from trainer.evaluation.attribution.peers.scanning import (
    SEPARATOR,
    VOCABULARY,
    in_order,
    numbers,
)
from trainer.evaluation.attribution.pools import pool

PUBLISHED = 0.5  # share of the text in one exact run from which it counts as found

_GIGABYTES = 4
_LEAST = 16  # words of a run that is worth naming
_NAMED = 3
_BUILD = """\
import sys
from types import SimpleNamespace
from infini_gram.indexing import build_sa
folder, cpus, memory = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
build_sa(SimpleNamespace(save_dir=folder, temp_dir=folder, worker_id=0, workers=1, shards=1,
                         cpus=cpus, mem=memory, token_width=2))
"""


def is_installed() -> bool:
    return find_spec("infini_gram") is not None


class StreamWriter:
    """Takes the words of the corpus and writes them as infini-gram wants them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tokens = (folder / "tokenized.0").open("wb")
        self._written = 0
        self._offsets: list[int] = []

    def __enter__(self) -> "StreamWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tokens.close()
        np.array(self._offsets, np.uint64).tofile(self._folder / "offset.0")

    def add(self, stream: bytes) -> None:
        """Documents, each with a separator before it."""
        words = np.frombuffer(stream, np.uint16)
        places = np.flatnonzero(words == np.frombuffer(SEPARATOR, np.uint16)[0])
        self._offsets += (2 * places + self._written).tolist()
        self._tokens.write(stream)
        self._written += len(stream)


def build(folder: Path, *, jobs: int) -> None:
    """Sorts the suffixes. OSError when it fails."""
    made = subprocess.run(
        [sys.executable, "-c", _BUILD, str(folder.resolve()), str(jobs), str(_GIGABYTES)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode or not (folder / "table.0").is_file():
        raise OSError(f"infini-gram could not sort the corpus: {made.stderr.strip()[-300:]}")


def index_corpus(documents: Iterable[Document], folder: Path, *, jobs: int) -> float:
    """Cuts a corpus into words and sorts it; the seconds that took."""
    started = time.perf_counter()
    with (
        StreamWriter(folder) as writer,
        pool(jobs) as workers,
    ):
        for _, stream in in_order(workers, _stream, documents, 2 * jobs):
            writer.add(stream)
    build(folder, jobs=jobs)
    return time.perf_counter() - started


def _stream(texts: list[str]) -> bytes:
    return b"".join(SEPARATOR + numbers(lexemes(text)).tobytes() for text in texts)


def ids_of(text: str) -> list[int]:
    """A text as infini-gram is asked for it."""
    ids: list[int] = numbers(lexemes(text)).tolist()
    return ids


def look_ups(engine: Any) -> dict[str, Callable[[list[int]], Any]]:
    """What it can be asked: the text as one run, its runs of any length, its longest and rarest runs."""
    return {
        "find": engine.find,
        "creativity": engine.creativity,
        "attribute": partial(
            engine.attribute, delim_ids=[], min_len=_LEAST, max_cnt=1000, enforce_bow=False
        ),
    }


def opened(folder: Path) -> Any:
    """Its engine on a folder that was built."""
    from infini_gram.engine import InfiniGramEngine

    return InfiniGramEngine(
        index_dir=str(folder), eos_token_id=VOCABULARY, vocab_size=65_535, version=4
    )


def size(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.iterdir() if each.is_file())


def judged(engine: Any, text: str) -> Found:
    """The longest exact run as a share of the text, and the documents it is in."""
    ids = ids_of(text)
    spans = look_ups(engine)["attribute"](ids)["spans"] if ids else []
    if not spans:
        return Found(0.0)
    longest = max(spans, key=lambda span: int(span["length"]))
    found = [
        int(engine.get_doc_by_ptr(s=each["s"], ptr=each["ptr"], max_disp_len=1)["doc_ix"])
        for each in longest["docs"][:_NAMED]
    ]
    return Found(longest["length"] / len(ids), tuple(dict.fromkeys(found)))
