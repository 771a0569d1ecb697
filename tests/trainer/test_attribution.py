"""The evaluation of attribution: its copies are copies, and its counts can be trusted."""

from __future__ import annotations

import ast
import json
from random import Random
from typing import TYPE_CHECKING

import pytest

from indexer.attribution.builder import build_index
from indexer.shards import write_shards
from tests.indexer.attribution.conftest import (
    CLUSTER,
    DOCUMENTS,
    FOREIGN,
    QUEUE,
    document,
    write_corpus,
)
from trainer.evaluation import attribution
from trainer.evaluation.planting import KINDS, MIN_LINES, copy_of, functions, plant

if TYPE_CHECKING:
    from pathlib import Path


def names(text: str) -> list[str]:
    return [node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]


def test_long_functions_of_both_languages_are_found() -> None:
    (nearest,) = functions(CLUSTER, "python")
    (retry,) = functions(QUEUE, "javascript")

    assert nearest.text.startswith("def nearest_centres")
    assert CLUSTER.splitlines()[nearest.last_line - 1] == "    return found"
    assert retry.text.startswith("export async function retry")
    assert retry.last_line - retry.first_line + 1 >= MIN_LINES


def test_a_renamed_copy_renames_each_local_name_one_way_and_nothing_else() -> None:
    text = functions(CLUSTER, "python")[0].text
    copy = copy_of(text, "renamed", "python", Random(1))
    assert copy is not None
    pairs = set(zip(names(text), names(copy), strict=True))

    assert len(pairs) == len({old for old, _ in pairs}) == len({new for _, new in pairs})
    assert {old for old, new in pairs if old == new} >= {
        "len",
        "math",
        "enumerate",
        "ValueError",
        "distance",
    }
    assert {"points", "best", "found"} <= {old for old, new in pairs if old != new}


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_still_parses_and_lies_where_it_is_said_to(kind: str) -> None:
    text = functions(CLUSTER, "python")[0].text
    for seed in range(20):
        copy = copy_of(text, kind, "python", Random(seed))
        assert copy is not None
        planted, first, last = plant(FOREIGN, copy, "python", Random(seed))
        lines = planted.splitlines()

        assert [line.strip() for line in lines[first - 1 : last]] == [
            line.strip() for line in copy.splitlines()
        ]
        assert len(lines) == len(FOREIGN.splitlines()) + len(copy.splitlines()) + 2


def test_an_interval_holds_its_share_and_narrows_with_the_cases() -> None:
    few, many = attribution.wilson(9, 10), attribution.wilson(900, 1000)

    assert few[0] < 0.9 < few[1] < 1
    assert many[1] - many[0] < few[1] - few[0]
    assert attribution.wilson(0, 0) == (0.0, 1.0)


def test_a_package_belongs_to_one_half() -> None:
    halves = {attribution.split_of(f"package{number}") for number in range(50)}

    assert halves == {"test", "tuning"}
    assert attribution.split_of("numpy") == attribution.split_of("numpy")


def test_the_whole_protocol_runs_and_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path))
    write_corpus(tmp_path, DOCUMENTS)
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    hosts = [document(FOREIGN + f"\n\nEND = {n}\n" * 9, f"own_{n}.py", "mine") for n in range(3)]
    hosts.append(document(CLUSTER, "copied.py", "mine"))
    write_shards(tmp_path / "held-out", hosts, meta={"name": "held", "recipe_hash": ""})
    output = tmp_path / "result.json"

    assert attribution.main(["--cases", "2", "--split", "all", "--json", str(output)]) == 0
    result = json.loads(output.read_text())
    assert result["copies"]["python"]["all"]["recall"] == 1.0
    assert result["copies"]["python"]["all"]["source_at_1"] == 1.0
    assert result["held_out"]["warnings"] == 1
    assert result["held_out"]["list"][0]["file"] == "mine/copied.py"
    assert "copies, python" in capsys.readouterr().out


def test_without_an_index_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path))

    assert attribution.main([]) == 2
    assert "footnote index build" in capsys.readouterr().err
