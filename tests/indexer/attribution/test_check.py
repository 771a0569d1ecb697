"""`footnote check` in continuous integration: what is selected, settled, compared, and how it ends."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from indexer import AttributionIndex
from indexer.attribution.ignoring import add_ignored, ignore_file, read_ignores
from indexer.attribution.matches import Match, Source
from indexer.commands import check
from tests.indexer.attribution.conftest import FOREIGN, LEDGER, QUEUE
from tests.indexer.attribution.test_changes import git
from tests.support.closed import close

if TYPE_CHECKING:
    from collections.abc import Iterator

    from indexer.attribution.inspection import Inspection

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "copied.py").write_text(FOREIGN + LEDGER)
    (tmp_path / ".gitignore").write_text("built/\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, int]:
    """How many matches each checked file has."""
    assert check.main([*arguments, "--format", "json"]) in {0, 1}
    files: list[Any] = json.loads(capsys.readouterr().out)["files"]
    return {each["path"]: len(each["matches"]) for each in files}


def test_what_git_ignores_is_left_out_unless_it_is_named(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("built/a.py", "untracked.py", "node_modules/x/a.js"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(LEDGER)
    (repository / "link.py").symlink_to("copied.py")

    assert found(capsys) == {"copied.py": 1, "untracked.py": 1}
    assert found(capsys, "built") == {"built/a.py": 1}
    assert found(capsys, "--no-ignore") == {"copied.py": 1, "untracked.py": 1, "built/a.py": 1}


def test_a_repository_in_a_folder_has_its_own_ignored_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    inner = tmp_path / "projects" / "one"
    inner.mkdir(parents=True)
    git(inner, "init", "-q")
    (inner / ".gitignore").write_text("b.py\n")
    (inner / "a.py").write_text(LEDGER)
    (inner / "b.py").write_text(LEDGER)
    git(inner.parent, "init", "-q")

    assert found(capsys, ".") == {"projects/one/a.py": 1}


def test_a_submodule_that_was_not_fetched_is_an_empty_folder(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = tmp_path_factory.mktemp("clone")
    git(repository, "init", "-q", "inner")
    git(repository / "inner", "commit", "-qm", "first", "--allow-empty")
    git(repository, "add", "inner")
    git(repository, "commit", "-qm", "with a repository inside")
    git(clone, "clone", "-q", str(repository), "here")

    assert found(capsys, str(clone / "here")) == {str(clone / "here" / "copied.py"): 1}
    assert found(capsys, str(clone / "here" / "inner")) == {}
    (clone / "here" / "inner" / "put.py").write_text(LEDGER)
    assert sum(found(capsys, str(clone / "here")).values()) == 2


def test_only_what_a_change_touches_is_reported(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "copied.py").write_text("import os\n" + FOREIGN + LEDGER)
    (repository / "new.ts").write_text(QUEUE)
    (repository / "same.py").write_text(FOREIGN)
    git(repository, "add", "same.py")
    git(repository, "commit", "-qm", "unchanged since", "same.py")

    assert found(capsys, "--changed-since", "HEAD") == {"copied.py": 0, "new.ts": 1}
    assert found(capsys, "--changed-since", "HEAD", "copied.py") == {"copied.py": 0}
    (repository / "copied.py").write_text(FOREIGN + LEDGER.replace("totals", "sums"))
    assert found(capsys, "--changed-since", "HEAD", "copied.py") == {"copied.py": 1}


def test_an_unknown_revision_is_an_error(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main(["--changed-since", "nowhere"]) == 2
    assert "nowhere is no revision" in capsys.readouterr().err
    assert check.main(["--changed-since", ""]) == 2  # a variable of CI that is not set


def test_to_settle_takes_a_reason(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        check.main(["copied.py", "--settle", " "])

    assert ended.value.code == 2
    assert "needs a reason" in capsys.readouterr().err
    assert not (repository / ".footnote").exists()


def test_settled_matches_are_not_reported_but_counted(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = FOREIGN + LEDGER
    first = FOREIGN.count("\n") + 1
    source = Source("books", "1.0", "books/ledger.py", 2, 15, "MIT", "")
    match = Match(first, text.count("\n"), "warning", "verbatim", 1.0, 99, source)
    file = ignore_file(repository)
    add_ignored(file, match, text, reason="ours", today=date(2026, 11, 29))

    assert check.main([]) == 0
    assert "1 settled in .footnote/ignore.toml" in capsys.readouterr().err
    assert check.main(["--no-ignore"]) == 1
    file.write_text("nonsense")
    capsys.readouterr()
    assert check.main([]) == 1
    assert f"{file} ignores nothing" in capsys.readouterr().err


def test_a_faulty_ignore_file_is_told_once_while_the_check_goes_on(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ignore_file(repository)
    file.parent.mkdir()
    file.write_text("nonsense")
    (repository / "other.py").write_text(FOREIGN)
    told: list[str] = []
    inspect = check.inspect_files

    def inspected(*arguments: Any, **more: Any) -> Iterator[Inspection]:
        for each in inspect(*arguments, **more):
            yield each
            told.append(capsys.readouterr().err)

    monkeypatch.setattr(check, "inspect_files", inspected)
    assert check.main([]) == 1
    assert len(told) > 1
    assert f"{file} ignores nothing" in told[0]
    assert "ignores nothing" not in "".join(told[1:]) + capsys.readouterr().err


def test_settling_enters_what_is_found_and_nothing_else(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "other.ts").write_text(QUEUE)

    assert check.main(["copied.py", "--settle", "ours, see the notice"]) == 0
    (entry,) = read_ignores(ignore_file(repository)).entries
    assert (entry.reason, entry.source) == ("ours, see the notice", "books/books/ledger.py")
    capsys.readouterr()
    assert found(capsys) == {"copied.py": 0, "other.ts": 1}
    ignore_file(repository).write_text("nonsense")
    assert check.main(["--settle", "x"]) == 2
    assert "is left as it is" in capsys.readouterr().err


def test_a_project_s_own_package_is_no_finding(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "pyproject.toml").write_text('[project]\nname = "Books"\n')

    assert found(capsys) == {"copied.py": 0, "pyproject.toml": 0}


@pytest.mark.parametrize(
    ("licence", "codes"),
    [
        ("MIT", {"any": 1, "copyleft": 0, "unknown": 0}),
        ("GPL-3.0-only", {"any": 1, "copyleft": 1, "unknown": 0}),
        ("", {"any": 1, "copyleft": 1, "unknown": 1}),
    ],
)
def test_the_licence_decides_whether_it_fails(
    repository: Path, monkeypatch: pytest.MonkeyPatch, licence: str, codes: dict[str, int]
) -> None:
    source = Source("books", "1.0", "a.py", 1, 9, licence, "")
    answer = [Match(1, 9, "warning", "verbatim", 1.0, 99, source)]
    monkeypatch.setattr(AttributionIndex, "check_document", lambda *_, **__: answer)

    assert {each: check.main(["--fail-on", each]) for each in codes} == codes
    assert check.main([]) == 1


def test_an_earlier_log_is_a_baseline_that_counts(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check.main(["--format", "sarif", "--output", "before.sarif"])
    (repository / "copied.py").rename(repository / "moved.py")

    assert found(capsys, "--baseline", "before.sarif") == {"moved.py": 0}
    (repository / "again.py").write_text(LEDGER)
    assert sum(found(capsys, "--baseline", "before.sarif").values()) == 1
    for nonsense in ('{"runs": [{"results": [{}]}]}', "[" * 100_000):
        (repository / "before.sarif").write_text(nonsense)
        assert check.main(["--baseline", "before.sarif"]) == 2
        assert "before.sarif is no log" in capsys.readouterr().err


def test_output_goes_to_a_file_whole_or_not_at_all(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main(["--output", "out.txt"]) == 1
    assert capsys.readouterr().out == ""
    assert (repository / "out.txt").read_text().startswith("copied.py:")
    assert check.main(["--output", "nowhere/out.txt"]) == 2
    assert "no folder nowhere" in capsys.readouterr().err
    (repository / "folder").mkdir()
    os.mkfifo(repository / "pipe")
    reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE, text=True)
    assert check.main(["--output", "pipe"]) == 1
    assert reader.communicate()[0].startswith("copied.py:")
    (repository / "pipe").unlink()
    (repository / "link.txt").symlink_to("out.txt")
    assert check.main(["--output", "link.txt", "copied.py"]) == 1
    assert (repository / "link.txt").is_symlink()
    (repository / "link.txt").unlink()
    assert check.main(["--output", "folder"]) == 2
    assert "folder cannot be written" in capsys.readouterr().err
    assert sorted(each.name for each in repository.iterdir() if each.name != ".git") == [
        ".gitignore", "copied.py", "folder", "out.txt",
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_any_encoding_and_mixed_line_ends_are_checked(
    repository: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    lines = ("# café\n" + LEDGER).splitlines()
    mixed = "".join(line + ("\r\n", "\n", "\r")[at % 3] for at, line in enumerate(lines))
    (repository / "copied.py").write_bytes(mixed.encode(encoding))

    assert check.main(["--format", "json"]) == 1
    ((match,),) = (each["matches"] for each in json.loads(capsys.readouterr().out)["files"])
    assert (match["start_line"], match["end_line"]) == (2, 15)


def test_a_file_of_ten_thousand_lines_is_checked(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filler = "".join(f"value_{number} = {number}\n" for number in range(10_000))
    (repository / "copied.py").write_text(filler + LEDGER)

    assert check.main(["--format", "json"]) == 1
    ((match,),) = (each["matches"] for each in json.loads(capsys.readouterr().out)["files"])
    assert match["start_line"] == 10_001


def test_what_is_no_file_or_no_name_is_told(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(repository / "pipe.py")
    odd = os.fsdecode(b"odd\xff.py")
    (repository / odd).write_text(LEDGER)

    assert check.main(["pipe.py", odd]) == 1
    captured = capsys.readouterr()
    assert "pipe.py (no regular file)" in captured.err
    assert captured.out.startswith("odd\\udcff.py:1-14")


def test_a_folder_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.py").write_text(FOREIGN)
    close(tmp_path / "closed", monkeypatch)

    assert check.main([str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert f"not checked: {tmp_path / 'closed'} (a folder that cannot be read)" in said


def test_a_name_cannot_break_or_colour_the_line_it_is_told_on(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "a\n\x1b[31mb.py").write_text(LEDGER)

    assert check.main(["."]) == 1
    first, _ = capsys.readouterr().out.splitlines()
    assert first.startswith("a\\n\\x1b[31mb.py:1-14 ")


def test_what_cannot_be_printed_is_an_error_and_no_finding(repository: Path) -> None:
    command = [sys.executable, "-m", "lsp_server.footnote", "check", "."]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("footnote check: the result cannot be printed: ")
    (repository / "café.py").write_text(LEDGER)
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    out = subprocess.run(command, capture_output=True, check=False, env=environment).stdout
    assert out.startswith(b"caf\\xe9.py:1-14")


def test_standard_input_knows_the_project_around(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "package.json").write_text('{"name": "books"}')
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(LEDGER.encode())))

    assert check.main(["-", "--language", "python"]) == 0


INTERRUPTED = """
import os, signal, sys
from indexer.attribution import inspection
from indexer.commands import check
from lsp_server.footnote import main
inspection._WORTH = inspection._BATCH = 1
told, submitted = check._with_progress, inspection.ProcessPoolExecutor.submit
def while_it_runs(found, total):
    for each in told(found, total):
        os.killpg(0, signal.SIGINT)
        yield each
