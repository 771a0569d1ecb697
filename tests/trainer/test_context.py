"""Does context help: the same gaps with and without, from packages that nothing was chosen on."""

from __future__ import annotations

import json

import pytest

from indexer.shards import write_shards
from tests.support.documents import held
from tests.support.tiny import write_tiny
from trainer.commands.eval import main
from trainer.evaluation.cases import Case
from trainer.evaluation.collected import page, read_records
from trainer.evaluation.context import Packages, Seen, row

SHAPES = "def area(radius, *, scale):\n    return radius * scale\n"
PAINT = "from .shapes import area\n\n\ndef coat(size):\n    return area(size, scale=2)\n"
FILES = {"held/shapes.py": SHAPES, "held/paint.py": PAINT + "# a line\n" * 20}


def case(middle="area(size, scale=2)", path="held/paint.py"):
    before, _, after = FILES["held/paint.py"].partition(middle)
    return Case(f"held/{path}:5", "line", "python", path, before, middle, after)


def test_a_case_is_given_what_the_server_would_show():
    packages = Packages(held(text, path) for path, text in FILES.items())
    (shown,) = packages.with_context(case()).context

    assert (shown.path, shown.text) == ("held/shapes.py", "def area(radius, *, scale):\n")


def test_neither_the_file_itself_nor_a_build_of_it_is_shown():
    files = {**FILES, "held/paint.pyi": FILES["held/paint.py"], "held/shapes.py": "x = 1\n"}
    packages = Packages(held(text, path) for path, text in files.items())

    assert packages.with_context(case()).context == ()


def seen(*nats: float):
    return [Seen(case(), 100, each, "area(size)") for each in nats]


def test_a_gain_is_what_the_same_gaps_lose_in_nats():
    found = row("with", seen(1.0, 2.0, 3.5), seen(2.0, 2.5, 3.0))

    assert found.gain == pytest.approx(1 / 3, abs=1e-3)
    assert found.gain_95 is not None
    assert found.gain_95[0] < 0 < found.gain_95[1]
    assert found.better == pytest.approx(2 / 3, abs=1e-3)


def test_the_way_that_others_are_compared_with_has_no_gain():
    assert row("without", seen(1.0), None).gain is None


def test_the_command_measures_and_its_record_becomes_a_section(tmp_path, capsys):
    write_shards(
        tmp_path / "held-out",
        [held(text, path) for path, text in FILES.items()],
        meta={"name": "held"},
    )
    model, record = write_tiny(tmp_path / "tiny"), tmp_path / "context.json"
    given = ["--held-out", str(tmp_path / "held-out"), "--model", str(model)]
    assert main(["context", *given, "--json", str(record)]) == 0
    said = capsys.readouterr().out

    values = json.loads(record.read_text())
    ways = [row["way"] for row in values["rows"] if row["kind"] == "all"]
    assert ways == ["the file", "more of the file", "the file and context"]
    assert "the file and context" in said
    assert "## Other files of the project" in page(read_records([record]), "command")


def test_without_gaps_the_command_says_so(tmp_path, capsys):
    write_shards(tmp_path / "held-out", [held("x = 1\n", "a.py")], meta={"name": "held"})
    model = write_tiny(tmp_path / "tiny")

    given = ["--held-out", str(tmp_path / "held-out"), "--model", str(model)]
    assert main(["context", *given]) == 2
    assert "has no gap" in capsys.readouterr().err
