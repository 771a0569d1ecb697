"""Rows of a step: the same however many make them and wherever they start; no death is awaited."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from engine.fim import FimLayout
from trainer.config import DataRecipe, RecipeError, SpanRecipe
from trainer.crew import DataFailure
from trainer.data import Plan
from trainer.stream import RowStream, behind

DATA = DataRecipe(context=96, rows=8, lanes=4, documents_per_block=3, seed=3)
STEPS = 12


@pytest.fixture(scope="module")
def plan(corpus, tokenizer) -> Plan:
    return Plan(corpus, tokenizer, FimLayout(), SpanRecipe(max_middle=120), DATA)


def steps_of(plan, count, *, world=1, workers=0, start=None):
    """The rows of each step, taken over all processes in their order, and where they stopped."""
    streams = [
        RowStream(plan, start=start, workers=workers, rank=rank, world=world)
        for rank in range(world)
    ]
    try:
        steps = [np.concatenate([stream.take() for stream in streams]) for _ in range(count)]
        return steps, [place for stream in streams for place in stream.position]
    finally:
        for stream in streams:
            stream.close()


@pytest.fixture(scope="module")
def whole(plan):
    steps, position = steps_of(plan, STEPS)
    return np.concatenate(steps), position


def test_a_step_takes_its_rows_equally_from_all_lanes(plan, whole):
    one = replace(plan, data=replace(DATA, lanes=1, rows=2))
    rows = whole[0].reshape(STEPS, 4, 2, 97)
    blocks = RowStream(one, workers=0)

    first = np.concatenate([blocks.take() for _ in range(40)])
    made = {row.tobytes() for row in first}

    assert all(row.tobytes() in made for row in rows[:2].reshape(-1, 97))
    assert len({row.tobytes() for row in rows[0].reshape(-1, 97)}) == 8


@pytest.mark.parametrize(("world", "workers"), [(2, 0), (4, 0), (1, 1), (1, 3), (2, 1)])
def test_rows_do_not_depend_on_how_many_make_them(plan, whole, world, workers):
    steps, position = steps_of(plan, STEPS, world=world, workers=workers)

    assert np.array_equal(np.concatenate(steps), whole[0])
    assert position == whole[1]


@pytest.mark.parametrize("stop", [1, 5, 9])
@pytest.mark.parametrize(("before", "after"), [(1, 4), (2, 1), (4, 2)])
def test_a_run_goes_on_at_any_step_with_another_number_of_processes(
    plan, whole, stop, before, after
):
    head, position = steps_of(plan, stop, world=before)
    tail, end = steps_of(plan, STEPS - stop, world=after, start=position)

    assert np.array_equal(np.concatenate([*head, *tail]), whole[0])
    assert end == whole[1]


def test_workers_go_on_in_the_middle_of_a_block(plan, whole):
    head, position = steps_of(plan, 5)
    assert any(row for _, row in position)
    tail, _ = steps_of(plan, STEPS - 5, workers=2, start=position)

    assert np.array_equal(np.concatenate([*head, *tail]), whole[0])


def test_processes_that_cannot_share_the_lanes_are_told_so(plan):
    with pytest.raises(RecipeError, match=r"3 processes cannot share data.lanes = 4"):
        RowStream(plan, workers=0, rank=0, world=3)


@pytest.mark.parametrize("place", [{"block": 3, "row": 1}, [3, 1], "3"])
def test_places_of_an_older_trainer_are_refused(plan, place):
    with pytest.raises(RecipeError, match="older trainer"):
        RowStream(plan, start=place, workers=0)


def test_places_of_other_lanes_are_refused(plan):
    _, position = steps_of(plan, 2)
    other = replace(plan, data=replace(DATA, lanes=2))

    with pytest.raises(RecipeError, match=r"set data\.lanes = 4"):
        RowStream(other, start=position, workers=0)


@pytest.mark.parametrize("lanes", [1, 2, 8])
def test_a_second_stage_of_another_length_begins_behind_the_first(plan, lanes):
    _, position = steps_of(plan, 5)
    start = behind(position, lanes)
    longer = replace(plan, data=replace(DATA, context=192, rows=8, lanes=lanes))

    steps, _ = steps_of(longer, 1, start=start)

    assert min(block for block, _ in start) > max(block for block, _ in position)
    assert steps[0].shape == (8, 193)


def test_a_killed_worker_is_reported_not_awaited(plan):
    stream = RowStream(plan, workers=2)
    try:
        stream.take()
        for process in stream._crew._processes:
            os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(DataFailure, match=r"exit code -9.*data.workers"):
            [stream.take() for _ in range(1000)]
    finally:
        stream.close()


def test_workers_leave_an_interrupt_to_the_trainer(plan, whole):
    stream = RowStream(plan, workers=1)
    try:
        first = stream.take()
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(stream._crew._processes[0].pid, number)
        rest = [stream.take() for _ in range(STEPS - 1)]
    finally:
        stream.close()

    assert np.array_equal(np.concatenate([first, *rest]), whole[0])
    assert not any(process.is_alive() for process in stream._crew._processes)


def test_a_worker_that_fails_says_why(plan, tokenizer, tmp_path):
    copy = tmp_path / "tokenizer"
    copy.mkdir()
    (copy / "tokenizer.json").write_bytes((tokenizer / "tokenizer.json").read_bytes())
    stream = RowStream(replace(plan, tokenizer=copy), workers=0)
    stream.close()

    (copy / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match="footnote train tokenizer"):
        RowStream(replace(plan, tokenizer=copy), workers=1)


def test_a_corpus_of_tables_ends_in_an_error_not_in_a_search_for_rows(tmp_path, tokenizer, plan):
    from indexer.shards import write_shards
    from tests.support.documents import document

    table = document("".join(f"{n}, {n * n},\n" for n in range(400)))
    write_shards(tmp_path / "corpus", [table], meta={})

    with pytest.raises(RecipeError, match="no row can be made"):
        RowStream(replace(plan, corpus=tmp_path / "corpus"), workers=0).take()
