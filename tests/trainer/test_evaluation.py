"""The measurements measure what their protocols say."""

import json

import pytest

from indexer.shards import write_shards
from tests.support.documents import held
from trainer.commands import eval as eval_command
from trainer.evaluation import cases, infilling, report

FILES = [
    held(
        f"import os\n\n\ndef name_{number}(path):\n    if not path:\n        return None\n"
        f'    found = os.path.join(path, "{number}")\n    print(found)\n    return found\n'
        "\n\nclass Shelf:\n    def __init__(self, books):\n        self.books = books\n",
        f"lib/held_{number}.py",
    )
    for number in range(20)
]


def a_case(prefix: str, middle: str, suffix: str, language: str = "python") -> cases.Case:
    kind = "block" if "\n" in middle else "line"
    return cases.Case("a", kind, language, "a.py", prefix, middle, suffix)


@pytest.mark.parametrize("kind", ["line", "block"])
def test_cases_are_the_same_every_time_and_make_the_file_again(kind):
    drawn = cases.draw(FILES, kind=kind, language="python", count=10)
    texts = {each.text for each in FILES}

    assert drawn == cases.draw(reversed(FILES), kind=kind, language="python", count=10)
    assert 5 <= len(drawn) <= 10
    for each in drawn:
        assert each.prefix + each.middle + each.suffix in texts
        assert ("\n" in each.middle) == (kind == "block")
        assert each.middle.strip()


def test_a_line_case_ends_where_its_line_ends():
    for each in cases.draw(FILES, kind="line", language="python", count=20):
        assert each.suffix.startswith("\n")


def test_scores_tell_first_line_from_strict():
    both = [a_case("x = ", "f(1)", "\n"), a_case("y = ", "g(2)", "\n")]

    exact = infilling.score("m", both, ["f(1)", " g(2) "])
    runs_on = infilling.score("m", both, ["f(1)\nprint(x", "h"])
    nothing = infilling.score("m", both, ["", ""])

    assert (exact.first_line, exact.strict, exact.parses) == (1.0, 1.0, 1.0)
    assert (runs_on.first_line, runs_on.strict, runs_on.parses) == (0.5, 0.0, 0.5)
    assert (nothing.first_line, nothing.empty, nothing.parses) == (0.0, 1.0, 0.0)
    assert exact.similarity == 1.0 > runs_on.similarity


def test_parse_rate_is_of_python_files_that_parsed():
    broken = a_case("def (", "x", "\n")
    script = a_case("let x = ", "1", ";", "javascript")

    assert infilling.score("m", [broken], ["x"]).parses is None
    assert infilling.score("m", [script], ["1"]).parses is None


def test_the_floor_guesses():
    case = a_case("def area(r):\n    return pi * r\n\ndef round(r):\n    return pi", " * r", "\n")
    guesses = infilling.floors([case, a_case("", "q", ""), case])

    assert guesses["nothing"](case) == ""
    assert guesses["commonest middle"](case) == "* r"
    assert guesses["longest copy"](case) == " * r"
    assert guesses["line before"](a_case("a = 1\na", " = 1", "")) == " = 1"


def test_a_copy_is_found_after_the_gap_too():
    case = a_case("total = foo.", "bar()", "\nother = foo.bar()\n")

    assert infilling.floors([case])["longest copy"](case) == "bar()"


def test_a_table_lines_up():
    text = report.table([{"name": "a", "first_line": 0.5}, {"name": "long", "first_line": None}])

    assert text.splitlines() == [
        "name  first line",
        "----------------",
        "a          0.500",
        "long           -",
    ]
    assert report.table([]) == ""


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home") / "held-out"
    write_shards(folder, FILES, meta={"name": "held", "recipe_hash": "0"})
    return folder


def test_eval_infill_compares_the_model_with_the_floor(finished, held_out, tmp_path, capsys):
    out = tmp_path / "infill.json"
    arguments = ["--model", str(finished / "export"), "--held-out", str(held_out)]
    arguments += ["--cases", "3", "--by", "spm,psm,engine", "--context", "100"]
    arguments += ["--kind", "line,block", "--json", str(out)]

    code = eval_command.main(["infill", *arguments])

    result = json.loads(out.read_text(encoding="utf-8"))
    names = [each["guess"] for each in result["scores"] if each["kind"] == "line"]
    assert code == 0
    assert names == [
        "nothing",
        "commonest middle",
        "line before",
        "longest copy",
        "model, spm",
        "model, psm",
        "model, as served",
    ]
    assert len(result["cases"]) == 3 * 3 * 2
    assert "one gap per file" in capsys.readouterr().out
