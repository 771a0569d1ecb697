"""The speed of attribution is measured on what it says it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.indexer.attribution.conftest import CLUSTER, DOCUMENTS
from tests.trainer.test_attribution import home as home  # a fixture
from trainer.commands import bench_attribution
from trainer.evaluation.attribution import page, timing
from trainer.evaluation.attribution.fresh import Asked, ask
from trainer.evaluation.attribution.peers import suffix_array

if TYPE_CHECKING:
    from pathlib import Path

COPY = Asked("import math\n\n\n", CLUSTER, "\n", "python", "own.py", is_completion=True)


def test_a_fresh_process_opens_the_index_and_answers(home: Path) -> None:
    (made,) = timing.in_fresh_processes(home / "index", [[COPY, COPY]], cold=True)

    assert len(made["ask_ms"]) == 2
    assert made["open_ms"] > 0


def test_a_broken_index_is_said_by_the_fresh_process(home: Path) -> None:
    (home / "index" / "index.json").unlink()

    with pytest.raises(OSError, match="no attribution index"):
        list(timing.in_fresh_processes(home / "index", [[COPY]], cold=False))


def test_a_question_is_what_the_product_asks(home: Path) -> None:
    from indexer import AttributionIndex

    index = AttributionIndex.open(home / "index")

    assert ask(index, COPY) == 1
    assert ask(index, Asked("", CLUSTER, "", "python", "own.py", is_completion=False)) == 1


def test_a_slice_is_spread_over_the_corpus_and_can_be_built(home: Path) -> None:
    documents = timing.slice_of(home / "corpus", 1)
    made = timing.build_speed(documents, jobs=1)

    assert [each.path for each in documents] == [each.path for each in DOCUMENTS]
    assert made["seconds"] > 0


def test_the_whole_bench_runs_and_reports(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(suffix_array, "is_installed", lambda: False)
    output = home / "speed.json"
    arguments = ["--completions", "2", "--files", "2", "--cold", "1", "--jobs", "1", "--slice", "1"]

    assert bench_attribution.main([*arguments, "--json", str(output)]) == 0
    result = json.loads(output.read_text())
    assert {("completion", "warm"), ("file", "cold")} <= {
        (row["what"], row["state"]) for row in result["latency"]
    }
    assert 0 < result["index"]["ratio_without_text"] < result["index"]["ratio"]
    assert result["command"].startswith("footnote bench attribution")
    assert "| completion | footnote | warm |" in page.section("attribution-speed", result)
    assert "MB/s" in capsys.readouterr().out
