"""`footnote train finetune`, as a person runs it: on a language and on one's own files."""

import json
import os
import shutil
import signal
from dataclasses import replace
from functools import partial

import pytest
import torch

from engine.checkpoint import read_checkpoint, read_tensors
from indexer.shards import open_shards, write_shards
from tests.support.documents import document
from tests.trainer.test_own import program, write
from trainer import checkpoints
from trainer.commands.train import main
from trainer.conversion import names_of
from trainer.evaluation import before_after

FAST = [
    *("--set", "data.workers=0", "--set", "run.dtype=float32", "--set", "run.threads=1"),
    *("--set", "data.context=128", "--set", "spans.max_middle=200"),
    *("--set", "optim.warmup_steps=2"),
]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch, tmp_path):
    monkeypatch.setattr("trainer.commands.train_pretrain.tune_runtime", lambda: None)
    monkeypatch.setattr("trainer.commands.train_finetune.tune_runtime", lambda: None)
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path / "home"))


@pytest.fixture
def project(tmp_path):
    return write(tmp_path / "project", 12)


@pytest.fixture
def command(finished, project, tmp_path):
    """Run the command; answers its exit code."""

    def run(*more, run="run", start=finished, on=(project,)):
        folders = ["--on", *map(str, on)] if on else []
        return main(
            ["finetune", "--from", str(start), *folders, "--run", str(tmp_path / run), *FAST, *more]
        )

    return run


@pytest.fixture
def tune(command):
    return partial(command, "--no-evaluation")


def losses(folder):
    text = (folder / "log.jsonl").read_text(encoding="utf-8")
    return [json.loads(line)["loss"] for line in text.splitlines()]


def about(folder):
    return json.loads((folder / "export" / "footnote.json").read_text(encoding="utf-8"))


def weights(folder):
    return dict(read_tensors(read_checkpoint(folder)))


@pytest.mark.parametrize("more", [(), ("--lora", "8")], ids=["full", "adapters"])
def test_the_loss_on_own_files_falls_and_the_export_loads(tune, more, tmp_path, finished):
    from transformers import AutoModelForCausalLM

    rates = ("--set", "optim.matrix_lr=0.02", "--set", "optim.adamw_lr=0.02")
    assert tune("--epochs", "3", *rates, *more) == 0

    curve = losses(tmp_path / "run")
    assert sum(curve[-3:]) / 3 < 0.9 * sum(curve[:3]) / 3
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "export", dtype=torch.float32)
    assert torch.isfinite(loaded(torch.tensor([[5, 6, 7]])).logits).all()


def test_adapters_leave_every_other_weight_as_it_was(tune, tmp_path, finished):
    assert tune("--lora", "4", start=finished / "export") == 0

    before, after = weights(finished / "export"), weights(tmp_path / "run" / "export")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not {name for name in changed if "norm" in name or "embed" in name}
    held = checkpoints.latest(tmp_path / "run").tensors
    assert all("adapter" in name for name in held)
    assert about(tmp_path / "run")["training"]["adapter_rank"] == 4


def test_the_record_names_the_start_and_all_corpora(tune, tmp_path, finished, corpus):
    assert tune(start=finished / "export") == 0

    found, base = about(tmp_path / "run"), about(finished)
    own = open_shards(tmp_path / "run" / "corpus").corpus_hash
    assert found["training"]["started_from"] == {
        "name": base["name"],
        "hash": base["weights"]["model.safetensors"],
    }
    assert found["corpus"]["parts"] == f"{base['corpus']['hash']} {own}"
    assert found["corpus"]["hash"] not in {base["corpus"]["hash"], own}
    assert found["name"] == f"{base['name']}-project"


def test_it_starts_from_the_checkpoint_before_the_decay_with_fresh_optimisers(
    tune, tmp_path, finished
):
    stable = checkpoints.read(finished / "stable")
    assert tune("--set", "run.steps=1", "--set", "optim.matrix_lr=0.0", "--set",
                "optim.embedding_lr=0.0", "--set", "optim.norm_lr=0.0") == 0  # fmt: skip

    saved = checkpoints.latest(tmp_path / "run")
    assert saved.values["identity"]["start"] == stable.values["sha256"]
    for name, tensor in saved.tensors.items():
        if name.startswith("master/"):
            torch.testing.assert_close(tensor, stable.tensors[name])
        if name.startswith("step/"):
            assert tensor == 1


def test_one_language_of_the_corpus_and_still_that_corpus(tune, tmp_path, corpus, capsys):
    chosen = ("--corpus", str(corpus), "--language")

    assert tune(*chosen, "python", "--epochs", "0.2", on=()) == 0
    found = about(tmp_path / "run")
    assert found["corpus"]["hash"] == open_shards(corpus).corpus_hash
    assert found["training"]["history"][0]["recipe"]["data"]["languages"] == ["python"]
    assert tune(*chosen, "rust", run="other", on=()) == 2
    assert "no rust" in capsys.readouterr().err


