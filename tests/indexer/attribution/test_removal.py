"""What was removed is not found any more, and is gone after the next build."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from indexer.attribution import postings, schema
from indexer.attribution.builder import Plan, build_index
from indexer.attribution.compaction import compact
from indexer.attribution.fingerprints import FORMS
from indexer.attribution.index import AttributionIndex
from indexer.attribution.removal import Removal, add_removals, read_removals
from tests.indexer.attribution.conftest import (
    CLUSTER,
    DOCUMENTS,
    LEDGER,
    QUEUE,
    document,
    write_corpus,
)

if TYPE_CHECKING:
    from pathlib import Path

TWIN = "import sys\n" + QUEUE


@pytest.fixture
def home(tmp_path: Path) -> Path:
    more = document(TWIN, "lib/again.js", "twin", "javascript")
    write_corpus(tmp_path, [*DOCUMENTS, more])
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    return tmp_path


def opened(home: Path) -> AttributionIndex:
    return AttributionIndex.open(home / "index")


def content(home: Path) -> bytes:
    folder = home / "index"
    return b"".join(
        path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {schema.NOTES, schema.RECORD}
    )


def test_a_removed_package_is_never_reported_and_its_twin_is(home: Path) -> None:
    assert opened(home).check_document(QUEUE, language="javascript")[0].others
    add_removals(home / "index", [Removal("Patience")])
    index = opened(home)

    (match,) = index.check_document(QUEUE, language="javascript")
    assert (match.source.package, match.others, match.more) == ("twin", (), 0)
    assert index.lookup("patience").packages == index.lookup("src/retry.js").files == ()
    assert index.lookup_text(QUEUE) == ()
    assert "patience" not in {each.name for each in index.packages()}
    assert index.check_document(LEDGER, language="python")


def test_an_open_index_obeys_and_notices_what_takes_its_place(home: Path) -> None:
    index = opened(home)
    assert index.check_document(LEDGER, language="python")
    add_removals(home / "index", [Removal("books")])

    assert index.check_document(LEDGER, language="python") == []
    compact(home / "index", jobs=1)
    assert index.lookup("grouping").packages
    assert index.info().documents == 3
    (home / "index").rename(home / "elsewhere")
    assert index.check_document(QUEUE, language="javascript"), "what is open stays open"


def test_a_completion_is_not_compared_with_removed_passages(home: Path) -> None:
    lines = LEDGER.splitlines(keepends=True)
    before, completion = "".join(lines[:4]), "".join(lines[4:10])
    assert opened(home).check_completion(before, completion, "", language="python")
    add_removals(home / "index", [Removal("books")])

    assert opened(home).check_completion(before, completion, "", language="python") == []


def test_files_of_any_package_are_removed_by_a_pattern(home: Path) -> None:
    add_removals(home / "index", [Removal("*", "*.js")])
    index = opened(home)

    assert index.check_document(QUEUE, language="javascript") == []
    assert [each.name for each in index.packages()] == ["grouping", "books"]


def test_a_removal_is_noted_once(home: Path) -> None:
    first = Removal("books", day="2026-01-02")

    assert add_removals(home / "index", [first]) == (first,)
    assert add_removals(home / "index", [Removal("books", day="2026-03-04")]) == ()
    assert read_removals(home / "index") == (first,)


def test_after_the_next_build_nothing_of_it_is_left_and_the_record_says_so(home: Path) -> None:
    add_removals(home / "index", [Removal("books")])
    build_index(home / "corpus", home / "index", jobs=1)
    index = opened(home)

    (removed,) = index.info().removed
    assert (removed.package, removed.documents) == ("books", 1)
    assert removed.bytes == len("import os\n" + LEDGER)
    assert (index.info().documents, index.info().packages) == (3, 3)
    assert b"books" not in content(home)
    assert index.check_document(CLUSTER, language="python")
    assert read_removals(home / "index") == (Removal("books"),)


def removed_files(home: Path, *paths: str) -> None:
    add_removals(home / "index", [Removal("*", path) for path in paths])


@pytest.mark.parametrize("text", [True, False])
def test_compaction_leaves_nothing_of_what_was_removed_and_all_of_the_rest(
    home: Path, text: bool
) -> None:
    build_index(home / "corpus", home / "index", Plan(jobs=1, text=text))
    before = opened(home).info()
    corpus = home / "corpus"
    exclusive = exclusive_keys(home, "books/ledger.py")
    assert exclusive
    corpus.rename(home / "gone")  # an index can be compacted where there is no corpus
    removed_files(home, "books/*", "lib/*")
    info = compact(home / "index", jobs=1)
    index = opened(home)

    assert (info.documents, info.corpus_hash) == (2, before.corpus_hash)
    assert {(each.path, each.documents) for each in info.removed} == {("books/*", 1), ("lib/*", 1)}
    schema.verify(home / "index", info, fully=True)
    assert not exclusive & keys_of(home)
    for name in (b"books", b"lib/again.js", b"close_ledger"):
        assert name not in content(home)
    assert index.check_document(LEDGER, language="python") == []
    (match,) = index.check_document(QUEUE, language="javascript")
    assert (match.source.package, match.others) == ("patience", ())
    assert index.check_document(CLUSTER, language="python")[0].source.package == "grouping"
    assert (index.source_text(match.source) is None) != text
    assert compact(home / "index", jobs=1) == info


def keys_of(home: Path) -> set[tuple[str, int]]:
    """The fingerprints of an index that have places, as far as its tables tell them apart."""
    found = set()
    for form in FORMS:
        table = postings.read(home / "index", form.name)
        buckets = np.repeat(np.arange(len(table.starts) - 1), np.diff(table.starts))
        hashes = buckets.astype(np.uint64) << np.uint64(32) | table.keys
        found |= {(form.name, each) for each in hashes.tolist()}
    return found


def exclusive_keys(home: Path, path: str) -> set[tuple[str, int]]:
    """Those of them that no other file has."""
    every = keys_of(home)
    removed = home / "without"
    build_index(home / "corpus", removed / "index", Plan(jobs=1, leave_out=(Removal("*", path),)))
    return every - keys_of(removed)


def test_a_removal_during_a_build_is_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from indexer.attribution import builder

    def merge(*args: object) -> None:
        add_removals(home / "index", [Removal("patience")])
        merge_names(*args)  # type: ignore[arg-type]

    merge_names = builder.merge_names
    monkeypatch.setattr(builder, "merge_names", merge)
    build_index(home / "corpus", home / "index", jobs=1)

    (match,) = opened(home).check_document(QUEUE, language="javascript")
    assert match.source.package == "twin"


def test_the_list_of_opt_outs_is_obeyed_by_a_build(home: Path) -> None:
    build_index(
        home / "corpus", home / "index", Plan(jobs=1, leave_out=(Removal("twin", "lib/*"),))
    )

    assert opened(home).check_document(QUEUE, language="javascript")[0].others == ()


@pytest.mark.parametrize("note", [b"{", b"[]", b'{"removed": [{"name": 1}]}', b"\xff"])
def test_an_index_whose_removals_cannot_be_read_is_refused(home: Path, note: bytes) -> None:
    (home / "index" / schema.NOTES).write_bytes(note)

    with pytest.raises(schema.IndexUnavailable, match="footnote index build"):
        opened(home)


def test_the_note_is_replaced_in_one_step(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_removals(home / "index", [Removal("books")])
    monkeypatch.setattr(os, "replace", lambda *_: pytest.fail("killed"))
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: pytest.fail("killed"))
    with pytest.raises(pytest.fail.Exception):
        add_removals(home / "index", [Removal("twin")])

    assert read_removals(home / "index") == (Removal("books"),)
