"""Runs of seconds: they learn, they resume bit by bit, and what they export anyone can load."""

import json
from dataclasses import replace

import pytest
import torch

from engine.fim import FimLayout, render
from trainer import checkpoints
from trainer.config import load_recipe
from trainer.pretrain import Interrupted, RunMismatch, pretrain

RECIPE = load_recipe("tiny")


def log_of(folder):
    text = (folder / "log.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def losses(folder):
    return [each["loss"] for each in log_of(folder)]


def stop_after(steps):
    import os
    import signal

    def report(record):
        if record["step"] == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    return report


def test_a_toy_learns(finished):
    curve = losses(finished)

    assert sum(curve[-5:]) / 5 < 0.6 * curve[0]


def test_a_resumed_run_equals_one_that_was_never_stopped(make_run, tmp_path):
    pretrain(make_run(tmp_path / "whole"))
    with pytest.raises(Interrupted):
        pretrain(make_run(tmp_path / "cut"), report=stop_after(5))
    assert len(losses(tmp_path / "cut")) == 5

    pretrain(make_run(tmp_path / "cut"))

    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    one, other = (
        checkpoints.read(checkpoints.latest(tmp_path / name))["updater"]["masters"]
        for name in ("whole", "cut")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_lost_steps_are_forgotten_and_done_again(make_run, tmp_path):
    with pytest.raises(Interrupted):
        pretrain(make_run(tmp_path), report=stop_after(3))
    with (tmp_path / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write('{"step": 4, "loss": 99.0}\n{"step": 5, "lo')

    pretrain(make_run(tmp_path, steps=5))

    assert [each["step"] for each in log_of(tmp_path)] == [1, 2, 3, 4, 5]
    assert 99.0 not in losses(tmp_path)


def test_another_recipe_is_refused_unless_it_is_asked_for(make_run, tmp_path):
    with pytest.raises(Interrupted):
        pretrain(make_run(tmp_path), report=stop_after(3))
    run = make_run(tmp_path, steps=4)
    slower = replace(run.recipe, optim=replace(run.recipe.optim, matrix_lr=0.001))
    wider = replace(run.recipe, model=replace(run.recipe.model, hidden=32))

    with pytest.raises(RunMismatch, match="--change-recipe"):
        pretrain(replace(run, recipe=slower))
    with pytest.raises(RunMismatch, match="new folder"):
        pretrain(replace(run, recipe=wider, change=True))
    pretrain(replace(run, recipe=slower, change=True))

    about = json.loads((tmp_path / "export" / "footnote.json").read_text(encoding="utf-8"))
    history = about["training"]["history"]
    assert [each["from_step"] for each in history] == [0, 3]
    assert history[1]["recipe"]["optim"]["matrix_lr"] == 0.001


def test_a_time_budget_ends_a_run_in_its_cool_down(make_run, tmp_path):
    run = replace(make_run(tmp_path), budget_s=0.5)
    pretrain(run)

    last = log_of(tmp_path)[-1]
    assert last["elapsed"] >= 0.5
    assert last["rate"] < 1


def test_only_the_newest_checkpoints_stay(tmp_path):
    for step in range(5):
        checkpoints.save(tmp_path, step, {"step": step}, keep=2)

    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "checkpoint-00000003.pt",
        "checkpoint-00000004.pt",
    ]
    assert checkpoints.read(checkpoints.latest(tmp_path)) == {"step": 4}


def test_the_export_loads_in_plain_transformers_with_equal_logits(finished, words):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from trainer.learner import build, lower

    loaded = AutoModelForCausalLM.from_pretrained(finished / "export", dtype=torch.bfloat16)
    tokenizer = AutoTokenizer.from_pretrained(finished / "export")
    state = checkpoints.read(checkpoints.latest(finished))
    ours = build(RECIPE.model)
    ours.load_state_dict(state["updater"]["masters"], strict=False)
    lower(ours, torch.bfloat16)
    prompt = render(
        FimLayout(),
        order="spm",
        prefix=words.encode("def area_3(radius, "),
        suffix=words.encode("\n"),
        ids=words.ids,
    )

    with torch.no_grad():
        a = loaded(torch.tensor([prompt])).logits
        b = ours(torch.tensor([prompt])).logits

    assert torch.equal(a, b)
    assert loaded.get_input_embeddings().weight is loaded.get_output_embeddings().weight
    assert tokenizer.convert_tokens_to_ids("<fim_prefix>") == prompt[0]


def test_the_export_passes_the_engines_check(finished):
    from engine.checkpoint import read_checkpoint

    found = read_checkpoint(finished / "export")

    assert found.layout == FimLayout()
    assert found.corpus["hash"]
    assert found.training["step"] == 40
    assert (finished / "loss.png").stat().st_size > 1000
    assert json.loads((finished / "loss.json").read_text(encoding="utf-8"))