def test_a_stopped_run_goes_on_as_if_it_had_not_been(tune, tmp_path, project, monkeypatch):
    assert tune(run="whole") == 0

    def stop(self, record):
        if record["step"] == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("trainer.journal.Reporter.__call__", stop)
        assert tune(run="cut") == 130
    write(project, 3, first=50)  # it goes on with the files as they were
    assert tune(run="cut") == 0

    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    one, other = (weights(tmp_path / name / "export") for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_another_start_rank_or_folder_does_not_go_on_in_the_same_run(
    tune, tmp_path, finished, project, capsys
):
    assert tune() == 0
    before = about(tmp_path / "run")

    assert tune(start=finished / "export") == 2
    assert "another start" in capsys.readouterr().err
    assert tune("--lora", "2", "--recipe", "finetune") == 2
    assert "another rank" in capsys.readouterr().err
    assert tune(on=(project / "module_0.py",)) == 2
    assert "other folders" in capsys.readouterr().err
    assert tune(run="../" + finished.name, start=finished) == 2
    assert about(tmp_path / "run") == before


def test_before_and_after_are_measured_on_new_text_and_on_everything_else(
    command, tmp_path, documents, finished, capsys
):
    public = [replace(each, package=f"p{number % 3}") for number, each in enumerate(documents)]
    meta = {"name": "held", "recipe_hash": "0", "selection": "full"}
    write_shards(tmp_path / "home" / "held-out", [*public, document(program(0))], meta=meta)
    rates = ("--set", "optim.matrix_lr=0.02", "--set", "optim.embedding_lr=0.02")

    assert command("--cases", "2", "--epochs", "3", *rates) == 0

    found = json.loads((tmp_path / "run" / "retention.json").read_text(encoding="utf-8"))
    own, held = found["texts"]
    assert (own["files"], held["files"], held["left_out"]) == (3, 24, 1)
    loss = {
        row["text"]: row["difference"]
        for row in found["rows"]
        if row["what"].startswith("bits") and row["language"] == "all"
    }
    assert loss[before_after.OWN] < 0  # files that it was not trained on, of the same project
    assert set(loss) == {before_after.OWN, before_after.PUBLIC}
    assert found["before"]["hash"] == checkpoints.read(finished / "stable").values["sha256"]
    assert found["after"]["hash"] == about(tmp_path / "run")["weights"]["model.safetensors"]
    page = (tmp_path / "run" / "retention.md").read_text(encoding="utf-8")
    assert page in capsys.readouterr().out
    assert page.count("strict") > 2
    assert not list((tmp_path / "run").glob(".before-*"))


def test_without_held_out_packages_ones_own_files_are_measured(command, tmp_path, capsys):
    assert command("--cases", "1", "--epochs", "0.1") == 0

    found = json.loads((tmp_path / "run" / "retention.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in found["texts"]] == [before_after.OWN]
    assert "are not measured on" in capsys.readouterr().err


def test_ctrl_c_while_files_are_read_leaves_nothing(tune, tmp_path, monkeypatch, capsys):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.own.near_duplicates", interrupted)

    assert tune() == 130
    assert "stopped" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_dry_run_reads_the_files_and_writes_nothing(tune, tmp_path, capsys):
    assert tune("--dry-run") == 0

    said = capsys.readouterr().out
    assert "9 files" in said
    assert "tokens in" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--lora", "0"], "rank must be 1"),
        (["--lora", "-3"], "rank must be 1"),
        (["--epochs", "0"], "--epochs"),
        (["--epochs", "nan"], "--epochs"),
        (["--epochs", "1", "--time-budget", "1m"], "not both"),
        (["--corpus", "c"], "--corpus"),
        (["--cases", "0"], "--no-evaluation"),
        (["--set", "model.hidden=8"], "that of --from"),
        (["--lora", "4", "--set", "run.sharding=full"], "sharding"),
        (["--language", "cobol"], "cobol"),
        (["--tokenizer", "nowhere"], "--tokenizer"),
        (["--recipe", "none"], "finetune"),
    ],
)
def test_what_cannot_be_meant_is_said(tune, more, said, tmp_path, capsys):
    assert tune(*more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_is_no_start_and_no_folder_is_said(tune, tmp_path, finished, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    other = tmp_path / "other"
    shutil.copytree(finished / "export", other)
    config = json.loads((other / "config.json").read_text(encoding="utf-8"))
    (other / "config.json").write_text(json.dumps({**config, "num_key_value_heads": 2}))

    for start, said in ((empty, "--from"), (tmp_path / "no", "--from"), (other, "2 key/value")):
        assert tune(start=start) == 2
        assert said in capsys.readouterr().err
    for on, said in ((tmp_path / "no", "there is no"), (empty, "can be used")):
        assert tune(on=(on,)) == 2
        assert said in capsys.readouterr().err
    assert tune(on=()) == 2
    assert "--language" in capsys.readouterr().err


def test_weights_that_are_no_numbers_are_no_start(tune, tmp_path, finished, capsys):
    from engine.checkpoint import write_checkpoint
    from engine.fim import FimLayout

    tensors = {name: each.clone() for name, each in weights(finished / "export").items()}
    tensors[names_of("norm.weight")[0]][0] = float("nan")
    config = json.loads((finished / "export" / "config.json").read_text(encoding="utf-8"))
    write_checkpoint(
        tmp_path / "bad", name="bad", config=config, tensors=tensors,
        tokenizer=finished / "export", layout=FimLayout(), corpus={}, training={},
    )  # fmt: skip

    assert tune(start=tmp_path / "bad") == 2
    assert "NaN" in capsys.readouterr().err
