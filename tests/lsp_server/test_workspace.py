"""Files of the workspace: read where that is allowed, and read again only when they have changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.context import LONGEST
from lsp_server.settings import Settings
from lsp_server.workspace import Workspace

EXCLUDE = Settings().exclude


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.py").write_text("a = 1\n")
    (tmp_path / "inner" / "b.py").write_text("b = 2\r\nc = 3\r\n")
    return tmp_path


def text_of(root: Path, path: str, workspace: Workspace | None = None) -> str | None:
    found = (workspace or Workspace()).find(root, path, EXCLUDE)
    return None if found is None else found.text


def test_a_file_is_read_with_one_character_per_line_end(root: Path) -> None:
    assert text_of(root, "inner/b.py") == "b = 2\nc = 3\n"


def test_a_file_that_stays_is_taken_apart_once(root: Path) -> None:
    workspace = Workspace()

    assert workspace.find(root, "a.py", EXCLUDE) is workspace.find(root, "a.py", EXCLUDE)


def test_a_file_that_changes_is_read_again(root: Path) -> None:
    workspace = Workspace()
    assert text_of(root, "a.py", workspace) == "a = 1\n"
    (root / "a.py").write_text("a = 10\n")

    assert text_of(root, "a.py", workspace) == "a = 10\n"


def test_an_ignore_file_is_heeded_as_soon_as_it_is_written(root: Path) -> None:
    workspace = Workspace()
    assert text_of(root, "a.py", workspace) == "a = 1\n"
    (root / ".footnoteignore").write_text("a.py\n")

    assert text_of(root, "a.py", workspace) is None


@pytest.mark.parametrize("path", ["gone.py", "inner", "../a.py", "inner/../../a.py", "a\0.py", ""])
def test_what_is_no_file_of_the_folder_is_not_there(root: Path, path: str) -> None:
    assert text_of(root / "inner", path) is None


def test_a_file_too_long_to_be_written_by_hand_is_passed_over(root: Path) -> None:
    (root / "long.py").write_text("x" * (LONGEST + 1))

    assert text_of(root, "long.py") is None


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe.py")

    assert text_of(root, "pipe.py") is None


def test_open_documents_are_taken_apart_again_only_where_they_have_changed() -> None:
    workspace = Workspace()
    first = workspace.opened([("a.py", "a = 1\n", "python"), ("b.py", "b = 1\n", "python")])
    second = workspace.opened([("a.py", "a = 1\n", "python"), ("b.py", "b = 2\n", "python")])

    assert second[0] is first[0]
    assert second[1].text == "b = 2\n"


def test_of_closed_documents_nothing_is_kept() -> None:
    workspace = Workspace()
    (first,) = workspace.opened([("a.py", "a = 1\n", "python")])
    workspace.opened([])

    assert workspace.opened([("a.py", "a = 1\n", "python")])[0] is not first
