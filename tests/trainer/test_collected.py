"""The page holds what the records hold, beside what may stand beside it; and what two models differ in."""

from __future__ import annotations

import json
import re

import pytest

from indexer.shards import write_shards
from tests.support.repository import ROOT
from tests.support.tiny import write_tiny
from tests.trainer.test_infilling import PACKAGE
from trainer.commands import eval as eval_command
from trainer.evaluation import collected, published
from trainer.evaluation.retention import compare, retention

LOSS = {
    "evaluation": "loss",
    "model": "tiny",
    "parameters": 15_700_000,
    "device": "cpu",
    "dtype": "float32",
    "held_out": "held 123",
    "files_chosen": "by content hash",
    "command": "footnote eval loss --window 1024",
    "protocol": {"1024": "windows of 1024"},
    "languages": [
        {
            "window": 1024,
            "language": "python",
            "position": place,
            "files": 3,
            "bytes": 5_000_000,
            "tokens": 9,
            "bits_per_byte": value,
            "nats_per_token": 1.0,
        }
        for place, value in (("0-2K", 0.75), ("2K-8K", 0.5), ("all", 0.625))
    ],
}


def infill(guess: str = "model, psm", language: str = "python", **changes):
    row = {
        "guess": guess,
        "kind": "line",
        "language": language,
        "cases": 1043,
        "first_line": 0.3,
        "first_line_95": [0.27, 0.33],
        "strict": 0.25,
        "strict_95": [0.22, 0.28],
        "similarity": 0.4,
        "similarity_95": [0.3, 0.5],
        "parses": None,
        "parses_95": None,
        "empty": 0.1,
    }
    return {
        "evaluation": "infill",
        "model": "tiny",
        "benchmark": "santacoder-fim-task",
        "is_whole": True,
        "command": "footnote eval infill santa.jsonl --by psm",
        "protocol": "greedy",
        "scores": [row],
        "cases": [{"case": "a", "by": guess, "wanted": "somebody's text", "got": "x"}],
        **changes,
    }


def record(values):
    return collected.Record(collected.kind_of(values), values["model"], values)


def test_a_figure_stands_with_its_protocol_and_command():
    text = collected.page([record(LOSS)], "footnote eval report here")

    assert "| 1024 | python | 3 | 5.000 | 0.625 | 0.750 | 0.500 |" in text
    assert "windows of 1024" in text
    assert "footnote eval loss --window 1024" in text
    assert "15.7 M parameters, float32 on cpu" in text
    assert "footnote eval report here" in text


@pytest.mark.parametrize(
    ("values", "is_beside"),
    [
        (infill(), True),
        (infill(is_whole=False), False),
        (infill(benchmark="held-out packages"), False),
        (infill(guess="model, spm"), False),
    ],
    ids=["the same protocol", "a part of the file", "another text", "another order"],
)
def test_ours_stands_beside_starcoders_only_by_the_same_protocol(values, is_beside):
    text = collected.page([record(values)], "x")
    section = text[text.index("### Published") :]

    assert "| StarCoder 15.5B | strict | 0.620 | 0.730 | 0.740 |" in section
    assert ("| tiny | strict | 0.250 (0.220-0.280) |" in section) == is_beside
    assert ("No model of ours is listed" in section) != is_beside


def test_every_published_row_says_where_it_was_read():
    assert all(row.source and row.protocol and 0 < row.value < 1 for row in published.ROWS)
    keys = [(r.model, r.benchmark, r.language, r.metric, r.protocol) for r in published.ROWS]
    assert len(keys) == len(set(keys))


def test_the_command_writes_the_page_and_records_without_texts(tmp_path, capsys):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loss.json").write_text(json.dumps(LOSS))
    (tmp_path / "infill.json").write_text(json.dumps(infill()))
    out, kept = tmp_path / "page.md", tmp_path / "kept"
    named = ["report", str(tmp_path / "a"), str(tmp_path / "infill.json")]

    assert eval_command.main([*named, "--out", str(out), "--records", str(kept)]) == 0

    files = sorted(each.relative_to(kept).as_posix() for each in kept.rglob("*.json"))
    assert files == ["tiny/infill-santacoder-fim-task.json", "tiny/loss.json"]
    assert all("somebody" not in each.read_text() for each in kept.rglob("*.json"))
    again = tmp_path / "again.md"
    assert eval_command.main(["report", str(kept), "--out", str(again)]) == 0
    assert again.read_text().replace("again.md", "page.md") == out.read_text()
    assert eval_command.main(named) == 0
    assert "# Evaluation" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("{", "is no JSON"),
        ("[]", "no result of"),
        ('{"scores": []}', "no result of"),
        ('{"evaluation": "loss", "model": "m"}', "measure again"),
        ('{"protocol": {}, "scores": []}', "measure again"),
    ],
)
def test_what_is_no_result_is_named(tmp_path, text, remedy, capsys):
    (tmp_path / "a.json").write_text(text)
    out = tmp_path / "page.md"
    out.write_text("good")

    assert eval_command.main(["report", str(tmp_path / "a.json"), "--out", str(out)]) == 2
    assert remedy in capsys.readouterr().err
    assert out.read_text() == "good"


