"""`footnote doctor` and `footnote setup`: what they find, and what they leave alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.api import ModelInfo, ModelUnavailable
from engine.backends import Wish
from engine.checkpoint import read_checkpoint
from engine.choice import FILE, remember
from engine.timing import Timing
from indexer.shards import open_shards
from lsp_server.commands import doctor, setup
from lsp_server.session import belonging
from tests.support import tiny_corpus
from tests.support.tiny import write_tiny

MODEL = ModelInfo("small", "cpu", "int8", 10_000_000, corpus_hash="c1", recipe_hash="r1")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "models" / "tiny")


@pytest.fixture
def built(home: Path) -> Path:
    tiny_corpus.build(home)
    return home


def examined(
    monkeypatch: pytest.MonkeyPatch, model: str | None = "scripted:echo"
) -> dict[str, Any]:
    return {check.name: check for check in doctor.examine(model)}


def test_an_empty_home_is_reported_with_the_remedy(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = examined(monkeypatch)

    assert found["index"].state == "error"
    assert "footnote setup" in found["index"].remedy
    assert found["corpus"].state == "note"  # serving needs the index alone
    assert found["model"].state == "ok"
    assert found["packages"].state == "ok"


def test_what_is_there_is_described(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = examined(monkeypatch)
    manifest = open_shards(built / "corpus")

    assert found["corpus"].state == found["index"].state == "ok"
    assert manifest.corpus_hash[:12] in found["corpus"].found
    assert manifest.corpus_hash[:12] in found["index"].found
    assert found["together"].state == "note"  # a scripted model was trained on nothing


def test_damage_is_named(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shard,) = (built / "corpus").glob("shard-*.parquet")
    shard.write_bytes(b"damaged")
    (built / "index" / "index.json").write_text("{}")
    found = examined(monkeypatch, model=str(built / "no-model"))

    assert "damaged" in found["corpus"].found
    assert found["index"].state == "error"
    assert found["model"].state == "error"
    assert "footnote train pretrain" in found["model"].remedy


@pytest.mark.parametrize(
    ("index", "selection", "answer"),
    [
        (("c1", "r1"), "full", "yes"),
        (("c1", "r9"), "full", "yes"),
        (("c2", "r1"), "small", "subset"),
        (("c2", "r1"), "full", "no"),
        (("c2", "r2"), "small", "no"),
    ],
)
def test_model_and_index_belong_together_by_their_hashes(
    index: tuple[str, str], selection: str, answer: str
) -> None:
    assert belonging(("c1", "r1"), index, selection) == answer
    assert belonging(("c1", ""), ("c2", ""), "small") == "no"


@pytest.mark.parametrize(
    ("index", "selection", "answer"),
    [
        (("c1", "r1"), "full", "subset"),
        (("c2", "r1"), "small", "subset"),
        (("c2", "r1"), "full", "no"),
        (("own", ""), "full", "yes"),
    ],
)
def test_an_index_of_what_came_before_fine_tuning_covers_a_part(
    index: tuple[str, str], selection: str, answer: str
) -> None:
    assert belonging(("own", ""), index, selection, parts="c1 r1 other") == answer


def test_a_fine_tuned_model_is_not_said_to_be_covered() -> None:
    index: Any = SimpleNamespace(corpus_hash="c1", recipe_hash="r1", selection="full")
    tuned = replace(MODEL, corpus_hash="own", recipe_hash="", corpus_parts="c1 r1")
    check = doctor._together(tuned, index)

    assert (check.state, check.remedy) == ("ok", "")
    assert "not what it was fine-tuned on" in check.found


@pytest.mark.parametrize(
    ("about", "state", "words"),
    [
        (("c1", "r1", "full"), "ok", "covers what the model was trained on"),
        (("c2", "r1", "small"), "ok", "covers a subset of what the model was trained on"),
        (("c2", "r2", "full"), "warning", "citations are incomplete"),
    ],
)
def test_the_verdict_is_worded(about: tuple[str, str, str], state: str, words: str) -> None:
    corpus_hash, recipe_hash, selection = about
    index: Any = SimpleNamespace(
        corpus_hash=corpus_hash, recipe_hash=recipe_hash, selection=selection
    )
    check = doctor._together(MODEL, index)
    assert check.state == state
    assert words in check.found
    silent = doctor._together(replace(MODEL, corpus_hash=""), index)
    assert silent.state == "note"


def test_the_report_is_json_and_its_code_tells(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.main(["--json", "--model", "scripted:echo"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert report["versions"]["footnote"]
    assert {"name", "state", "found", "remedy"} == set(report["checks"][0])

    (built / "index" / "index.json").unlink()
    assert doctor.main(["--model", "scripted:echo"]) == 1
    said = capsys.readouterr().out
    assert "-> footnote setup" in said
    assert "1 to look at" in said


def test_a_check_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> doctor.Check:
        raise ZeroDivisionError("quotient")

    check = doctor._guarded("index", broken)
    assert (check.state, check.found) == ("error", "ZeroDivisionError: quotient")


def test_setup_takes_each_step_once_and_stops_at_the_first_that_fails(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from indexer.commands import corpus, index
    from indexer.curation import sources

    ran: list[list[str]] = []
    fails = [True]

    def build_corpus(argv: list[str]) -> int:
        ran.append(["corpus", *argv])
        if not fails[0]:
            tiny_corpus.build_shards(home)
        return int(fails[0])

    def build_index(argv: list[str]) -> int:
        ran.append(["index", *argv])
        tiny_corpus.build(home)
        return 0

    monkeypatch.setattr(corpus, "main", build_corpus)
    monkeypatch.setattr(index, "main", build_index)
    monkeypatch.setattr(
        sources, "read_recipe", lambda _path: SimpleNamespace(hash=lambda _parameters: "recipe")
    )
    monkeypatch.setattr(setup, "_model", lambda: 0)

    assert setup.main(["--small", "--jobs", "3"]) == 1
    assert "run the same command again" in capsys.readouterr().err
    fails[0] = False
    assert setup.main([]) == 0
    assert setup.main([]) == 0
    assert capsys.readouterr().out.count("there already") == 2
    assert setup.main(["--small"]) == 0  # a full corpus serves for the small one

    assert ran == [
        ["corpus", "build", "--small", "--jobs", "3"],
        ["corpus", "build"],
        ["index", "build"],
    ]


def test_setup_says_what_to_do_without_a_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from engine import checkpoint

    def missing(_folder: Path) -> None:
        raise ModelUnavailable("no model here: train one")

    monkeypatch.setattr(checkpoint, "read_checkpoint", missing)
    assert setup._model() == 1
    assert "footnote setup: no model here: train one" in capsys.readouterr().err


def test_the_choice_of_a_backend_is_explained(
    home: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = replace(MODEL, folder=str(tiny_folder), backend="torch")
    checkpoint = read_checkpoint(tiny_folder)
    asked, usual = doctor._backend(about, "torch"), doctor._backend(about, "auto")
    timings = [
        Timing("native", "cpu", step_ms=9.0),
        Timing("openvino", "cpu", problem="no such instruction"),
        Timing("torch", "cpu", step_ms=1.0),
    ]
    remember(home / FILE, checkpoint, Wish(), timings)
    timed = doctor._backend(about, "auto")

    assert asked.found == "torch, as asked"
    assert "the others were not timed here" in usual.found
    assert "bench backends --remember" in usual.remedy
    assert "native 72.0 ms, openvino (no such instruction), torch 8.0 ms; kept in" in timed.found


def test_a_backend_that_is_asked_for_and_not_there_is_an_error(
    home: Path, tiny_folder: Path
) -> None:
    found = {each.name: each for each in doctor.examine(str(tiny_folder), "onnx")}

    assert found["model"].state == "error"
    assert "backend" not in found
