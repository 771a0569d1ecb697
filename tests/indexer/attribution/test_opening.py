"""An index is opened as one, and what is damaged in it is said, whoever notices."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from indexer.attribution import index, schema
from indexer.attribution.builder import build_index
from indexer.attribution.candidates import DamagedNames
from indexer.attribution.index import AttributionIndex
from indexer.attribution.library import Library
from indexer.attribution.schema import IndexUnavailable
from indexer.replacing import exchange
from tests.indexer.attribution.conftest import CLUSTER, DOCUMENTS, LEDGER, document, write_corpus

if TYPE_CHECKING:
    from pathlib import Path

OTHERS = [
    document(LEDGER, "other/books.py", "other"),
    document(CLUSTER, "other/groups.py", "other"),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An index, and another one beside it that holds the same texts under other names."""
    write_corpus(tmp_path, OTHERS)
    build_index(tmp_path / "corpus", tmp_path / "next" / "index", jobs=1)
    write_corpus(tmp_path, DOCUMENTS)
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    return tmp_path


def sources(opened: AttributionIndex) -> list[tuple[str, str]]:
    found = opened.check_document(LEDGER, language="python")
    return [(each.source.package, each.source.path) for each in found]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_index_that_is_replaced_while_it_is_opened_is_read_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    changed: list[str] = []

    def change() -> None:
        if not changed:
            exchange(home / "next" / "index", home / "index")
            changed.append(moment)

    def opening(folder: Path, **keywords: Any) -> Library:
        if moment == "before":
            change()
        library = Library(folder, **keywords)
        change()
        return library

    monkeypatch.setattr(index, "Library", opening)
    opened = AttributionIndex.open(home / "index")

    assert changed
    assert opened.info() == schema.read_info(home / "index")
    assert sources(opened) == [("other", "other/books.py")]


def test_what_was_opened_goes_on_as_it_was_when_its_folder_is_replaced(home: Path) -> None:
    library = Library(home / "index")
    exchange(home / "next" / "index", home / "index")

    assert [library.catalogue.path(number) for number in range(3)] == [
        each.path for each in DOCUMENTS
    ]


@pytest.mark.parametrize("name", ["files.npy", "paths.txt", "packages.json"])
def test_what_names_a_source_is_compared_with_its_hash_however_large(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(schema, "HASHED_AT_OPEN", 0)
    path = home / "index" / name
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    with pytest.raises(IndexUnavailable, match=r"its hash differs.*footnote index build"):
        AttributionIndex.open(home / "index")


def test_names_whose_files_are_damaged_are_said_although_their_library_panics(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "HASHED_AT_OPEN", 0)
    rng = Random(5)
    causes = set()
    chunks = home / "index" / "chunks"
    for path in [each for kind in ("idx", "term") for each in chunks.glob(f"*.{kind}")] * 12:
        whole = path.read_bytes()
        at = rng.randrange(len(whole))
        path.unlink()  # what an index that panicked still maps must not be cut under it
        path.write_bytes(whole[:at] + rng.randbytes(len(whole[at : at + 40])) + whole[at + 40 :])
        try:
            AttributionIndex.open(home / "index").check_document(CLUSTER, language="python")
        except IndexUnavailable as unavailable:
            if isinstance(unavailable.__cause__, DamagedNames):
                causes.add(type(unavailable.__cause__.__cause__).__name__)
        path.unlink()
        path.write_bytes(whole)

    assert "PanicException" in causes


def test_an_index_that_may_only_be_read_is_opened(home: Path) -> None:
    lock = home / "index" / "chunks" / ".tantivy-meta.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()  # refuses to be taken, even for root
    edited = CLUSTER.replace("found", "met").replace("gap", "far")

    found = AttributionIndex.open(home / "index").check_document(edited, language="python")

    assert [each.source.package for each in found] == ["grouping"]
