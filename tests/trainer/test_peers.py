"""The peers find what their papers say they find."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.indexer.attribution.conftest import CLUSTER, DOCUMENTS, QUEUE, document
from tests.trainer.test_attribution import home as home  # a fixture
from trainer.commands import eval_attribution
from trainer.evaluation.attribution import page
from trainer.evaluation.attribution.peers import membership, ranking, suffix_array
from trainer.evaluation.attribution.peers.grams import rolling, winnowed, word_hashes
from trainer.evaluation.attribution.peers.scanning import SEPARATOR, Questions, numbers, scan

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "".join(random.Random(1).choices("abcdefghij klmnopqrstuvwxyz", k=3000))

NO_WORDS = np.zeros(0, np.uint64)


def places(hashes: np.ndarray) -> dict[int, list[int]]:
    return {int(each): [0] for each in hashes}


def test_equal_runs_have_equal_hashes_wherever_they_are() -> None:
    values = word_hashes(["a", "b", "c", "a", "b", "d", "a", "b", "c"])
    found = rolling(values, 3)

    assert found[0] == found[6]
    assert len(set(found.tolist())) == len(found) - 1


@pytest.mark.parametrize("length", [3, 8, 9, 50])
def test_winnowing_takes_the_smallest_of_every_window(length: int) -> None:
    hashes = np.random.default_rng(length).integers(0, 1 << 60, length).astype(np.uint64)
    wanted = {int(min(hashes[n : n + 8])) for n in range(max(1, length - 7))}

    assert set(winnowed(hashes, 8).tolist()) == wanted


def test_data_portraits_hit_every_99_characters_and_no_49() -> None:
    known = places(membership.portrait_indexed(TEXT, NO_WORDS))

    for start in range(0, 2800, 97):
        asked = membership.portrait_asked(" ".join(TEXT.split())[start : start + 99])
        assert membership.portrait_judged(asked, known).score > 0
    assert len(membership.portrait_asked(TEXT[:49].replace(" ", "-"))) == 0


def test_data_portraits_score_a_whole_copy_with_nearly_one() -> None:
    known = places(membership.portrait_indexed(TEXT, NO_WORDS))
    copied = membership.portrait_judged(membership.portrait_asked(TEXT[200:1700]), known)
    foreign = membership.portrait_judged(membership.portrait_asked(TEXT[::-1]), known)

    assert copied.score > 0.9
    assert foreign.score == 0


def test_winnowing_finds_every_common_run_of_93_letters() -> None:
    plain = TEXT.replace(" ", "")
    known = places(membership.scanoss(TEXT))

    for start in range(0, 2500, 101):
        run = plain[start : start + membership.SCANOSS_GRAM + membership.SCANOSS_WINDOW - 1]
        found = membership.best_document(membership.scanoss(f"{{ {run} }}"), known)
        assert found.score > 0
        assert found.documents == (0,)


def test_65_lexemes_are_found_whatever_the_space_between_them() -> None:
    words = [f"w{n}" for n in range(100)]
    known = places(membership.copilot(" ".join(words)))
    one_less = "\n".join(words[10:74])

    assert membership.best_document(membership.copilot("\n\t".join(words[10:75])), known).score == 1
    assert len(membership.copilot(one_less)) == 0


def test_words_rank_the_file_they_are_from_first() -> None:
    texts = [CLUSTER, QUEUE]
    questions = Questions.of(texts)
    known = scan(DOCUMENTS, questions, jobs=1)
    ranker = ranking.Ranker(known.postings, questions.vocabulary)

    for text in texts:
        best = ranker.best(text)
        named = known.names[ranking.ranked(best, known.postings).documents[0]]
        origin = next(each for each in DOCUMENTS if each.text == text)
        assert named == (origin.package, origin.path)
        assert best[0][1] == pytest.approx(1.0, abs=0.05)


def test_bags_overlap_by_the_larger_one() -> None:
    assert ranking.bag_overlap(Counter("aab"), Counter("abcc")) == 0.5
    rows = ["x = 1", "", "alpha = beta", "gamma(delta)", "y = 2"]
    asked = ranking.bag("alpha = beta\ngamma(delta)")

    assert ranking.best_window(asked, rows, 2) == 1.0
    assert ranking.best_window(asked, rows[:2], 2) == 0.0


def test_the_stream_names_where_documents_begin(tmp_path: Path) -> None:
    first, second = numbers(["a", "b"]).tobytes(), numbers(["c"]).tobytes()
    with suffix_array.StreamWriter(tmp_path) as writer:
        writer.add(SEPARATOR + first)
        writer.add(SEPARATOR + second)

    stream = (tmp_path / "tokenized.0").read_bytes()
    assert stream == SEPARATOR + first + SEPARATOR + second
    assert np.fromfile(tmp_path / "offset.0", np.uint64).tolist() == [0, 6]


class Engine:
    """Answers as infini-gram does."""

    def __init__(self, *spans: dict[str, object]) -> None:
        self.spans = list(spans)

    def find(self, ids: list[int]) -> dict[str, int]:
        return {"cnt": len(ids)}

    creativity = find

    def attribute(self, ids: list[int], **options: object) -> dict[str, object]:
        return {"spans": self.spans}

    def get_doc_by_ptr(self, s: int, ptr: int, max_disp_len: int) -> dict[str, int]:
        return {"doc_ix": ptr // 100}


def test_the_longest_exact_run_is_the_score_and_names_its_documents() -> None:
    short = {"length": 2, "docs": [{"s": 0, "ptr": 900}]}
    long = {"length": 3, "docs": [{"s": 0, "ptr": 205}, {"s": 0, "ptr": 250}, {"s": 0, "ptr": 401}]}

    found = suffix_array.judged(Engine(short, long), "a b c d e f")
    assert (found.score, found.documents) == (0.5, (2, 4))
    assert suffix_array.judged(Engine(), "a b").score == 0
    assert suffix_array.judged(Engine(long), "").score == 0


def test_two_processes_see_what_one_does() -> None:
    files = [*DOCUMENTS, document(TEXT, "noise.py", "noise")]
    questions = Questions.of([CLUSTER, TEXT])
    streams: list[list[bytes]] = [[], []]
    one, two = (
        scan(files, questions, jobs=jobs, stream=streams[jobs - 1].append) for jobs in (1, 2)
    )

    assert (one.places, one.hashed, one.names) == (two.places, two.hashed, two.names)
    assert one.postings.chunk.tolist() == two.postings.chunk.tolist()
    assert b"".join(streams[0]) == b"".join(streams[1])


def test_all_methods_stand_in_one_table(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(suffix_array, "is_installed", lambda: False)
    output = home / "peers.json"
    arguments = ["--peers", "--count", "2", "--split", "all", "--kinds", "verbatim"]
    arguments += ["--lengths", "20", "--windows", "4", "--jobs", "1", "--json", str(output)]

    assert eval_attribution.main(arguments) == 0
    result = json.loads(output.read_text())
    rows = result["peers"]
    found = {(row["method"], row["at"]): row for row in rows}
    assert {"Footnote", "Data Portraits", "BM25 alone", "SourcererCC-like bags"} <= {
        name for name, _ in found
    }
    assert found["SourcererCC-like bags", "published"]["found"] == 1.0
    assert found["SourcererCC-like bags", "published"]["source_1"] == 1.0
    assert found["Copilot-style exact runs", "published"]["found"] > 0
    for (_, at), row in found.items():
        assert (
            at != "equal" or row["false_alerts"] <= found["Footnote", "published"]["false_alerts"]
        )
    text = page.section("attribution-peers", result)
    assert "| SourcererCC-like bags | published |" in text
    assert "| Data Portraits | 50 characters at stride 50, longest chain |" in text
    assert "Data Portraits" in capsys.readouterr().out


def test_the_corpus_is_written_as_words_before_it_is_sorted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suffix_array, "build", lambda folder, jobs: None)

    assert suffix_array.index_corpus(iter(DOCUMENTS), tmp_path, jobs=1) > 0
    assert len(np.fromfile(tmp_path / "offset.0", np.uint64)) == len(DOCUMENTS)
    assert suffix_array.size(tmp_path) > 0
