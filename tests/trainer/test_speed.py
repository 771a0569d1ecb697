"""The bench trains two ways from the same weights on the same tokens, and says what came of it."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from engine.fim import FimLayout
from trainer.commands import bench_training
from trainer.config import load_recipe
from trainer.data import Plan
from trainer.evaluation.contenders import CONTENDERS, Step, Task, recipe_of
from trainer.evaluation.speed import (
    Measured,
    Sitting,
    first_losses_differ,
    line_of,
    ratio_of,
    take_turns,
    write_rows,
)
from trainer.stream import RowStream


def step(seconds, *, cpu=1.0, loss=6.0, waiting=0.0, memory=100):
    return Step(seconds, cpu, waiting, loss, memory, 0)


class Scripted:
    """A sitting that notes who worked when, and may fail."""

    def __init__(self, name, notes, *, good=99):
        self.name, self.notes, self.good = name, notes, good

    def step(self):
        from trainer.evaluation.speed import ContenderFailed

        if self.good == 0:
            raise ContenderFailed("out of memory")
        self.good -= 1
        self.notes.append(self.name)
        return step(1.0)


@pytest.mark.slow
def test_both_train_from_the_same_weights_on_the_same_tokens(corpus, tokenizer, tmp_path, capsys):
    where = ["--corpus", str(corpus), "--tokenizer", str(tokenizer)]
    sizes = ["--rounds", "2", "--steps", "1", "--warm-up", "1", "--set", "run.threads=1"]
    target = tmp_path / "speed.json"

    code = bench_training.main(
        ["--recipe", "tiny", "--contenders", "footnote,trainer", *where, *sizes, "--json", str(target)]
    )  # fmt: skip

    out = capsys.readouterr().out
    result = json.loads(target.read_text(encoding="utf-8"))
    assert code == 0
    assert not result["failed"]
    # Equal to float32's rounding: one token elsewhere would move the mean by more.
    assert result["first_losses_differ"] < 1e-5
    assert "the same work" in out
    assert [each["contender"] for each in result["lines"]] == ["footnote", "trainer"]
    assert all(len(turns) == 2 for turns in result["steps"].values())
    assert str(corpus) not in result["command"]


def test_rows_for_the_others_are_those_that_our_loop_sees(corpus, tokenizer, tmp_path):
    recipe = load_recipe("tiny")
    plan = Plan(corpus, tokenizer, FimLayout(), recipe.spans, recipe.data)

    feeding = write_rows(plan, 3, tmp_path / "rows.npy")

    stream = RowStream(plan, workers=0)
    assert np.array_equal(
        np.load(tmp_path / "rows.npy"), np.concatenate([stream.take() for _ in range(3)])
    )
    assert feeding.mb_per_s > 0


@pytest.mark.parametrize("name", CONTENDERS)
def test_every_contender_has_a_recipe_without_what_is_not_measured(name):
    task = Task(name, "default", ("data.rows=64",), "", "", "", "", 4, 9)
    recipe = recipe_of(task)

    assert recipe.run.steps == 9
    assert (recipe.long.share, recipe.optim.stable) == (0, 1)


def test_contenders_take_turns_and_another_one_begins_each_round():
    notes, said = [], []
    sittings = [Scripted(name, notes) for name in "ab"]

    take_turns(sittings, warm_up=1, rounds=2, steps=2, between=said.append)

    assert "".join(notes) == "ab" + "aabb" + "bbaa"
    assert len(said) == 2 + 4


def test_one_that_fails_is_out_and_the_others_go_on():
    notes = []
    sittings = [Scripted("a", notes), Scripted("b", notes, good=2)]

    ours, theirs = take_turns(sittings, warm_up=1, rounds=3, steps=1)

    assert len(ours.steps) == 3
    assert theirs.failure == "out of memory"
    assert not theirs.steps


def test_a_process_that_ends_says_why(tmp_path):
    task = Task(
        "footnote", "tiny", (), str(tmp_path), str(tmp_path), str(tmp_path / "run"), "", 4, 2
    )
    sitting = Sitting(task, {})

    measured = take_turns([sitting], warm_up=1, rounds=1, steps=1)
    sitting.close()

    assert str(tmp_path) in measured[0].failure


def test_a_line_has_medians_and_the_most_memory():
    found = Measured("a", rounds=[[step(1.0), step(4.0, waiting=0.5)], [step(2.0, memory=3e6)]])
    line = line_of(found, tokens=100, flops=1e9, peak=1e9)

    assert (line.tokens_per_s, line.tokens_per_s_best) == (50.0, 100.0)
    assert line.mfu == 0.5
    assert line.memory_mb == 3.0
    assert line.waiting == pytest.approx(2 / 7)


def test_ratios_are_of_the_same_rounds():
    ours = Measured("a", rounds=[[step(1.0)], [step(10.0)], [step(2.0)]])
    theirs = Measured("b", rounds=[[step(3.0, cpu=2.0)], [step(20.0)], [step(5.0)]])

    assert asdict(ratio_of(theirs, ours)) == {
        "contender": "b", "least": 2.0, "median": 2.5, "most": 3.0, "cpu": 1.0,
    }  # fmt: skip


def test_other_tokens_are_noticed():
    one, other = Measured("a", first=step(1, loss=6.0)), Measured("b", first=step(1, loss=6.3))

    assert first_losses_differ([one, other]) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--contenders", "footnote,nobody"], "trainer-compiled"),
        (["--contenders", "trainer,trainer"], "twice"),
        (["--rounds", "0"], "--rounds must be 1"),
        (["--recipe", "starcoder-1b"], "run.sharding=none"),
        (["--recipe", "nothing"], "use one of"),
        (["--corpus", "/nowhere/at/all"], "corpus"),
        (["--recipe", "tiny", "--attention", "flash"], "CUDA"),
    ],
)
def test_what_cannot_be_measured_is_said(arguments, remedy, corpus, tokenizer, capsys):
    where = ["--corpus", str(corpus), "--tokenizer", str(tokenizer)]
    if "--corpus" in arguments:
        where = []

    assert bench_training.main([*where, *arguments]) == 2
    assert remedy in capsys.readouterr().err
