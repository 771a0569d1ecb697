"""Shards to rows of tokens: the same order everywhere, resumable at any row."""

import bisect
import multiprocessing
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.fim import FimLayout
from indexer.document import Document
from indexer.shards import read_documents
from trainer.config import DataRecipe, SpanRecipe
from trainer.examples import (
    Piece,
    Vocabulary,
    cut_document,
    is_table,
    lazily_nodes,
    make_example,
)
from trainer.vocabulary import load

Rows = npt.NDArray[np.uint16]  # [rows, context + 1]: inputs are [:-1], labels [1:]
_QUEUE = 4  # blocks made ahead by one worker
_COLUMNS = ("text", "path", "language")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run is in its data: the next row to be used."""

    block: int = 0
    row: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """All that decides a run's rows, small enough to send to a worker."""

    corpus: Path
    tokenizer: Path
    layout: FimLayout
    spans: SpanRecipe
    data: DataRecipe


def pack(examples: list[list[int]], width: int, pad: int) -> Rows:
    """Best fit: each example into the fullest row that still holds it, longest first.

    Rows start at the start of an example. What stays empty is pad, which the loss ignores.
    """
    rows: list[list[int]] = []
    space: list[tuple[int, int]] = []  # (free, row), sorted
    for example in sorted(examples, key=len, reverse=True):
        place = bisect.bisect_left(space, (len(example), -1))
        if place == len(space):
            rows.append(list(example))
            free, row = width - len(example), len(rows) - 1
        else:
            free, row = space.pop(place)
            rows[row] += example
            free -= len(example)
        if free:
            bisect.insort(space, (free, row))
    out = np.full((len(rows), width), pad, dtype=np.uint16)
    for number, row_tokens in enumerate(rows):
        out[number, : len(row_tokens)] = row_tokens
    return out


def make_block(
    number: int, documents: Sequence[Document], plan: Plan, vocabulary: Vocabulary
) -> Rows:
    """Block `number` of a run: a pure function of the plan and the number.

    An epoch visits the documents in an order of its own; each block takes the next few of them.
    """
    per_block = plan.data.documents_per_block
    blocks = max(1, -(-len(documents) // per_block))
    epoch, within = divmod(number, blocks)
    order = list(range(len(documents)))
    Random(f"{plan.data.seed}/{epoch}").shuffle(order)
    rng = Random(f"{plan.data.seed}/{epoch}/{within}")
    width = plan.data.context + 1
    size = int(plan.data.context * plan.data.characters_per_token)
    examples = []
    for index in order[within * per_block : (within + 1) * per_block]:
        document = documents[index]
        nodes = lazily_nodes(document.text, document.language)
        pieces = cut_document(document.text, size, rng)
        if 0 < plan.data.pieces_per_document < len(pieces):
            pieces = rng.sample(pieces, plan.data.pieces_per_document)
        for start, end in pieces:
            text = document.text[start:end]
            if is_table(text):
                continue
            piece = Piece(
                text=text,
                start=start,
                path=document.path,
                language=document.language,
                is_end=end == len(document.text),
            )
            examples.append(
                make_example(
                    piece,
                    nodes,
                    vocabulary,
                    spans=plan.spans,
                    layout=plan.layout,
                    limit=width,
                    rng=rng,
                )
            )
    rows = pack(examples, width, vocabulary.pad)
    mixed = list(range(len(rows)))
    rng.shuffle(mixed)
    return rows[mixed]


class RowStream:
    """Rows in the order of the plan, made in the background by `workers` processes.

    Worker w of n makes the blocks w, w + n, ...: the order is that of no workers at all.
    """

    def __init__(self, plan: Plan, *, start: Position, workers: int) -> None:
        self.plan = plan
        self.position = start
        self._rows: Rows | None = None
        self._workers: list[Any] = []
        self._queues: list[Any] = []
        self._inline: tuple[list[Document], Vocabulary] | None = None
        if workers == 0:
            self._inline = _open(plan)
        context = multiprocessing.get_context("spawn")
        for rank in range(workers):
            queue = context.Queue(maxsize=_QUEUE)
            first = start.block + (rank - start.block) % workers
            process = context.Process(
                target=_work, args=(plan, first, workers, queue), daemon=True, name="rows"
            )
            process.start()
            self._workers.append(process)
            self._queues.append(queue)

    def take(self, count: int) -> Rows:
        """The next `count` rows; never ends. RuntimeError when a worker has died."""
        parts = []
        missing = count
        while missing:
            if self._rows is None:
                self._rows = self._block(self.position.block)
            part = self._rows[self.position.row : self.position.row + missing]
            parts.append(part)
            missing -= len(part)
            row = self.position.row + len(part)
            if row >= len(self._rows):
                self.position, self._rows = Position(self.position.block + 1), None
            else:
                self.position = Position(self.position.block, row)
        return np.concatenate(parts)

    def _block(self, number: int) -> Rows:
        if self._inline is not None:
            documents, vocabulary = self._inline
            return make_block(number, documents, self.plan, vocabulary)
        rank = number % len(self._workers)
        while True:
            with suppress(Empty):
                made, rows = self._queues[rank].get(timeout=5)
                if isinstance(rows, str):
                    raise RuntimeError(f"the data worker failed: {rows}")
                if made != number:
                    raise RuntimeError(f"the data worker made block {made}, wanted {number}")
                return rows  # type: ignore[no-any-return]
            if not self._workers[rank].is_alive():
                raise RuntimeError("the data worker died: free some memory and resume the run")

    def close(self) -> None:
        for process in self._workers:
            process.terminate()
        for process in self._workers:
            process.join(timeout=5)
        for queue in self._queues:
            queue.cancel_join_thread()
            queue.close()


def _open(plan: Plan) -> tuple[list[Document], Vocabulary]:
    documents = [each for each in read_documents(plan.corpus, _COLUMNS) if each.text]
    if not documents:
        raise RuntimeError(f"the corpus at {plan.corpus} is empty: build it again")
    return documents, load(plan.tokenizer, plan.layout)


def _work(plan: Plan, first: int, step: int, queue: Any) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the trainer stops us
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.nice(5)
    number = first
    try:
        documents, vocabulary = _open(plan)
        while True:
            queue.put((number, make_block(number, documents, plan, vocabulary)))
            number += step
    except Exception as error:  # noqa: BLE001 -- whatever it is, the trainer must hear of it
        queue.put((number, f"{type(error).__name__}: {error}"))
