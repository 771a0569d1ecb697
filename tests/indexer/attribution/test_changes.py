"""Changed lines, as git tells them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from indexer.attribution.changes import UnknownRevision, changes_since

if TYPE_CHECKING:
    from pathlib import Path

LINES = [f"line {number}\n" for number in range(1, 21)]


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.py").write_text("".join(LINES))
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def changed(repository: Path, revision: str = "main") -> dict[str, list[tuple[int, int]]]:
    found = changes_since(repository, revision).lines
    return {
        path.relative_to(repository.resolve()).as_posix(): [
            (each.start, each.stop - 1) for each in lines
        ]
        for path, lines in found.items()
    }


def test_edits_count_by_line_committed_staged_or_neither(repository: Path) -> None:
    git(repository, "checkout", "-qb", "work")
    lines = list(LINES)
    lines[1] = "committed\n"
    (repository / "a.py").write_text("".join(lines))
    git(repository, "commit", "-qam", "second")
    lines[9:9] = ["staged\n", "staged\n"]
    (repository / "a.py").write_text("".join(lines))
    git(repository, "add", ".")
    lines[15:16] = []
    lines.append("at the end, without a line break")
    (repository / "a.py").write_text("".join(lines))

    assert changed(repository) == {"a.py": [(2, 2), (10, 11), (22, 22)]}


def test_what_came_on_the_other_branch_meanwhile_does_not_count(repository: Path) -> None:
    git(repository, "checkout", "-qb", "work")
    (repository / "mine.py").write_text("x\ny\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "mine")
    git(repository, "checkout", "-q", "main")
    (repository / "a.py").write_text("theirs\n" + "".join(LINES))
    git(repository, "commit", "-qam", "theirs")
    git(repository, "checkout", "-q", "work")

    assert changed(repository) == {"mine.py": [(1, 2)]}


def test_new_files_count_whole_and_ignored_ones_not_at_all(repository: Path) -> None:
    (repository / "new.py").write_text("x\n")
    (repository / "ignored.py").write_text("x\n")

    assert changed(repository, "HEAD") == {"new.py": [(1, sys.maxsize - 1)]}


def test_a_renamed_file_has_its_edited_lines_alone(repository: Path) -> None:
    git(repository, "mv", "a.py", "b.py")
    (repository / "b.py").write_text("".join([*LINES[:5], "new\n", *LINES[5:]]))

    assert changed(repository, "HEAD") == {"b.py": [(6, 6)]}


def test_a_text_that_looks_like_a_diff_is_text(repository: Path) -> None:
    (repository / "a.py").write_text("".join(["++ b/evil.py\n", "@@ -1 +1,9 @@\n", *LINES[1:]]))
    (repository / "z.py").write_text("x")
    git(repository, "add", "z.py")
    git(repository, "commit", "-qm", "no line break at the end", "z.py")
    (repository / "z.py").write_text("++ b/evil.py")

    assert changed(repository, "HEAD") == {"a.py": [(1, 2)], "z.py": [(1, 1)]}


@pytest.mark.parametrize("name", ["with blanks.py", 'quo"te.py', "tab\there.py", "übung.py", "back\\slash.py"])  # fmt: skip
def test_any_name_is_read(repository: Path, name: str) -> None:
    (repository / name).write_text("x\n")
    git(repository, "add", ".")
    git(repository, "config", "diff.noprefix", "true")

    assert changed(repository, "HEAD") == {name: [(1, 1)]}


def test_a_match_touches_a_change_if_they_share_a_line(repository: Path) -> None:
    (repository / "a.py").write_text("".join([*LINES[:9], "new\n", *LINES[10:]]))
    changes = changes_since(repository / "a.py", "HEAD")
    path = str(repository / "a.py")

    assert [changes.touch(path, *span) for span in ((1, 9), (1, 10), (10, 10), (10, 20), (11, 20))] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert not changes.touch(str(repository / "other.py"), 1, 99)


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", ""])
def test_an_unknown_revision_is_an_error_with_a_remedy(repository: Path, revision: str) -> None:
    with pytest.raises(UnknownRevision, match="in a shallow clone, fetch it first"):
        changes_since(repository, revision)


def test_before_the_first_commit_everything_is_new(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "staged.py").write_text("x\ny\n")
    git(tmp_path, "add", ".")

    assert changed(tmp_path, "HEAD") == {"staged.py": [(1, 2)]}


def test_outside_a_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnknownRevision, match="is in no repository"):
        changes_since(tmp_path, "main")


def test_histories_that_share_nothing_are_an_error_with_a_remedy(repository: Path) -> None:
    git(repository, "checkout", "-q", "--orphan", "apart")
    git(repository, "commit", "-qm", "apart")

    with pytest.raises(UnknownRevision, match="fetch-depth: 0"):
        changes_since(repository, "main")


def test_a_hook_s_own_repository_does_not_stand_in_the_way(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "nowhere/.git")
    (repository / "new.py").write_text("x\n")

    assert list(changed(repository, "HEAD")) == ["new.py"]


@pytest.fixture
def outer(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that has another one as a submodule."""
    folder = tmp_path_factory.mktemp("outer")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    allowed = ("-c", "protocol.file.allow=always")
    git(folder, *allowed, "submodule", "--quiet", "add", str(repository), "inner")
    git(folder, "commit", "-qm", "second")
    return folder


def test_what_changed_in_a_submodule_counts_committed_there_or_not(outer: Path) -> None:
    inner = outer / "inner"
    assert changed(outer) == {}
    (inner / "a.py").write_text("".join(["new\n", *LINES]))
    (inner / "b.py").write_text("new\n")
    expected = {"inner/a.py": [(1, 1)], "inner/b.py": [(1, sys.maxsize - 1)]}
    assert changed(outer) == expected

    git(inner, "add", ".")
    git(inner, "commit", "-qm", "theirs")
    git(outer, "checkout", "-qb", "work")
    git(outer, "commit", "-qam", "theirs")

    assert changed(outer) == {"inner/a.py": [(1, 1)], "inner/b.py": [(1, 1)]}


def test_a_new_submodule_is_new_as_a_whole(outer: Path) -> None:
    assert changed(outer, "main~1")["inner/a.py"] == [(1, len(LINES))]


def test_a_submodule_that_was_not_fetched_is_passed_and_one_without_its_past_is_an_error(
    outer: Path,
) -> None:
    other = git(outer, "rev-parse", "HEAD").strip()
    git(outer, "update-index", "--cacheinfo", f"160000,{other},inner")
    git(outer, "commit", "-qm", "third")

    with pytest.raises(UnknownRevision, match=r"submodule .*inner cannot be told .*fetch"):
        changes_since(outer, "main")
    git(outer, "submodule", "--quiet", "deinit", "--force", "inner")

    assert changed(outer) == {}
