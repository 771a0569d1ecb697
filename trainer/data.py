"""Files to rows of tokens: the plan of a run, and its blocks, each a function of its number."""

import bisect
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.fim import FimLayout
from trainer.config import DataRecipe, SpanRecipe
from trainer.examples import (
    Piece,
    Span,
    Vocabulary,
    cut_document,
    is_table,
    make_example,
)
from trainer.nodes import nodes_within
from trainer.repository import Other, Repositories
from trainer.texts import Texts, open_texts
from trainer.visits import Visits, plan_visits
from trainer.vocabulary import load

# [rows, context + 1]: inputs are [:-1], labels [1:]. 16 bits a token where the vocabulary allows.
Rows = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that decides a run's rows, small enough to send to a worker.

    Two stages with other lengths of context are two plans; the corpus is laid out once for both.
    """

    corpus: Path
    tokenizer: Path
    layout: FimLayout
    spans: SpanRecipe
    data: DataRecipe


@dataclass(frozen=True, slots=True)
class Source:
    """A plan with what it names opened."""

    plan: Plan
    texts: Texts
    visits: Visits
    repositories: Repositories
    vocabulary: Vocabulary

    @property
    def blocks(self) -> int:
        """Blocks in one epoch."""
        return -(-self.visits.length // self.plan.data.documents_per_block)


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that were packed together, and what went into them."""

    rows: Rows
    bytes: int  # of source text that became tokens, other files shown with it not counted
    cpu_s: float = 0.0  # that making it took, where somebody looked at the clock


def open_source(plan: Plan) -> Source:
    """Open corpus and tokenizer.

    CorpusUnavailable, RecipeError, FileNotFoundError or ValueError say what does not fit.
    """
    texts = open_texts(plan.corpus)
    return source_of(plan, texts, load(plan.tokenizer, plan.layout))


def source_of(plan: Plan, texts: Texts, vocabulary: Vocabulary) -> Source:
    visits = plan_visits(texts.languages, plan.data)
    return Source(plan, texts, visits, Repositories(texts), vocabulary)


def pack(examples: list[list[int]], width: int, pad: int, dtype: Any = np.uint16) -> Rows:
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
    out = np.full((len(rows), width), pad, dtype=dtype)
    for number, row_tokens in enumerate(rows):
        out[number, : len(row_tokens)] = row_tokens
    return out


def make_block(number: int, source: Source) -> Block:
    """Block `number` of a run: a pure function of the source and the number.

    An epoch visits the documents in an order of its own; each block takes the next few of them.
    """
    plan, vocabulary = source.plan, source.vocabulary
    data = plan.data
    epoch, within = divmod(number, source.blocks)
    order = source.visits.order(epoch)
    rng = Random(f"{data.seed}/{epoch}/{within}")
    examples = []
    total = 0
    for index in order[within * data.documents_per_block :][: data.documents_per_block]:
        for piece, nodes, others in _pieces(index, source, rng):
            total += len(piece.text if piece.text.isascii() else piece.text.encode())
            examples.append(
                make_example(
                    piece,
                    nodes,
                    vocabulary,
                    spans=plan.spans,
                    layout=plan.layout,
                    limit=data.context + 1,
                    rng=rng,
                    others=others,
                )
            )
    dtype = np.uint16 if vocabulary.size <= 1 << 16 else np.uint32
    rows = pack(examples, data.context + 1, vocabulary.pad, dtype)
    mixed = list(range(len(rows)))
    rng.shuffle(mixed)
    return Block(rows[mixed], total)


def timed_block(number: int, source: Source) -> Block:
    """`make_block`, and how long the processor took."""
    began = time.process_time()
    block = make_block(number, source)
    return replace(block, cpu_s=time.process_time() - began)


def _pieces(
    index: int, source: Source, rng: Random
) -> Iterator[tuple[Piece, Callable[[], Sequence[Span]], Iterable[Other] | None]]:
    """What one file gives in an epoch: its pieces, their syntax nodes, the files to show first.

    Where others are shown, the pieces are half as long: the other half of a row is for them.
    """
    data, spans = source.plan.data, source.plan.spans
    file = source.texts[index]
    size = data.context * data.characters_per_token
    is_repository = rng.random() < spans.repository_rate and len(source.texts.siblings(index)) > 1
    pieces = cut_document(file.text, int(size / 2 if is_repository else size), rng)
    if 0 < data.pieces_per_document < len(pieces):
        pieces = rng.sample(pieces, data.pieces_per_document)
    for start, end in pieces:
        text = file.text[start:end]
        if is_table(text):
            continue
        others = source.repositories.others(index, file, rng) if is_repository else None
        nodes = nodes_within(file.text, file.language, (start, end), rng)
        is_end = end == len(file.text)
        yield Piece(text, start, file.path, file.language, is_end, file.package), nodes, others
