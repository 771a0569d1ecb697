"""Files that are left alone: `.footnoteignore` means what git means by the same lines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lsp_server.exclusions import NAME, IgnoreFiles

FILES = [
    "a.py", "b.py", "build/out.py", "deep/build/out.py", "deep/a.py", "deep/deeper/a.py",
    "deep/deeper/key.pem", "docs/notes.txt", "docs/deep/notes.txt", "#odd", "!odd", "x y ",
    "a[1].py", "build.py", "deep/b.py", "Äb.txt", "star*.py", "starry.py",
]  # fmt: skip
RULES = [
    "a.py", "/a.py", "build/", "build", "/deep/*.py", "deep/**", "deep/**/a.py", "**/deeper", "*.pem",
    "docs/*.txt", "*.py\n!a.py", "deep/\n!deep/a.py", "deep/*\n!deep/a.py", "# a.py", "\\#odd",
    "\\!odd", "[ab].py", "[!a].py", "a[[]1].py", "a\\[1].py", "?.py", "x y\\ ", "a.py   ", "[z-a].py",
    "*", "*\n!*/\n!*.py", "/", "!a.py", "de*/a.py", "**", "Ä*.txt", "star\\*.py", "deep/build/out.py/",
    "docs/**/notes.txt", "[", "a**y",
]  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    subprocess.run(["git", "init", "-q", folder], check=True)
    for each in FILES:
        file = folder / each
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return folder


def ignored_by_git(tree: Path) -> set[str]:
    """What git would ignore with the same rules."""
    for each in (file for file in tree.rglob(NAME)):
        (each.parent / ".gitignore").write_bytes(each.read_bytes())
    asked = "\0".join(FILES).encode()
    command = ["git", "check-ignore", "--no-index", "-z", "--stdin"]
    done = subprocess.run(command, cwd=tree, input=asked, capture_output=True, check=False)
    for each in tree.rglob(".gitignore"):
        each.unlink()
    return set(done.stdout.decode().split("\0")) - {""}


def covered(tree: Path) -> set[str]:
    files = IgnoreFiles()
    return {each for each in FILES if files.cover(tree / each)}


@pytest.mark.parametrize("rules", RULES)
def test_a_rule_means_what_git_means_by_it(tree: Path, rules: str) -> None:
    (tree / NAME).write_text(rules + "\n", encoding="utf-8")
    assert covered(tree) == ignored_by_git(tree)


def test_rules_of_inner_folders_come_last(tree: Path) -> None:
    (tree / NAME).write_text("*.py\n")
    (tree / "deep" / NAME).write_text("!a.py\n/deeper/\n")
    found, expected = covered(tree), ignored_by_git(tree)
    (tree / "deep" / NAME).unlink()

    assert found == expected
    assert "deep/a.py" not in found
    assert "deep/deeper/a.py" in found


def test_a_changed_file_of_rules_is_heeded_and_a_removed_one_is_not(tmp_path: Path) -> None:
    files, rules = IgnoreFiles(), tmp_path / NAME
    assert not files.cover(tmp_path / "a.py")
    rules.write_text("a.py")
    assert files.cover(tmp_path / "a.py")
    rules.write_text("b.py")
    os.utime(rules, ns=(1, 1))
    assert not files.cover(tmp_path / "a.py")
    assert files.cover(tmp_path / "b.py")
    rules.unlink()
    assert not files.cover(tmp_path / "b.py")


def test_what_cannot_be_read_covers_everything_and_what_is_no_file_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / NAME
    rules.mkdir()
    assert not IgnoreFiles().cover(tmp_path / "a.py")
    rules.rmdir()
    rules.write_text("b.py")

    def refuse(_self: Path, *_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    assert IgnoreFiles().cover(tmp_path / "a.py")
