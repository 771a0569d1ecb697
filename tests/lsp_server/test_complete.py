"""`footnote complete`: the shape of its answer, and places that are hard to find."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lsp_server.commands.complete import main
from tests.support import tiny_corpus

ECHO = "scripted:echo"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    tiny_corpus.build(home)
    return home / "index"


def run(capsys: pytest.CaptureFixture[str], file: Path, line: int, column: int, *more: str) -> Any:
    place = ["--line", str(line), "--column", str(column)]
    assert main([str(file), *place, "--json", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_answer_has_the_shape_that_programs_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.py"
    file.write_text("first = 1\nsecond = [3]\n")
    answer = run(capsys, file, 2, 11, "--model", ECHO)

    assert list(answer) == ["text", "range", "stop_reason", "timings_ms", "model", "matches"]
    assert answer["text"] == "[second = [|3]]"
    assert answer["range"] == {
        "start": {"line": 2, "column": 11},
        "end": {"line": 2, "column": 11},
    }
    assert (answer["stop_reason"], answer["model"]) == ("end", "scripted")
    assert answer["timings_ms"]["total"] >= 0
    assert answer["matches"] == []


def test_replaced_closers_are_part_of_the_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.py"
    file.write_text("print()\n")
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"rules": [{"text": "1)", "replace_after": 1}]}))
    answer = run(capsys, file, 1, 7, "--model", f"scripted:{script}")

    assert answer["range"]["end"] == {"line": 1, "column": 8}


def test_matches_are_those_of_the_check_command(
    tmp_path: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = tiny_corpus.INTERVALS[: tiny_corpus.INTERVALS.index("    merged = []")]
    file = tmp_path / "a.py"
    file.write_text(head + "    \n")
    script = tmp_path / "script.json"
    rule = {"text": tiny_corpus.INTERVALS[len(head) + 4 :]}
    script.write_text(json.dumps({"rules": [rule]}))
    model = ["--model", f"scripted:{script}", "--index", str(index)]
    answer = run(capsys, file, 4, 5, *model)

    (match,) = answer["matches"]
    assert match["kind"] == "verbatim"
    assert match["source"]["path"] == "spans/intervals.py"
    assert match["source"]["license"] == "BSD-3-Clause"

    assert main([str(file), "--line", "4", "--column", "5", *model]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("merged = []\n")
    assert "Near-verbatim, verbatim (100%): spans 1.2" in said.err


@pytest.mark.parametrize(
    ("content", "line", "column", "text"),
    [
        (b"", 1, 1, "[|]"),
        (b"ab\ncd", 1, 99, "[ab|]"),
        (b"ab\r\ncd\r\n", 1, 99, "[ab|]"),
        (b"ab\ncd", 99, 1, "[cd|]"),
        (b"ab\ncd\n", 99, 1, "[|]"),
        ("😋b\n".encode(), 1, 2, "[😋|b]"),
        (b"\xff\xfe\n", 1, 2, "[\ufffd|\ufffd]"),
        (b"a\x0cb\n", 1, 3, "[a\x0c|b]"),
    ],
    ids=["empty", "past the line", "crlf", "past the end", "last line", "emoji", "bytes", "feed"],
)
def test_any_place_in_any_file_is_answered(
    content: bytes,
    line: int,
    column: int,
    text: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "file.unknown"
    file.write_bytes(content)
    assert run(capsys, file, line, column, "--model", ECHO)["text"] == text


def test_a_file_over_a_megabyte_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "large.py"
    file.write_text("x = 1\n" * 200_000)
    answer = run(capsys, file, 1, 1, "--model", ECHO)
    assert (answer["text"], answer["stop_reason"]) == ("", "gated:large-file")


def test_a_file_or_model_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.py"
    assert main([str(missing), "--line", "1", "--column", "1"]) == 2
    assert f"footnote complete: {missing}: No such file" in capsys.readouterr().err

    missing.write_text("")
    model = str(tmp_path / "no-model")
    assert main([str(missing), "--line", "1", "--column", "1", "--model", model]) == 2
    assert "footnote complete: no model at" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5"])
def test_lines_count_from_one(number: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path), "--line", number, "--column", "1"])
    assert ended.value.code == 2


def test_without_an_index_the_text_comes_and_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = \n")
    place = ["--line", "1", "--column", "5", "--model", ECHO]
    assert main([str(file), *place, "--index", str(tmp_path / "none")]) == 0
    said = capsys.readouterr()
    assert said.out == "[x = |]\n"
    assert "not checked against the corpus: no attribution index" in said.err


@pytest.mark.parametrize(
    ("name", "why"),
    [(".env.local", "`**/.env*`"), ("private/a.py", "a .footnoteignore covers it")],
)
def test_a_file_that_is_left_alone_is_completed_only_by_who_insists(
    name: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".footnoteignore").write_text("private/\n")
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("x = ")
    place = ["--line", "1", "--column", "5", "--model", ECHO]

    assert main([str(file), *place]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert why in said.err
    assert "--anyway" in said.err
    assert run(capsys, file, 1, 5, "--model", ECHO, "--anyway")["text"] == "[x = |]"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A file that imports another of its project."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "shapes.py").write_text("def area(width):\n    return width\n")
    file = tmp_path / "shop" / "deep" / "client.py"
    file.parent.mkdir()
    file.write_text("from shop.shapes import area\n\nsize = \n")
    return file


def test_the_model_is_shown_what_the_file_imports(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = ("--line", "3", "--column", "8", "--model", "scripted:{context}")

    assert main([str(project), *shown]) == 0
    out, err = capsys.readouterr()
    assert out == "def area(width):\n\n"
    assert "shown shop/shapes.py" in err


@pytest.mark.parametrize("more", [("--no-context",), ("--workspace", "shop/deep")])
def test_nothing_of_other_files_is_shown_where_that_is_not_wanted(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
) -> None:
    monkeypatch.chdir(project.parents[2])

    assert run(capsys, project, 3, 8, "--model", "scripted:{context}", *more)["text"] == ""
