"""What the matcher weighs is fitted: what tells copies apart weighs, what does not hardly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from indexer.attribution import rarity
from indexer.attribution.builder import build_index
from indexer.attribution.fingerprints import grams
from indexer.attribution.index import AttributionIndex
from indexer.attribution.lexing import lexer_of
from indexer.attribution.tokens import word_id
from tests.indexer.attribution.conftest import DOCUMENTS, FOREIGN, LEDGER, document, write_corpus
from trainer.evaluation.attribution import fitting
from trainer.evaluation.attribution.fitting import (
    Other,
    Recorder,
    Row,
    count_phrases,
    count_rarity,
    files_under,
    fitted,
)
from trainer.evaluation.attribution.splits import is_in

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def rows(values: list[tuple[float, float]]) -> list[Row]:
    return [Row({"telling": one, "noise": other}, 0, 1, 1.0) for one, other in values]


def test_what_tells_copies_apart_weighs_and_noise_does_not() -> None:
    random = np.random.default_rng(3)
    copies = rows([tuple(each) for each in random.normal((2.0, 0.0), 1.0, (400, 2))])
    others = rows([tuple(each) for each in random.normal((-2.0, 0.0), 1.0, (400, 2))])
    weights = fitted(copies, others, lines=0)["weights"]

    assert weights["telling"] > 1
    assert abs(weights["noise"]) < weights["telling"] / 5


def test_the_highest_scores_among_other_code_are_taken_for_copies() -> None:
    random = np.random.default_rng(4)
    copies = rows([tuple(each) for each in random.normal((2.0, 0.0), 0.5, (300, 2))])
    others = rows([tuple(each) for each in random.normal((-2.0, 0.0), 0.5, (300, 2))])
    mixed = others + rows([(2.0, 0.0)] * 60)
    strict = fitted(copies, mixed, lines=0)
    robust = fitted(copies, mixed, lines=1_000_000)

    assert robust["weights"]["telling"] > strict["weights"]["telling"]


def test_a_recorder_keeps_what_lies_on_a_copy(tmp_path: Path) -> None:
    write_corpus(tmp_path, DOCUMENTS)
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    recorder = Recorder()
    index = AttributionIndex.open(tmp_path / "index", judge=recorder)
    found, lines = fitting.of_others(index, recorder, [Other(FOREIGN + LEDGER, "python", ())])

    assert lines == (FOREIGN + LEDGER).count("\n") + 1
    assert found[0].first_line == FOREIGN.count("\n")
    assert set(found[0].values) == set(fitting.scale().weights)


def test_what_a_related_package_shares_is_not_fitted_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(tmp_path, DOCUMENTS)
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    recorder = Recorder()
    index = AttributionIndex.open(tmp_path / "index", judge=recorder)
    source = index.check_document(LEDGER, language="python")[0].source.package
    recorder.taken()
    (tmp_path / "kin.json").write_text(json.dumps({"offspring": [source]}), "utf-8")
    monkeypatch.setattr(fitting, "_KIN", tmp_path / "kin.json")
    texts = [Other(LEDGER, "python", ("offspring", "ledger.py")), Other(LEDGER, "python", ())]

    assert [len(fitting.of_others(index, recorder, [each])[0]) > 0 for each in texts] == [
        False,
        True,
    ]


def test_only_what_several_packages_write_is_a_phrase(tmp_path: Path) -> None:
    names = [f"package{n}" for n in range(99) if is_in(f"package{n}", "tuning")][:3]
    common = "for each in every:\n    total += each\n"
    documents = [document(common, f"{n}.py", name) for n, name in enumerate(names)]
    documents += [document("one(two, three, four, five)\n", f"{n}.py", "@a/b") for n in "xyz"]
    count_phrases(documents, tmp_path / "phrases.npz")
    with np.load(tmp_path / "phrases.npz") as table:
        assert table["packages"].max() == 3
        known = set(np.cumsum(table["steps"], dtype=np.uint32)[table["packages"] > 0].tolist())
    ids = [lexer_of("python").tokens(each).exact for each in (common, documents[-1].text)]

    assert {int(each) >> 32 for each in grams(ids[0], 6)} <= known
    assert not {int(each) >> 32 for each in grams(ids[1], 6)} & known


def test_common_words_are_told_from_rare_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = next(f"package{n}" for n in range(99) if is_in(f"package{n}", "tuning"))
    texts = [f"common = {n}\nname_{n} = common\n" for n in range(600)]
    monkeypatch.setattr(rarity, "RAREST", 8.0)
    documents = (document(text, f"{n}.py", package) for n, text in enumerate(texts))
    count_rarity(documents, tmp_path / "rarity.npz")
    with np.load(tmp_path / "rarity.npz") as table:
        heads = set(table["heads"].tolist())

    assert word_id("common") >> 32 in heads
    assert word_id("name_7") >> 32 not in heads


def test_only_code_that_a_package_wrote_itself_is_fitted_on(tmp_path: Path) -> None:
    for name in ("own.py", "_vendor/theirs.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("value = 1\n", "utf-8")

    found = list(files_under([tmp_path]))
    assert [(each.text, each.language) for each in found] == [("value = 1\n", "python")]
    assert found[0].names[-1] == "own.py"