def while_it_starts(*arguments):
    found = submitted(*arguments)
    os.killpg(0, signal.SIGINT)
    return found
def until_it_is_killed(found, total):
    for each in told(found, total):
        os.kill(os.getpid(), signal.SIGKILL)
        yield each
if sys.argv[1] == "runs":
    check._with_progress = while_it_runs
elif sys.argv[1] == "is killed":
    check._with_progress = until_it_is_killed
else:
    inspection.ProcessPoolExecutor.submit = while_it_starts
sys.exit(main(["check", ".", "--jobs", "2", "--output", "out.txt"]))
"""


@pytest.mark.parametrize("while_it", ["starts", "runs"])
def test_an_interrupt_ends_all_processes_without_a_word_too_many(
    repository: Path, while_it: str
) -> None:
    for number in range(20):
        (repository / f"{number}.py").write_text(LEDGER)
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, while_it],
        capture_output=True,
        check=False,
        text=True,
        start_new_session=True,
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
    assert not (repository / "out.txt").exists()


def test_no_process_outlives_a_check_that_is_killed(repository: Path) -> None:
    for number in range(20):
        (repository / f"{number}.py").write_text(LEDGER)

    # Its output ends when the last process that could write to it does.
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "is killed"],
        capture_output=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == -signal.SIGKILL


def test_a_bar_appears_once_it_takes_long(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "other.py").write_text(FOREIGN)
    check.main([])
    assert "checking" not in capsys.readouterr().err
    monkeypatch.setattr(check, "_PATIENCE_S", -1.0)
    check.main([])

    said = capsys.readouterr().err
    assert "checking 2/2 other.py\n" in said
    assert f"1 match in 1 of 2 files, {(2 * len(FOREIGN) + len(LEDGER)) / 1e6:.1f} MB in " in said
