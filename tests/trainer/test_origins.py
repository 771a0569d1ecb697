"""What a fine-tuned model says it came from, and which words and weights it accepts."""

import json
import shutil

import pytest

from indexer.shards import Manifest, open_shards
from trainer.origins import check_tokenizer, corpus_record, origin_of, resolve, tokenizer_beside


def manifest(name, digest, recipe=""):
    return Manifest(1, name, digest, recipe, "full", (), 1, 1, {}, {})


def test_of_a_run_the_checkpoint_before_the_decay_is_meant(finished):
    assert resolve(finished) == (finished / "stable").resolve()
    assert resolve(finished / "export") == (finished / "export").resolve()
    assert resolve(finished / "checkpoint-00000040").name == "checkpoint-00000040"


def test_without_one_the_newest_is_meant(finished, tmp_path):
    shutil.copytree(finished / "checkpoint-00000040", tmp_path / "checkpoint-00000040")

    assert resolve(tmp_path).name == "checkpoint-00000040"


def test_what_is_no_model_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="--from"):
            resolve(path)


def test_adapters_alone_are_no_start(finished, tmp_path):
    shutil.copytree(finished / "stable", tmp_path / "stable")
    state = tmp_path / "stable" / "state.json"
    values = json.loads(state.read_text(encoding="utf-8"))
    values["identity"]["rank"] = "4"
    state.write_text(json.dumps(values), encoding="utf-8")

    with pytest.raises(ValueError, match="export"):
        resolve(tmp_path)


def test_checkpoint_and_export_know_their_corpus_and_tokenizer(finished, corpus, tokenizer):
    ours = open_shards(corpus).corpus_hash
    checkpoint, export = (origin_of(finished / name) for name in ("stable", "export"))

    assert checkpoint.corpus["hash"] == export.corpus["hash"] == ours
    assert checkpoint.tokenizer == export.tokenizer
    assert len({checkpoint.hash, export.hash, ours}) == 3
    assert tokenizer_beside(checkpoint, []) == finished / "export"
    assert tokenizer_beside(origin_of(finished / "export"), []) == finished / "export"


def test_another_tokenizer_is_refused(finished, tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    origin = origin_of(finished / "stable")

    with pytest.raises(FileNotFoundError, match="tokenizer_config"):
        check_tokenizer(origin, tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="not the one"):
        check_tokenizer(origin, tmp_path)
    with pytest.raises(FileNotFoundError, match="--tokenizer"):
        check_tokenizer(origin, tmp_path / "nowhere")


def test_the_same_corpus_again_stays_that_corpus(finished):
    origin = origin_of(finished / "export")
    same = corpus_record(manifest("test", origin.corpus["hash"], "0"), origin)

    assert same == {"name": "test", "hash": origin.corpus["hash"], "recipe_hash": "0"}


def test_several_corpora_have_a_hash_of_their_own_and_name_each(finished, tmp_path):
    origin = origin_of(finished / "export")
    first = origin.corpus["hash"]
    own = corpus_record(manifest("mine", "own"), origin)

    assert own["name"] == "test + mine"
    assert own["parts"] == f"{first} own"
    assert own["part_recipes"] == "0"
    assert own["recipe_hash"] == ""
    assert own["hash"] not in {first, "own"}

    about = tmp_path / "footnote.json"
    weights = {"model.safetensors": "w"}
    about.write_text(json.dumps({"corpus": own, "weights": weights}), encoding="utf-8")
    again = origin_of(tmp_path)
    assert corpus_record(manifest("mine", "own"), again) == own
    assert corpus_record(manifest("more", "m", "r"), again)["parts"] == f"{first} own m"


def test_a_start_that_says_nothing_of_its_corpus_is_not_covered_by_ours(tmp_path):
    (tmp_path / "footnote.json").write_text('{"weights": {"a": "b"}}', encoding="utf-8")
    record = corpus_record(manifest("ours", "c"), origin_of(tmp_path))

    assert record["parts"] == "unknown c"
    assert record["hash"] != "c"
