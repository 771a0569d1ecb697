"""The evaluation of attribution: its counts can be trusted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from indexer.attribution.builder import build_index
from indexer.shards import write_shards
from tests.indexer.attribution.conftest import (
    CLUSTER,
    DOCUMENTS,
    FOREIGN,
    document,
    write_corpus,
)
from trainer.commands import eval_attribution
from trainer.evaluation.attribution import adjudication, negatives, page, scores
from trainer.evaluation.attribution.checking import iou, small_parts
from trainer.evaluation.attribution.passages import lexemes

if TYPE_CHECKING:
    from pathlib import Path


def test_an_interval_is_wider_when_copies_share_their_packages() -> None:
    hits = [True, False] * 40
    alone = scores.interval(hits, [f"package {n}" for n in range(80)])
    together = scores.interval(hits, [f"package {n % 2}" for n in range(80)])

    assert alone[0] < 0.5 < alone[1]
    assert together[1] - together[0] > alone[1] - alone[0]
    assert scores.interval([True] * 5, list("abcde")) == [1.0, 1.0]


def test_overlap_counts_lines_of_both() -> None:
    assert iou((1, 10), (1, 10)) == 1.0
    assert iou((1, 10), (6, 15)) == pytest.approx(5 / 15)
    assert iou((1, 2), (5, 9)) == 0.0


def test_small_accepts_are_the_copy_in_parts_below_the_limit() -> None:
    from random import Random

    parts = small_parts(CLUSTER, Random(2))

    assert "".join(parts) == CLUSTER
    assert len(parts) > 2
    assert max(len(lexemes(each)) for each in parts) < 65


PASSAGE = "alpha = beta(1)\nfor each in gamma:\n    each.delta()\nreturn alpha\n"


@pytest.fixture
def known(tmp_path: Path) -> list[adjudication.Read]:
    record = tmp_path / "verdicts.json"
    lines = " ".join(adjudication.line_hashes(PASSAGE))
    entry = {
        "at": "barn/a.py",
        "source": "zoo",
        "lines": lines,
        "verdict": "copy",
        "reason": "same",
    }
    record.write_text(json.dumps([entry]))
    return adjudication.read(record)


def test_a_verdict_is_found_again_when_a_match_begins_or_ends_elsewhere(
    known: list[adjudication.Read],
) -> None:
    longer = "before = 0\n" + PASSAGE.replace("    ", "\t\t")

    assert adjudication.verdict_on(longer, "yard", "zoo", known) == "copy"
    assert adjudication.verdict_on(PASSAGE[16:], "yard", "zoo", known) == "copy"


def test_a_passage_that_was_read_is_known_beside_other_sources_too(
    known: list[adjudication.Read],
) -> None:
    beside = adjudication.Read(
        "shed/b.py", adjudication.line_hashes(PASSAGE), "farm", "idiom", "of the language"
    )

    assert adjudication.verdict_on(PASSAGE, "barn", "farm", known) == "copy"
    assert adjudication.verdict_on(PASSAGE, "barn", "farm", [*known, beside]) == "idiom"


def test_a_verdict_holds_for_its_text_and_its_package_only(known: list[adjudication.Read]) -> None:
    assert adjudication.verdict_on(PASSAGE, "yard", "farm", known) == adjudication.UNREAD
    assert (
        adjudication.verdict_on("other = 1\nthing = 2\n", "yard", "zoo", known)
        == adjudication.UNREAD
    )
    assert adjudication.verdict_on("", "yard", "zoo", known) == adjudication.UNREAD


def test_verdicts_on_record_have_reasons() -> None:
    assert {each.verdict for each in adjudication.read()} <= set(adjudication.VERDICTS)


def test_a_verdict_without_a_reason_is_refused(tmp_path: Path) -> None:
    record = tmp_path / "verdicts.json"
    record.write_text(json.dumps([{"at": "a", "verdict": "copy", "reason": ""}]))

    with pytest.raises(ValueError, match="reason"):
        adjudication.read(record)


def test_unread_warnings_count_as_wrong() -> None:
    said = adjudication.precision(["copy", "copy", "idiom", "unread"])

    assert said["adjudicated"] == 0.5
    assert said["unread"] == 1


def test_boilerplate_has_every_kind_in_both_languages() -> None:
    found = negatives.boilerplate()

    assert {each.group for each in found} == {"boilerplate", "licence headers", "literal tables"}
    assert {"python", "javascript", "typescript"} <= {each.language for each in found}
    assert all(each.text.count("\n") > 3 for each in found)


def test_windows_are_cut_out_of_their_files() -> None:
    from random import Random

    files = [document(FOREIGN * 3, f"own_{n}.py", f"mine {n}") for n in range(2)]
    found = negatives.windows(files, 4, Random(1))

    assert {each.package for each in found} == {"mine 0", "mine 1"}
    for each in found:
        assert each.before + each.text + each.after == FOREIGN * 3
        assert sum(bool(row.strip()) for row in each.text.splitlines()) in negatives.WINDOW_LINES


def test_solutions_are_read_and_a_file_without_any_is_named(tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text(
        json.dumps({"prompt": "def f():\n", "canonical_solution": "    return 1\n"})
        + "\n"
        + json.dumps({"code": "def g(): pass"})
    )
    other = tmp_path / "other.jsonl"
    other.write_text("{}\n")

    assert [each.text for each in negatives.solutions([tasks])] == [
        "def f():\n    return 1\n",
        "def g(): pass",
    ]
    with pytest.raises(ValueError, match=r"other\.jsonl"):
        negatives.solutions([other])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny corpus with its index, and held-out files, one of which is a copy."""
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path))
    write_corpus(tmp_path, DOCUMENTS)
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    hosts = [document(FOREIGN + f"\n\nEND = {n}\n" * 9, f"own_{n}.py", "mine") for n in range(3)]
    hosts.append(document(CLUSTER, "copied.py", "mine"))
    write_shards(tmp_path / "held-out", hosts, meta={"name": "held", "recipe_hash": ""})
    return tmp_path


def test_the_whole_protocol_runs_and_reports(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = home / "result.json"
    arguments = ["--count", "2", "--split", "all", "--kinds", "verbatim;renamed lightly"]
    arguments += ["--lengths", "20", "--windows", "2", "--jobs", "1", "--list"]

    assert eval_attribution.main([*arguments, "--json", str(output)]) == 0
    result = json.loads(output.read_text())
    found = {(row["mode"], row["kind"]): row for row in result["copies"] if row["group"] == "all"}
    assert found["document", "verbatim"]["warned_of_50_lexemes"] == 1.0
    assert found["document", "verbatim"]["source_1"] == 1.0
    assert found["completion", "renamed lightly"]["noticed"] == 1.0
    files = next(row for row in result["negatives"] if row["group"] == "files")
    assert files["warnings"] == files["false_after_reading"] == 1
    listed = [each["at"] for each in result["flagged"] if each["group"] == "files"]
    assert listed == ["mine/copied.py"]
    text = page.section("attribution", result)
    assert "| verbatim | 1.000 (1.000-1.000) |" in text
    assert "precision 0.000" in text
    assert result["command"] in text
    out = capsys.readouterr().out
    assert "copies, document" in out
    assert "unread: mine/copied.py" in out


def test_without_an_index_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path))

    assert eval_attribution.main([]) == 2
    assert "footnote index build" in capsys.readouterr().err


def test_an_unknown_kind_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert eval_attribution.main(["--kinds", "stolen"]) == 2
    assert "stolen is none of verbatim" in capsys.readouterr().err