def test_an_empty_folder_and_a_missing_file_are_said(tmp_path, capsys):
    assert eval_command.main(["report", str(tmp_path)]) == 2
    assert "--json" in capsys.readouterr().err
    assert eval_command.main(["report", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["EVALUATION.md", "ATTRIBUTION.md"])
def test_the_committed_page_is_what_its_records_give(name):
    page = (ROOT / "docs" / name).read_text()
    command = re.search(r"`footnote eval report ([\w/]+) --out ([\w/.]+)`", page)
    assert command is not None

    records = collected.read_records([ROOT / command.group(1)])

    assert collected.page(records, command.group().strip("`")) == page


# Retention.


def test_two_results_are_compared_figure_by_figure():
    after = json.loads(json.dumps(LOSS))
    after["languages"][2]["bits_per_byte"] = 0.5

    rows = compare([LOSS, infill()], [after, infill(), infill(language="java")])

    by_what = {(row.what, row.language): row for row in rows}
    loss = by_what["bits per byte, window 1024", "python"]
    assert (loss.before, loss.after, loss.difference) == (0.625, 0.5, -0.125)
    strict = by_what["line, strict (model, psm)", "python"]
    assert (strict.before, strict.difference, strict.after_95) == (0.25, 0.0, (0.22, 0.28))
    assert ("line, strict (model, psm)", "java") not in by_what
    with pytest.raises(ValueError, match="nothing in common"):
        compare([LOSS], [infill()])


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home") / "held-out"
    write_shards(folder, PACKAGE, meta={"name": "held", "recipe_hash": "0", "selection": "full"})
    return folder


def test_two_checkpoints_are_measured_on_the_same_text(held_out, tmp_path, capsys):
    one, other = write_tiny(tmp_path / "one"), write_tiny(tmp_path / "other", seed=7)
    options = {"held_out": held_out, "megabytes": 0.01, "cases": 2, "window": 64}

    same = retention(one, one, **options)
    rows = retention(one, other, **options)

    assert {row.language for row in rows} >= {"python", "javascript", "all"}
    assert all(row.difference == 0 for row in same)
    assert any(row.difference != 0 for row in rows)
    assert [row.before for row in rows] == [row.before for row in same]
    named = ["retention", str(one), str(other), "--held-out", str(held_out), "--cases", "1"]
    out = tmp_path / "rows.json"
    assert eval_command.main([*named, "--json", str(out)]) == 0
    assert "bits per byte" in capsys.readouterr().out
    assert json.loads(out.read_text())["rows"]
    assert eval_command.main(["retention", str(one), str(tmp_path / "none")]) == 2
    assert "no checkpoint folder" in capsys.readouterr().err


def test_models_stand_side_by_side_where_the_protocol_is_the_same():
    other = {**infill(), "model": "larger"}
    elsewhere = {**infill(), "model": "third", "protocol": "sampled"}
    losses = [LOSS, {**LOSS, "model": "larger"}]

    text = collected.page([record(each) for each in (infill(), other, elsewhere, *losses)], "x")
    beside = text.split("## Bits per byte")[0]

    assert "| figure | language | tiny | larger |" in beside
    assert "| line, first line (model, psm) | python | 0.300 (0.270-0.330) | 0.300" in beside
    assert "| bits per byte, window 1024 | python | 0.625 | 0.625 |" in beside
    assert "third" not in beside
    assert "Side by side" not in collected.page([record(infill())], "x")


def test_what_is_shown_stands_with_the_rule_that_chose_it():
    row = {
        "requests": 8,
        "shown": 0.5,
        "acceptance": 0.25,
        "acceptance_95": [0.1, 0.6],
        "saved": 2.0,
    }
    policy = {
        "evaluation": "policy", "model": "tiny", "protocol": "halves", "rule": "the best",
        "command": "footnote eval policy", "ways": [{"prompt": 512, "lines": "one", **row, "median_ms": 9}],
        "serving": {"min_confidence": 0.37, "multiline": True, "prompt_tokens": 512},
        "curves": {"reported on": [{"confidence": each / 100, **row} for each in range(101)]},
    }  # fmt: skip

    text = collected.page([record(policy)], "x")

    assert "Chosen: min_confidence 0.37, multiline True, prompt_tokens 512." in text
    assert "| 0.370 | 8 | 0.500 | 0.250 (0.100-0.600) | 2.000 |" in text
