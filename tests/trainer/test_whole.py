"""From a corpus to a published model by the commands alone, as a person would: the tiny recipe."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from indexer.shards import write_shards
from tests.support import llama_cpp
from tests.support.documents import document
from tests.trainer.conftest import source
from trainer.commands import eval as evaluate
from trainer.commands import release
from trainer.commands.train import main as train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def held_out(tmp_path_factory) -> Path:
    """Two files of a package that the corpus does not have."""
    folder = tmp_path_factory.mktemp("whole") / "held-out"
    files = [document(source(n), f"other/shapes_{n}.py") for n in (91, 97)]
    write_shards(folder, files, meta={"name": "others", "recipe_hash": "0", "selection": "full"})
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def trained(corpus, work) -> Path:
    """The tiny recipe, killed after its first checkpoint and gone on with."""
    words, run = work / "tokenizer", work / "tiny"
    assert train(["tokenizer", "--corpus", str(corpus), "--out", str(words), "--size", "512"]) == 0
    arguments = ["pretrain", "--recipe", "tiny", "--corpus", str(corpus), "--tokenizer", str(words)]
    arguments += ["--run", str(run), "--set", "run.checkpoint_every_s=0.5"]
    with subprocess.Popen(
        [sys.executable, "-m", "trainer.commands.train", *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stderr is not None
        while not first.stderr.readline().startswith("step"):
            assert first.poll() is None
        while not list(run.glob("checkpoint-*")):
            assert first.poll() is None
        first.send_signal(signal.SIGKILL)
    assert not (run / "export").exists()
    assert train(arguments) == 0
    return run


def losses(run: Path) -> list[float]:
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_it_trains_and_goes_on_after_a_kill(trained):
    curve = losses(trained)

    assert len(curve) == 30
    assert curve[-1] < 0.7 * curve[0]
    assert (trained / "loss.png").is_file()
    assert list((trained / "tensorboard").glob("events*"))


def test_it_learns_ones_own_files_with_adapters_and_without(trained, work, held_out):
    own = work / "own"
    own.mkdir()
    for number in range(40, 60):
        (own / f"shapes_{number}.py").write_text(source(number).replace("radius", "extent"))
    common = ["finetune", "--from", str(trained), "--on", str(own), "--held-out", str(held_out)]
    common += ["--tokenizer", str(work / "tokenizer"), "--cases", "2", "--epochs", "2"]

    for name, more in (("full", []), ("lora", ["--lora", "4"])):
        assert train([*common, "--run", str(work / name), *more]) == 0
        assert losses(work / name)[-1] < losses(work / name)[0]
        assert (work / name / "export" / "model.safetensors").is_file()
        assert (work / name / "retention.md").is_file()


def test_it_is_measured_on_what_it_has_not_seen(trained, work, held_out):
    model = str(trained / "export")
    common = ["--model", model, "--held-out", str(held_out)]

    assert evaluate.main(["loss", *common, "--json", str(work / "loss.json")]) == 0
    assert evaluate.main(
        ["infill", *common, "--cases", "3", "--by", "spm,psm", "--json", str(work / "infill.json")]
    ) == 0  # fmt: skip
    for name in ("loss", "infill"):
        assert json.loads((work / f"{name}.json").read_text(encoding="utf-8"))["protocol"]


def test_it_is_released_and_says_the_same_everywhere(trained, work, corpus):
    from transformers import AutoModelForCausalLM

    out = work / "released"
    arguments = [str(trained / "export"), "--out", str(out), "--license", "apache-2.0"]
    assert release.main([*arguments, "--gguf", "f32", "--int8", "--corpus", str(corpus)]) == 0
    assert release.main(["--verify", str(out)]) == 0

    loading = AutoModelForCausalLM
    ours = loading.from_pretrained(trained / "export", dtype=torch.float32)
    theirs = loading.from_pretrained(out, dtype=torch.float32)
    tokens = torch.arange(16, 40)[None]
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens).logits, theirs(tokens).logits, atol=1e-4, rtol=0)
    assert "Apache" in (out / "LICENSE").read_text(encoding="utf-8")
    if importlib.util.find_spec("xllamacpp"):  # llama.cpp as a wheel, which Linux has
        (gguf,) = out.rglob("*.gguf")
        expected = ours.generate(
            tokens, max_new_tokens=24, do_sample=False, eos_token_id=0, pad_token_id=0
        )[0, tokens.shape[1] :].tolist()
        llama = llama_cpp.LlamaCpp(gguf)
        try:
            found = [token for token, _ in llama.greedy(tokens[0].tolist(), 24)]
        finally:
            llama.close()
        assert found == expected[: len(found)]
        assert len(found) >= len(expected) - 1  # llama.cpp keeps the end token to itself
