"""`footnote index build` tells how far it is, and what to do where there is no room."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from indexer.attribution import schema
from indexer.attribution.candidates import ChunkWriter
from indexer.attribution.index import AttributionIndex
from indexer.commands import index
from indexer.home import own_indexes_folder
from tests.indexer.attribution.conftest import CLUSTER, FOREIGN, LEDGER

if TYPE_CHECKING:
    from pathlib import Path


class Full:
    """What tantivy's writer says when the disk is full."""

    def commit(self) -> None:
        raise ValueError("An IO error occurred: 'No space left on device (os error 28)'")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One's own folder, and a data home that nobody else has."""
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "ledger.py").write_text(LEDGER)
    (folder / "table.py").write_text(FOREIGN)
    return folder


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), OSError("8166 requested and 6144 written")],
)
def test_a_full_disk_is_said_with_what_to_do(
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: OSError,
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(index, "build_own_index", full)

    assert index.main(["build", "--from", str(shop)]) == 2
    assert "no space is left in" in capsys.readouterr().err


def test_a_disk_that_is_full_when_names_are_written_is_said_as_well(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    close = ChunkWriter.close

    def closing(self: ChunkWriter) -> None:
        self._writer = Full()
        close(self)

    monkeypatch.setattr(ChunkWriter, "close", closing)

    assert index.main(["build", "--from", str(shop), "--jobs", "1"]) == 2
    assert "no space is left in" in capsys.readouterr().err


def test_reading_and_indexing_are_told_once_they_take_long(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert index.main(["build", "--from", str(shop)]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(index, "_PATIENCE_S", -1.0)
    assert index.main(["build", "--from", str(shop), "--jobs", "1"]) == 0

    said = capsys.readouterr().err
    assert "reading, files 1 \n" in said
    assert "indexing, MB 0/0 \n" in said


def test_an_index_that_is_built_again_by_its_name_stays_without_texts(shop: Path) -> None:
    folder = own_indexes_folder() / "shop"

    assert index.main(["build", "--from", str(shop), "--without-text"]) == 0
    assert index.main(["build", "--name", "shop"]) == 0
    assert not schema.read_info(folder).text
    assert index.main(["build", "--from", str(shop)]) == 0
    assert schema.read_info(folder).text


@pytest.mark.parametrize("line", ["print 'of another age'", "@@ of another age", "{% template %}"])
def test_python_that_this_python_cannot_parse_is_indexed(shop: Path, line: str) -> None:
    (shop / "old.py").write_text(f"{CLUSTER}\n\n{line}\n")

    assert index.main(["build", "--from", str(shop), "--jobs", "1"]) == 0
    built = AttributionIndex.open(own_indexes_folder() / "shop")
    (found,) = built.check_document(CLUSTER, language="python")
    assert found.source.path == "old.py"


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_ones_own_code_is_read_in_the_encoding_that_it_has(shop: Path, encoding: str) -> None:
    (shop / "old.py").write_bytes(f"# größer\n{CLUSTER}".encode(encoding))

    assert index.main(["build", "--from", str(shop), "--jobs", "1"]) == 0
    built = AttributionIndex.open(own_indexes_folder() / "shop")
    (found,) = built.check_document(CLUSTER, language="python")
    assert built.source_text(found.source) == f"# größer\n{CLUSTER}"


def test_of_many_folders_without_git_a_few_are_named(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []
    for number in range(9):
        folder = tmp_path / f"part{number}"
        folder.mkdir()
        (folder / "ledger.py").write_text(f"{LEDGER}\nNUMBER = {number}\n")
        folders.append(str(folder))

    assert index.main(["build", "--from", *folders, "--name", "many"]) == 0
    said = capsys.readouterr().out
    assert f"not under git, so nothing is known to be ignored: {folders[0]}, " in said
    assert f"{folders[3]}, ...\n" in said
