"""Blocks of rows: what goes into them, each a function of the plan and its number."""

import re
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from engine.fim import FimLayout
from trainer.config import DataRecipe, SpanRecipe
from trainer.data import Plan, make_block, pack, source_of
from trainer.texts import SourceFile, texts_of

DATA = DataRecipe(context=96, rows=4, documents_per_block=5, seed=3)


@pytest.fixture(scope="module")
def plan(corpus, tokenizer) -> Plan:
    return Plan(corpus, tokenizer, FimLayout(), SpanRecipe(max_middle=120), DATA)


@pytest.fixture(scope="module")
def files(documents) -> list[SourceFile]:
    return [SourceFile(each.text, each.path, each.package, each.language) for each in documents]


def rows_of(number, files, plan, words):
    return make_block(number, source_of(plan, texts_of(files), words)).rows


def test_a_block_is_a_function_of_its_number_and_the_seed(plan, files, words):
    other = replace(plan, data=replace(DATA, seed=4))

    first = rows_of(7, files, plan, words)

    assert np.array_equal(first, rows_of(7, files, plan, words))
    assert not np.array_equal(first, rows_of(7, files, other, words))


def test_an_epoch_visits_every_document_once(plan, files, words):
    # Short pieces, so that none is cropped: a cropped one has no end.
    short = replace(DATA, characters_per_token=1.5)
    whole = replace(plan, spans=replace(plan.spans, fim_rate=0.0), data=short)
    files = [replace(each, text=re.sub(r"\d", "q", each.text)) for each in files]
    blocks = -(-len(files) // DATA.documents_per_block)
    seen = np.concatenate([rows_of(each, files, whole, words) for each in range(blocks)])
    later = rows_of(blocks, files, whole, words)

    ends = int((seen == words.ids.end).sum())
    assert ends == len(files)
    assert not np.array_equal(later, rows_of(0, files, whole, words))


def test_tables_of_numbers_are_left_out(plan, files, words):
    table = replace(files[0], text="".join(f"{n}, {n * n},\n" for n in range(400)))

    assert len(rows_of(0, [table], plan, words)) == 0
    assert len(rows_of(0, [files[0], table], plan, words)) > 0


def test_at_most_so_many_pieces_of_one_document(plan, files, words):
    every = rows_of(0, files, plan, words)
    few = replace(plan, data=replace(DATA, pieces_per_document=1))

    assert len(rows_of(0, files, few, words)) < len(every)


def test_large_vocabularies_get_wide_rows(plan, files, words):
    small = rows_of(0, files, plan, replace(words, size=65536))
    large = rows_of(0, files, plan, replace(words, size=65537))

    assert (small.dtype, large.dtype) == (np.uint16, np.uint32)
    assert np.array_equal(small, large)


def test_packing_keeps_every_example_whole_and_in_one_row():
    rng = Random(0)
    examples = [[number + 10] * rng.randint(1, 64) for number in range(100)]

    rows = pack(examples, 64, pad=4)

    for example in examples:
        homes = [row for row in rows if example[0] in row]
        assert len(homes) == 1
        assert list(homes[0]).count(example[0]) == len(example)
    assert (rows != 4).mean() > 0.9
