"""Runs of seconds: they learn, they resume bit by bit, and what they export anyone can load."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from engine.fim import FimLayout, render
from indexer.shards import CorpusUnavailable
from trainer import checkpoints
from trainer.config import LongRecipe, load_recipe
from trainer.learner import lower
from trainer.model import build
from trainer.pretrain import pretrain
from trainer.runs import Diverged, Interrupted, RunMismatch, alone, standing_of
from trainer.starting import start_weights

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
    one, other = (checkpoints.latest(tmp_path / name).tensors for name in ("whole", "cut"))
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


def test_a_run_goes_on_with_its_rows_unless_they_were_changed(make_run, tmp_path):
    with pytest.raises(Interrupted):
        pretrain(make_run(tmp_path), report=stop_after(3))
    run = replace(make_run(tmp_path), change=True)
    recipe = run.recipe
    slower = replace(recipe, optim=replace(recipe.optim, matrix_lr=0.001))
    other = replace(recipe, data=replace(recipe.data, languages=("python",)))
    kept = checkpoints.latest(tmp_path).values

    same, _ = standing_of(replace(run, recipe=slower), kept["identity"])
    anew, _ = standing_of(replace(run, recipe=other), kept["identity"])

    assert same.position == kept["position"]
    assert anew.position is None


def test_a_time_budget_ends_a_run_in_its_cool_down(make_run, tmp_path):
    run = replace(make_run(tmp_path), budget_s=0.5)
    pretrain(run)

    last = log_of(tmp_path)[-1]
    assert last["elapsed"] >= 0.5
    assert last["rate"] < 1


def test_a_run_that_diverges_stops_and_keeps_what_was_good(make_run, tmp_path, monkeypatch):
    with pytest.raises(Interrupted):
        pretrain(make_run(tmp_path), report=stop_after(3))
    run = make_run(tmp_path)
    wild = replace(run.recipe, optim=replace(run.recipe.optim, embedding_lr=1e30, matrix_lr=1e30))

    with pytest.raises(Diverged, match="matrix_lr"):
        pretrain(replace(run, recipe=wild, change=True))

    assert checkpoints.latest(tmp_path).values["clock"]["step"] == 3
    assert not (tmp_path / "export").exists()


def test_the_checkpoint_before_the_decay_stays(finished):
    stable = checkpoints.read(finished / "stable")

    assert stable.values["clock"]["step"] == 18  # 45% of 40
    assert {each.name for each in finished.glob("checkpoint-*")} == {"checkpoint-00000040"}


def test_the_last_part_of_a_run_may_have_longer_rows(make_run, tmp_path):
    run = make_run(tmp_path)
    long = LongRecipe(share=0.25, context=192, rows=4, micro_rows=2)
    pretrain(replace(run, recipe=replace(run.recipe, long=long)))
    tokens = [each["tokens"] for each in log_of(tmp_path)]

    assert checkpoints.latest(tmp_path).values["stage"] == "long"
    assert [b - a for a, b in zip([0, *tokens], tokens, strict=False)] == [512] * 9 + [768] * 3


def test_a_stage_goes_on_where_it_stopped(make_run, tmp_path):
    long = LongRecipe(share=0.5, context=200, rows=4, micro_rows=1)
    runs = []
    for name in ("whole", "cut"):
        run = make_run(tmp_path / name)
        runs.append(replace(run, recipe=replace(run.recipe, long=long)))
    pretrain(runs[0])
    for step in (4, 9):
        with pytest.raises(Interrupted):
            pretrain(runs[1], report=stop_after(step))
    pretrain(runs[1])

    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


def test_a_damaged_shard_stops_the_run_before_it_starts(make_run, tmp_path, corpus):
    copy = tmp_path / "corpus"
    shutil.copytree(corpus, copy)
    shard = copy / "shard-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")

    with pytest.raises(CorpusUnavailable, match="shard-00000"):
        pretrain(replace(make_run(tmp_path / "run"), corpus=copy))


def test_a_tokenizer_that_is_larger_than_the_model_is_refused(make_run, tmp_path):
    run = make_run(tmp_path)
    small = replace(run.recipe, model=replace(run.recipe.model, vocabulary=300))

    with pytest.raises(ValueError, match=r"model\.vocabulary"):
        pretrain(replace(run, recipe=small))


def test_the_export_loads_in_plain_transformers_with_equal_logits(finished, words):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded = AutoModelForCausalLM.from_pretrained(finished / "export", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(finished / "export")
    ours = build(RECIPE.model)
    start_weights(ours, RECIPE.model, checkpoints.latest(finished).path)
    lower(ours, torch.bfloat16)
    ours.float()
    prompt = render(
        FimLayout(),
        order="spm",
        prefix=words.encode("def area_3(radius, "),
        suffix=words.encode("\n"),
        ids=words.ids,
    )

    with torch.no_grad():
        a = loaded(torch.tensor([prompt])).logits
        b = ours.hidden(torch.tensor([prompt])) @ ours.head.T

    torch.testing.assert_close(a, b, atol=1e-4, rtol=0)
    assert loaded.get_input_embeddings().weight is loaded.get_output_embeddings().weight
    assert tokenizer.convert_tokens_to_ids("<fim_prefix>") == prompt[0]


def test_the_export_passes_the_engines_check(finished):
    from engine.checkpoint import read_checkpoint

    found = read_checkpoint(finished / "export")

    assert found.layout == FimLayout(file_sep="")  # tiny is shown one file at a time
    assert found.corpus["hash"]
    assert found.training["step"] == 40
    assert (finished / "loss.png").stat().st_size > 1000
    assert json.loads((finished / "loss.json").read_text(encoding="utf-8"))


def test_two_processes_do_not_train_in_one_folder(make_run, tmp_path):
    with alone(tmp_path), pytest.raises(RunMismatch, match="another process"):
        pretrain(make_run(tmp_path, steps=1))

    assert pretrain(make_run(tmp_path, steps=1)).is_dir()
