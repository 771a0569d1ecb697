"""A corpus of a few files, a vocabulary of 512 entries, and runs of seconds."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.fim import FimLayout
from indexer.document import Document
from indexer.shards import write_shards
from tests.support.documents import document
from trainer import vocabulary
from trainer.config import load_recipe
from trainer.pretrain import pretrain
from trainer.runs import Run


def source(number: int) -> str:
    lines = ["import math", "", ""]
    for each in range(number, number + 6):
        lines += [
            f"def area_{each}(radius, scale=1.0):",
            "    if radius < 0:",
            f'        raise ValueError("radius must not be negative: {each}")',
            "    return math.pi * radius ** 2 * scale",
            "",
            "",
        ]
    return "\n".join(lines)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    return [document(source(number), f"pack/shapes_{number}.py") for number in range(24)]


@pytest.fixture(scope="session")
def corpus(documents, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "corpus"
    write_shards(folder, documents, meta={"name": "test", "recipe_hash": "0", "selection": "full"})
    return folder


@pytest.fixture(scope="session")
def tokenizer(documents, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    vocabulary.write(vocabulary.learn([each.text for each in documents], 512), folder)
    return folder


@pytest.fixture(scope="session")
def words(tokenizer) -> vocabulary.Vocabulary:
    return vocabulary.load(tokenizer, FimLayout())


def toy(corpus, tokenizer, folder, *, steps=12, **changes) -> Run:
    tiny = load_recipe("tiny")
    recipe = replace(tiny, run=replace(tiny.run, steps=steps, **changes))
    return Run(recipe=recipe, corpus=corpus, tokenizer=tokenizer, folder=folder, budget_s=0)


@pytest.fixture(scope="session")
def finished(corpus, tokenizer, tmp_path_factory) -> Path:
    """The folder of a run of forty steps that came to its end."""
    folder = tmp_path_factory.mktemp("finished")
    pretrain(toy(corpus, tokenizer, folder, steps=40))
    return folder


@pytest.fixture
def make_run(corpus, tokenizer):
    def make(folder, **changes) -> Run:
        return toy(corpus, tokenizer, folder, **changes)

    return make


@pytest.fixture(scope="session")
def sample(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "sample.py"
    path.write_text("def area(radius):\n    return 3.14 * radius ** 2\n" * 20)
    return path


@pytest.fixture(scope="session")
def released(finished, corpus, sample, tmp_path_factory) -> Path:
    """A release of a trained toy with all that there can be in it."""
    from trainer.commands.release import main

    folder = tmp_path_factory.mktemp("released")
    evaluation = folder / "loss.json"
    rows = [{"language": "python", "files": 3, "bits_per_byte": 2.5}]
    evaluation.write_text(json.dumps({"protocol": "three files | whole", "languages": rows}))
    arguments = ["--corpus", corpus, "--sample", sample, "--evaluation", evaluation]
    wanted = ["--gguf", "q8_0,F16", "--int8", "--contact", "opt-out@example.org"]
    wanted += ["--license", "apache-2.0"]
    out = folder / "out"
    words = [finished / "export", "--out", out, *arguments, *wanted]
    assert main([str(each) for each in words]) == 0
    return out
