"""Rows: the same seed gives the same ones, however they are made and wherever they start."""

import re
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from engine.fim import FimLayout
from trainer.config import DataRecipe, SpanRecipe
from trainer.data import Plan, Position, RowStream, make_block, pack

DATA = DataRecipe(context=96, rows=4, documents_per_block=5, seed=3)


@pytest.fixture(scope="module")
def plan(corpus, tokenizer) -> Plan:
    return Plan(corpus, tokenizer, FimLayout(), SpanRecipe(max_middle=120), DATA)


def rows_of(plan, count, *, start=None, workers=0):
    stream = RowStream(plan, start=start or Position(), workers=workers)
    try:
        return stream.take(count), stream.position
    finally:
        stream.close()


def test_the_same_seed_gives_the_same_rows_and_another_gives_others(plan):
    first, _ = rows_of(plan, 60)
    again, _ = rows_of(plan, 60)
    other, _ = rows_of(replace(plan, data=replace(DATA, seed=4)), 60)

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_do_not_depend_on_the_number_of_workers(plan, workers):
    inline, _ = rows_of(plan, 60)
    made, _ = rows_of(plan, 60, workers=workers)

    assert np.array_equal(inline, made)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_goes_on_at_any_row(plan, workers):
    whole, _ = rows_of(plan, 60)
    head, position = rows_of(plan, 23)
    tail, _ = rows_of(plan, 37, start=position, workers=workers)

    assert np.array_equal(whole, np.concatenate([head, tail]))


def test_an_epoch_visits_every_document_once(plan, documents, words):
    # Short pieces, so that none is cropped: a cropped one has no end.
    short = replace(DATA, characters_per_token=1.5)
    whole = replace(plan, spans=replace(plan.spans, fim_rate=0.0), data=short)
    documents = [replace(each, text=re.sub(r"\d", "q", each.text)) for each in documents]
    blocks = -(-len(documents) // DATA.documents_per_block)
    seen = np.concatenate([make_block(each, documents, whole, words) for each in range(blocks)])
    later = make_block(blocks, documents, whole, words)

    ends = int((seen == words.ids.end).sum())
    assert ends == len(documents)
    assert not np.array_equal(later, make_block(0, documents, whole, words))


def test_tables_of_numbers_are_left_out(plan, documents, words):
    table = replace(documents[0], text="".join(f"{n}, {n * n},\n" for n in range(400)))

    assert len(make_block(0, [table], plan, words)) == 0
    assert len(make_block(0, [documents[0], table], plan, words)) > 0


def test_at_most_so_many_pieces_of_one_document(plan, documents, words):
    every = make_block(0, documents, plan, words)
    few = replace(plan, data=replace(DATA, pieces_per_document=1))

    assert len(make_block(0, documents, few, words)) < len(every)


def test_packing_keeps_every_example_whole_and_in_one_row():
    rng = Random(0)
    examples = [[number + 10] * rng.randint(1, 64) for number in range(100)]

    rows = pack(examples, 64, pad=4)

    for example in examples:
        homes = [row for row in rows if example[0] in row]
        assert len(homes) == 1
        assert list(homes[0]).count(example[0]) == len(example)
    assert (rows != 4).mean() > 0.9


def test_a_dead_worker_is_reported_not_awaited(plan, tmp_path):
    with pytest.raises(RuntimeError, match=r"worker failed.*no corpus"):
        rows_of(replace(plan, corpus=tmp_path / "none"), 1, workers=1)
