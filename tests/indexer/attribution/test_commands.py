"""`footnote check`, `lookup` and `index` as a user meets them."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from indexer.attribution import inspection
from indexer.commands import check, index, lookup
from tests.indexer.attribution.conftest import DOCUMENTS, FOREIGN, LEDGER, QUEUE, write_corpus

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "own.py": FOREIGN,
        "src/copied.py": FOREIGN + LEDGER,
        "src/retry.ts": QUEUE,
        "node_modules/x/index.js": QUEUE,
        ".git/hook.py": LEDGER,
        "env/pyvenv.cfg": "",
        "env/lib/copied.py": LEDGER,
        "notes.bin": LEDGER,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_folder_is_walked_past_what_is_not_its_own(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main([".", "--format", "json"]) == 1

    files = {each["path"]: each["matches"] for each in printed(capsys)["files"]}
    assert sorted(files) == ["own.py", "src/copied.py", "src/retry.ts"]
    assert files["own.py"] == []
    assert files["src/copied.py"][0]["source"]["package"] == "books"
    assert files["src/retry.ts"][0]["source"]["path"] == "src/retry.js"


def test_a_match_is_one_line_of_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["src/copied.py"]) == 1

    (line,) = capsys.readouterr().out.splitlines()
    first = FOREIGN.count("\n") + 1
    assert line == (
        f"src/copied.py:{first}-{first + LEDGER.count(chr(10)) - 1} warning verbatim 100% "
        "books/ledger.py L2-15 (books 1.0, MIT) https://example.org/books"
    )


def test_a_file_is_told_once_however_often_it_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [
        "src/copied.py",
        "./src/copied.py",
        "src/../src/copied.py",
        "src",
        str(project / "src"),
    ]
    assert check.main(names) == 1

    told = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert told == ["src/copied.py", "src/retry.ts"]


def test_nothing_found_is_zero_and_silent(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main(["own.py"]) == 0

    assert capsys.readouterr().out == ""


def test_standard_input_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(LEDGER.encode())))

    assert check.main(["-", "--language", "python"]) == 1
    assert capsys.readouterr().out.startswith("-:1-14 warning verbatim")


def test_streams_that_are_closed_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "copied.py").write_text(LEDGER)
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stdin", None)
        assert check.main(["-"]) == 2
    assert "it is closed" in capsys.readouterr().err
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stdout", None)
        assert check.main([str(tmp_path / "copied.py")]) == 2
    assert "standard output is closed" in capsys.readouterr().err


def test_files_that_cannot_be_read_are_notes_not_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "binary.py").write_bytes(b"\0" * 10)
    (tmp_path / "large.py").write_text("x = 1\n" * (inspection.LARGEST // 6 + 1))
    (tmp_path / "marked.py").write_bytes(b"\xef\xbb\xbf" + LEDGER.encode())
    (tmp_path / "packed.js").write_text("a=1;" * 2000)

    assert check.main(["."]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("marked.py:1-14 warning")
    assert captured.err.splitlines() == [
        "footnote check: not checked: binary.py (binary)",
        "footnote check: not checked: large.py (larger than 1 MiB)",
        "footnote check: not checked: packed.js (minified)",
        "footnote check: 1 match in 1 of 1 file; 3 not checked",
    ]


def test_a_path_that_is_not_there_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["nowhere.py"]) == 2

    assert capsys.readouterr().err == "footnote check: nowhere.py does not exist\n"


def test_without_an_index_every_command_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path / "empty"))

    assert [check.main([str(tmp_path)]), lookup.main(["x"]), index.main(["info"])] == [2, 2, 2]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all("footnote index build" in line for line in lines)


def test_the_tier_decides_what_is_reported(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = " ".join(f"word{n}" for n in range(3))
    (project / "half.py").write_text(
        "\n".join(f"{line}  # {words}" for line in LEDGER.splitlines()[:7])
    )
    strict = check.main(["half.py", "--format", "json"])
    capsys.readouterr()
    relaxed = check.main(["half.py", "--format", "json", "--tier", "information"])

    assert relaxed >= strict
    assert all(
        each["tier"] in {"warning", "information"}
        for each in printed(capsys)["files"][0]["matches"]
    )


def test_many_files_are_checked_by_several_processes_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inspection, "_WORTH", 1)
    monkeypatch.setattr(inspection, "_BATCH", 1)
    for number in range(4):
        (tmp_path / f"f{number}.py").write_text(LEDGER if number % 2 else FOREIGN)

    assert check.main([str(tmp_path), "--format", "json", "--jobs", "2"]) == 1
    assert [len(each["matches"]) for each in printed(capsys)["files"]] == [0, 1, 0, 1]


def test_sarif_names_rule_place_and_source(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main(["src", "--format", "sarif"]) == 1

    log = printed(capsys)
    (run,) = log["runs"]
    result = run["results"][0]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    place = result["locations"][0]["physicalLocation"]
    assert log["version"] == "2.1.0"
    assert rule["id"] == result["ruleId"] == "attribution/verbatim"
    assert result["level"] == "warning"
    assert place["artifactLocation"]["uri"] == "src/copied.py"
    assert place["region"]["startLine"] == FOREIGN.count("\n") + 1
    assert result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == (
        "pkg:generic/books@1.0#books/ledger.py"
    )
    assert result["properties"]["spdx"] == "MIT"
    assert len(result["partialFingerprints"]["attributionMatch/v1"]) == 34


def test_the_fingerprint_of_a_finding_survives_edits_above_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fingerprint() -> str:
        check.main(["src/copied.py", "--format", "sarif"])
        return str(printed(capsys)["runs"][0]["results"][0]["partialFingerprints"])

    before = fingerprint()
    (project / "src/copied.py").write_text("import sys\n\n\n" + FOREIGN + LEDGER)

    assert fingerprint() == before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("books", "package books 1.0, MIT: 1 file,"),
        ("src/retry.js", "path in patience 1.0, src/retry.js (MIT)"),
        ("nothing-like-it", "nothing-like-it is not in the corpus"),
    ],
)
def test_lookup_answers_in_words(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = lookup.main([name])

    assert code == ("not in" in said)
    assert said in capsys.readouterr().out


def test_lookup_of_a_file_tells_identical_from_similar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same, near = tmp_path / "same.js", tmp_path / "near.py"
    same.write_text(QUEUE)
    near.write_text(LEDGER + FOREIGN)

    assert lookup.main([str(same), "--json"]) == 0
    assert [each["path"] for each in printed(capsys)["identical"]] == ["src/retry.js"]
    assert lookup.main([str(near), "--json"]) == 0
    answer = printed(capsys)
    assert answer["identical"] == []
    assert answer["matches"][0]["source"]["package"] == "books"


def test_index_build_and_info_say_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path))
    write_corpus(tmp_path, DOCUMENTS)

    assert index.main(["build", "--jobs", "1"]) == 0
    assert "index of tiny (small)" in capsys.readouterr().out
    assert index.main(["info", "--json"]) == 0
    info = printed(capsys)
    assert (info["documents"], info["corpus"], info["format"]) == (3, "tiny", 2)


@pytest.fixture
def unhashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of one's own in which opening notices no damage, as in one of large files."""
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path))
    monkeypatch.setattr("indexer.attribution.schema.HASHED_AT_OPEN", 0)
    write_corpus(tmp_path, DOCUMENTS)
    index.main(["build", "--jobs", "1"])
    return tmp_path / "index"


def test_index_info_finds_damage_that_opening_does_not(
    unhashed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = unhashed / "text.blocks"
    blocks.write_bytes(bytes([blocks.read_bytes()[0] ^ 1]) + blocks.read_bytes()[1:])

    assert check.main([str(tmp_path / "nothing.py")]) == 2
    assert index.main(["info"]) == 0
    assert index.main(["info", "--verify"]) == 2
    assert "its hash differs" in capsys.readouterr().err


def test_looking_a_file_up_in_a_damaged_index_says_so(
    unhashed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = unhashed / "files.npy"
    files.write_bytes(files.read_bytes()[:128] + b"\x7f" * (files.stat().st_size - 128))
    (tmp_path / "near.py").write_text(LEDGER + FOREIGN)
    capsys.readouterr()

    assert lookup.main([str(tmp_path / "near.py")]) == 2
    assert "is damaged" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_nobody_s_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: object) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(index, "_info", closed)
    with pytest.raises(BrokenPipeError):  # `footnote` ends quietly on it
        index.main(["info"])
