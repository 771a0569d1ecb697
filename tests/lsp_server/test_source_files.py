"""Corpus files on disk, for editors that show nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lsp_server.source_files import SourceFiles


@pytest.mark.parametrize(
    "path", ["../../a.py", "/etc/passwd", "a/../../b.py", "C:\\x\\y", "a\0b", "...", "x" * 300]
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    files = SourceFiles(tmp_path / "shown")
    written = files.write("pkg/.. 1.0", path, "text\r\n")

    (folder,) = (tmp_path / "shown").iterdir()
    assert folder in written.resolve().parents
    assert written.read_bytes() == b"text\r\n"
    files.remove()
    assert list((tmp_path / "shown").iterdir()) == []


def test_what_a_killed_server_left_is_removed_and_what_others_use_is_not(tmp_path: Path) -> None:
    left, used = SourceFiles(tmp_path), SourceFiles(tmp_path)
    stale = left.write("a 1", "a.py", "a").parents[1]
    other = used.write("b 1", "b.py", "b")
    os.utime(stale, (0, 0))
    SourceFiles(tmp_path).write("c 1", "c.py", "c")

    assert not stale.exists()
    assert other.read_text() == "b"
