"""infini-gram, where it is installed: exact runs of words of any length, by a suffix array.

Its own step for cutting text needs a vocabulary of a language model; words are numbered here instead, and
handed over in its format.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from trainer.evaluation.attribution.peers.grams import lexemes
from trainer.evaluation.attribution.peers.membership import Found
from trainer.evaluation.attribution.peers.scanning import SEPARATOR, VOCABULARY, numbers

PUBLISHED = 0.5  # share of the text in one exact run from which it counts as found
_GIGABYTES = 4
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


def opened(folder: Path) -> Any:
    """Its engine on a folder that was built."""
    from infini_gram.engine import InfiniGramEngine

    return InfiniGramEngine(
        index_dir=str(folder), eos_token_id=VOCABULARY, vocab_size=65_535, version=4
    )


def size(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.iterdir() if each.is_file())


def judged(engine: Any, text: str) -> Found:
    """The longest exact run, as a share of the text."""
    ids = numbers(lexemes(text)).tolist()
    if not ids:
        return Found(0.0)
    return Found(longest_run(engine.creativity(ids)["rs"]) / len(ids))


def longest_run(ends: Sequence[int]) -> int:
    """The longest of the runs that begin at each word and end before these."""
    return max((end - start for start, end in enumerate(ends)), default=0)
