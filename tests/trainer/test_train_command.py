"""`footnote train` from tokenizer to export, as a person runs it."""

import json
import os
import signal
import subprocess
import sys

import pytest
import torch

from trainer import checkpoints
from trainer.commands.train import main
from trainer.commands.train_pretrain import duration

ENTRY = "import sys; from trainer.commands.train import main; raise SystemExit(main(sys.argv[1:]))"
TINY = """
[model]
vocabulary = 512
hidden = 32
layers = 1
heads = 1
head_dim = 32
intermediate = 64
positions = 256
[spans]
max_middle = 60
[data]
context = 64
rows = 2
lanes = 2
documents_per_block = 4
workers = 0
[run]
time_budget_s = 600
dtype = "float32"
micro_rows = 2
head_chunk = 64
"""


def test_a_vocabulary_is_learned_from_a_corpus(corpus, tmp_path, capsys):
    code = main(["tokenizer", "--corpus", str(corpus), "--out", str(tmp_path), "--size", "300"])

    assert code == 0
    assert "300 entries" in capsys.readouterr().out
    assert (tmp_path / "tokenizer.json").is_file()
    assert (tmp_path / "tokenizer_config.json").is_file()


@pytest.mark.slow
def test_ctrl_c_keeps_the_run_and_the_same_command_goes_on(
    corpus, tokenizer, tmp_path, monkeypatch
):
    recipe = tmp_path / "one.toml"
    recipe.write_text(TINY, encoding="utf-8")
    command = [sys.executable, "-c", ENTRY, "pretrain", "--recipe", str(recipe)]
    command += ["--corpus", str(corpus), "--tokenizer", str(tokenizer)]
    command += ["--run", str(tmp_path / "run")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    log = tmp_path / "run" / "log.jsonl"

    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        while not first.stderr.readline().startswith("step"):
            assert first.poll() is None
        first.send_signal(signal.SIGINT)
        said = first.stderr.read()
    steps = len(log.read_text(encoding="utf-8").splitlines())

    assert first.returncode == 130
    assert "the same command goes on" in said
    assert list((tmp_path / "run").glob("checkpoint-*"))
    monkeypatch.setattr("trainer.commands.train_pretrain.tune_runtime", lambda: None)
    assert main([*command[3:], "--time-budget", "0.1s"]) == 0
    assert len(log.read_text(encoding="utf-8").splitlines()) >= steps
    assert json.loads((tmp_path / "run" / "export" / "footnote.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pretrain", "--recipe", "none", "--run", "r"], "small"),
        (["pretrain", "--recipe", "tiny"], "--run FOLDER"),
        (
            ["pretrain", "--recipe", "tiny", "--run", "r", "--set", "run.steps=x"],
            "steps must be int",
        ),
        (["pretrain", "--recipe", "tiny", "--run", "r", "--set", "steps=4"], "table.key=value"),
        (["pretrain", "--recipe", "tiny", "--run", "r", "--corpus", "nowhere"], "footnote setup"),
        (["pretrain", "--recipe", "tiny", "--run", "r", "--corpus", "{corpus}"], "--size 512"),
        (["tokenizer", "--corpus", "nowhere"], "footnote setup"),
    ],
)
def test_what_is_missing_is_said_with_its_remedy(
    arguments, said, corpus, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("trainer.commands.train_pretrain.tune_runtime", lambda: None)

    assert main([each.format(corpus=corpus) for each in arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("1.5h", 5400), ("30s", 30), ("7", 7)]
)
def test_budgets_are_durations(text, seconds):
    assert duration(text) == seconds


def test_a_budget_that_is_none_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["pretrain", "--run", "r", "--time-budget", "soon"])

    assert stop.value.code == 2
    assert "90m" in capsys.readouterr().err


def test_a_dry_run_says_what_it_takes_and_trains_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["pretrain", "--recipe", "starcoder-15b", "--processes", "512", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "15.5 B parameters" in said
    assert "A100 80GB" in said
    assert list(tmp_path.iterdir()) == []


def test_curves_of_several_runs_are_drawn_beside_each_other(finished, tmp_path, capsys):
    picture = tmp_path / "curves.png"

    assert main(["curves", str(finished), "--out", str(picture)]) == 0
    assert picture.stat().st_size > 5000
    assert "steps" in capsys.readouterr().out
    assert main(["curves", str(tmp_path), "--out", str(picture)]) == 2
    assert "no run" in capsys.readouterr().err


@pytest.fixture
def onward(corpus, finished, tmp_path, monkeypatch):
    monkeypatch.setattr("trainer.commands.train_pretrain.tune_runtime", lambda: None)

    begin = ["pretrain", "--recipe", "tiny", "--from", str(finished), "--corpus", str(corpus)]
    begin += ["--run", str(tmp_path / "run"), "--set", "run.steps=2"]

    def run(*more):
        return main([*begin, *more])

    return run


def test_pretraining_goes_on_from_before_the_decay_of_another_run(onward, finished, tmp_path):
    still = [f"optim.{name}_lr=0.0" for name in ("matrix", "embedding", "norm")]
    assert onward("--name", "next", *(word for line in still for word in ("--set", line))) == 0

    stable, saved = checkpoints.read(finished / "stable"), checkpoints.latest(tmp_path / "run")
    assert saved is not None
    for name, tensor in saved.tensors.items():
        if name.startswith("master/"):
            assert torch.equal(tensor, stable.tensors[name])
    record = json.loads((tmp_path / "run/export/footnote.json").read_text(encoding="utf-8"))
    assert record["name"] == "next"
    assert record["training"]["started_from"]["hash"] == stable.values["sha256"]


def test_pretraining_goes_on_only_in_its_own_shape(onward, capsys):
    assert onward("--set", "model.layers=1") == 2
    assert "another shape" in capsys.readouterr().err
