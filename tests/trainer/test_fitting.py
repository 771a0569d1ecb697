"""What the matcher weighs is fitted: what tells copies apart weighs, what does not hardly."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from indexer.attribution import rarity
from indexer.attribution.builder import build_index
from indexer.attribution.index import AttributionIndex
from indexer.attribution.lexing import lexer_of
from indexer.attribution.phrases import FEWEST, shipped
from indexer.attribution.scoring import scale
from indexer.attribution.tokens import Tokens, word_id
from tests.indexer.attribution.conftest import DOCUMENTS, FOREIGN, LEDGER, document, write_corpus
from trainer.evaluation.attribution import counting, fitting
from trainer.evaluation.attribution.adjudication import Read, line_hashes
from trainer.evaluation.attribution.counting import count_rarity, phrases_of
from trainer.evaluation.attribution.fitting import Recorder, Row, fitted, threshold
from trainer.evaluation.attribution.others import Other, packages_under
from trainer.evaluation.attribution.splits import is_in

if TYPE_CHECKING:
    from pathlib import Path


def rows(values: list[tuple[float, float]], *, are_copies: bool = False) -> list[Row]:
    return [
        Row({"telling": one, "noise": other}, 0, 1, 1.0, True, number, are_copies)
        for number, (one, other) in enumerate(values)
    ]


def some(seed: int, where: float, count: int) -> list[tuple[float, float]]:
    random = np.random.default_rng(seed)
    return [tuple(each) for each in random.normal((where, 0.0), 1.0, (count, 2))]


def test_what_tells_copies_apart_weighs_and_noise_does_not() -> None:
    weights = fitted(rows(some(3, 2.0, 400)), rows(some(4, -2.0, 400)))

    assert weights.names == ("noise", "telling")
    assert weights.alone[1] > 1
    assert abs(weights.alone[0]) < weights.alone[1] / 5


def test_what_was_read_to_be_a_copy_does_not_count_against_copies() -> None:
    copies, others = rows(some(3, 2.0, 300)), rows(some(4, -2.0, 300))
    unread = others + rows([(2.0, 0.0)] * 60)
    read = others + rows([(2.0, 0.0)] * 60, are_copies=True)

    assert fitted(copies, read).as_json() == fitted(copies, others).as_json()
    assert fitted(copies, unread).alone[1] < fitted(copies, read).alone[1]


def test_warnings_begin_where_enough_of_what_is_above_was_read_to_be_copies() -> None:
    def row(value: float, passage: int, *, is_copy: bool, tells: bool = True) -> Row:
        return Row({"telling": value}, 0, 1, 1.0, tells, passage, is_copy)

    def first(rows: list[Row], precision: float) -> float:
        return threshold(rows, np.array([each.values["telling"] for each in rows]), precision)

    copies = [row(9 - n, n, is_copy=True) for n in range(6)]
    others = [row(6.5, 10, is_copy=False), row(6.4, 10, is_copy=False), row(4.5, 11, is_copy=False)]
    silent = [row(99.0, 12, is_copy=False, tells=False)]

    assert first(copies + others + silent, 1.0) == 7
    assert first(copies + others + silent, 0.75) == 4
    assert first(others, 0.75) == float("inf")


@pytest.fixture
def index(tmp_path: Path) -> tuple[AttributionIndex, Recorder]:
    write_corpus(tmp_path, DOCUMENTS)
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    recorder = Recorder(shipped())
    return AttributionIndex.open(tmp_path / "index", judge=recorder), recorder


def test_a_recorder_keeps_what_lies_on_a_copy(index: tuple[AttributionIndex, Recorder]) -> None:
    text = FOREIGN + LEDGER
    found, lines = fitting.of_others(*index, [Other("own", "a.py", text, "python")], [])

    assert lines == text.count("\n") + 1
    assert found[0].first_line == FOREIGN.count("\n")
    assert set(found[0].values) == set(scale().names)
    assert not found[0].is_copy


def test_what_was_read_or_is_of_a_related_package_is_a_copy(
    tmp_path: Path, index: tuple[AttributionIndex, Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = index[0].check_document(LEDGER, language="python")[0].source.package
    index[1].taken()
    (tmp_path / "kin.json").write_text(json.dumps({"offspring": [source]}), "utf-8")
    monkeypatch.setattr(fitting, "_KIN", tmp_path / "kin.json")
    read = [Read("reader/a.py", line_hashes(LEDGER), source, "copy", "the same")]

    def copies(package: str) -> set[bool]:
        texts = [Other(package, "b.py", LEDGER, "python")]
        return {row.is_copy for row in fitting.of_others(*index, texts, read)[0]}

    assert [copies(each) for each in ("offspring", "reader", "stranger")] == [
        {True},
        {True},
        {False},
    ]


def code(text: str, package: str) -> tuple[str, Tokens]:
    return package, lexer_of("python").tokens(text)


def test_only_what_several_packages_write_is_a_phrase() -> None:
    common, own = "for each in every:\n    total += each\n", "one(two, three, four, five)\n"
    counted = [code(common.replace("every", f"every{n}"), f"{n}") for n in range(FEWEST)]
    counted += [code(own, "one") for _ in range(9)]
    phrases = phrases_of(counted).phrases()
    tokens, others = (lexer_of("python").tokens(each).exact for each in (common, own))

    assert phrases.longest(tokens).tolist() == [1, 2, 3, 1, 1, 2, 3, 4, 5]
    assert phrases.longest(others).max() == 1


def test_a_package_is_weighed_by_what_others_write() -> None:
    names = [f"package{n}" for n in range(99)]
    first = [each for each in names if counting.half_of(each) == 0][:FEWEST]
    texts = [Other(each, "a.py", "one(two, three)\n", "python") for each in first]
    counter = phrases_of(counting.of_others(texts))
    ids = lexer_of("python").tokens("one(two, three)\n").exact
    without = [counter.phrases(partial(counting.is_not_of_half, half)) for half in (0, 1)]

    assert [each.longest(ids).max() for each in without] == [1, len(ids)]


def test_what_is_asked_about_nowhere_counts_for_both_halves() -> None:
    texts = [Other(f"package{n}", "a.py", "one(two, three)\n", "python") for n in range(FEWEST)]
    counter = phrases_of(counting.of_more(texts))
    ids = lexer_of("python").tokens("one(two, three)\n").exact
    without = [counter.phrases(partial(counting.is_not_of_half, half)) for half in (0, 1)]

    assert [each.longest(ids).max() for each in without] == [len(ids), len(ids)]


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


def test_only_code_that_a_package_wrote_itself_is_taken(tmp_path: Path) -> None:
    name = next(f"package{n}" for n in range(99) if is_in(f"package{n}", "tuning"))
    other = next(f"package{n}" for n in range(99) if is_in(f"package{n}", "test"))
    emitted = "var __extends = 1;\n"
    for path, text in (
        (f"{name}/own.py", "value = 1\n"),
        (f"{name}/_vendor/theirs.py", "value = 1\n"),
        (f"{name}/notes.txt", "value\n"),
        (f"{name}/emitted.js", emitted),
        (f"{name}/long.py", f"value = {'1' * 2000}\n"),
        (f"{other}/own.py", "value = 1\n"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")

    assert list(packages_under([tmp_path], "tuning")) == [
        Other(name, "own.py", "value = 1\n", "python")
    ]
