"""The ignore file: what it covers, how it is found, written, and survives nonsense."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING

import pytest

from indexer.attribution.ignoring import (
    IgnoreFileUnusable,
    add_ignored,
    ignore_file,
    passage_hash,
    read_ignores,
)
from indexer.attribution.matches import Match, Source
from tests.indexer.attribution.conftest import FOREIGN, LEDGER

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 29)
SOURCE = Source("books", "1.0", "books/ledger.py", 2, 15, "MIT", "https://example.org/books")
LINES = LEDGER.count("\n")


def match_at(first: int, last: int, source: Source = SOURCE) -> Match:
    return Match(first, last, "warning", "verbatim", 1.0, 120, source)


WHOLE = match_at(1, LINES)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".footnote" / "ignore.toml"


def test_an_added_match_is_ignored_and_others_are_not(file: Path) -> None:
    add_ignored(file, WHOLE, LEDGER, reason="written here first", today=TODAY)
    ignores = read_ignores(file)

    assert ignores.problem == ""
    (entry,) = ignores.entries
    assert (entry.reason, entry.source, entry.day) == (
        "written here first",
        "books/books/ledger.py",
        TODAY,
    )
    assert ignores.reported([WHOLE], LEDGER) == []
    assert ignores.reported([WHOLE], FOREIGN) == [WHOLE]


def test_moving_indenting_and_wrapping_do_not_reopen_it(file: Path) -> None:
    add_ignored(file, WHOLE, LEDGER, reason="x", today=TODAY)
    indented = "".join(f"    {line}\n" for line in LEDGER.splitlines())
    wrapped = indented.replace("(account, booked, total)", "(\n  account,\r\n  booked, total)")
    moved = FOREIGN + wrapped
    first = FOREIGN.count("\n") + 1

    assert read_ignores(file).covers(match_at(first, moved.count("\n")), moved)


def test_a_match_that_ends_a_line_earlier_or_later_is_the_same(file: Path) -> None:
    add_ignored(file, match_at(2, LINES - 1), LEDGER, reason="x", today=TODAY)
    ignores = read_ignores(file)

    assert ignores.covers(match_at(1, LINES), LEDGER)
    assert ignores.covers(match_at(3, LINES - 2), LEDGER)
    assert not ignores.covers(match_at(1, LINES // 2), LEDGER)


def test_an_edit_inside_reopens_it(file: Path) -> None:
    add_ignored(file, WHOLE, LEDGER, reason="x", today=TODAY)

    assert not read_ignores(file).covers(WHOLE, LEDGER.replace("wrong", "bad"))


def test_a_source_narrows_an_entry_and_none_does_not(file: Path) -> None:
    add_ignored(file, WHOLE, LEDGER, reason="x", today=TODAY)
    other = Source("copies", "2.0", "a.py", 1, 14, "GPL-3.0-only", "")
    narrow = read_ignores(file)
    file.write_text(f'[[ignored]]\nhash = "{passage_hash(WHOLE, LEDGER)}"\nreason = "ours"\n')
    wide = read_ignores(file)

    assert not narrow.covers(match_at(1, LINES, other), LEDGER)
    assert wide.covers(match_at(1, LINES, other), LEDGER)
    assert narrow.covers(
        Match(1, LINES, "warning", "verbatim", 1.0, 120, other, others=(SOURCE,)), LEDGER
    )


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_a_source_may_be_written_as_windows_writes_paths(file: Path, separator: str) -> None:
    named = f"{SOURCE.package}/{SOURCE.path}".replace("/", separator)
    file.parent.mkdir()
    file.write_text(
        f"[[ignored]]\nhash = ' {passage_hash(WHOLE, LEDGER)} '\nreason = 'ours'\nsource = '{named}'\n"
    )

    assert separator in named
    assert read_ignores(file).covers(WHOLE, LEDGER)
    assert not read_ignores(file).problem


def test_a_hash_that_no_passage_can_have_is_said(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('[[ignored]]\nhash = "part.py"\nreason = "ours"\n')

    assert "entry 1 (`hash` is no hash of a passage" in read_ignores(file).problem


def test_adding_keeps_what_is_there_to_the_byte(file: Path) -> None:
    file.parent.mkdir()
    hand = b'\xef\xbb\xbf# ours\r\n[[ignored]] # first\r\nreason = "b"\r\nhash = "%b"' % (b"0" * 32)
    file.write_bytes(hand)
    file.chmod(0o640)

    add_ignored(file, WHOLE, LEDGER, reason='a "quoted"\nreason \x7f \ud800', today=TODAY)

    assert file.read_bytes().startswith(hand)
    assert read_ignores(file).entries[0].hash == "0" * 32
    assert read_ignores(file).entries[1].reason == 'a "quoted"\nreason \x7f ?'
    assert file.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in file.parent.iterdir()] == ["ignore.toml"]


def test_adding_twice_is_adding_once(file: Path) -> None:
    add_ignored(file, WHOLE, LEDGER, reason="x", today=TODAY)
    before = file.read_bytes()
    add_ignored(file, WHOLE, LEDGER, reason="y", today=TODAY)

    assert file.read_bytes() == before


def test_a_write_that_fails_leaves_the_file_and_no_litter(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_ignored(file, WHOLE, LEDGER, reason="x", today=TODAY)
    before = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(IgnoreFileUnusable, match="No space left"):
        add_ignored(file, match_at(1, 5), LEDGER, reason="x", today=TODAY)

    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == ["ignore.toml"]


NONSENSE = {
    "no TOML": (b"[[ignored]\nhash=", "line 1"),
    "not UTF-8": (b"\xff\xfe[\0", "not UTF-8"),
    "a table": (b"[ignored]\nhash = 1\n", "must be tables"),
    "deeply nested": (b"a = " + b"[" * 100_000, "nested too deeply"),
    "a key of many parts": (b"a" + b".a" * 100_000 + b" = 1\n", "too many parts"),
}


@pytest.mark.parametrize(("data", "said"), NONSENSE.values(), ids=NONSENSE)
def test_what_cannot_be_read_ignores_nothing_says_so_and_is_not_touched(
    file: Path, data: bytes, said: str
) -> None:
    file.parent.mkdir()
    file.write_bytes(data)

    ignores = read_ignores(file)
    assert ignores.entries == ()
    assert said in ignores.problem
    assert str(file) in ignores.problem
    with pytest.raises(IgnoreFileUnusable, match="left as it is"):
        add_ignored(file, WHOLE, LEDGER, reason="x", today=TODAY)
    assert file.read_bytes() == data


def test_a_folder_of_that_name_ignores_nothing_and_says_so(file: Path) -> None:
    file.mkdir(parents=True)

    assert "ignores nothing" in read_ignores(file).problem
    with pytest.raises(IgnoreFileUnusable):
        add_ignored(file, WHOLE, LEDGER, reason="x", today=TODAY)
    assert file.is_dir()


def test_wrong_entries_are_named_and_the_rest_works(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(
        'colour = "red"\n[[ignored]]\nhash = 5\nreason = "a"\n'
        '[[ignored]]\nhash = "aa"\nraeson = "b"\n[[ignored]]\nhash = "bb"\n'
        f'[[ignored]]\nhash = "{passage_hash(WHOLE, LEDGER).upper()}"\nreason = "c"\ndate = "2026-01-02"\n'
        '[[ignored]]\nhash = "cc"\nreason = "d"\ndate = true\n'
    )
    ignores = read_ignores(file)

    assert [each.day for each in ignores.entries] == [date(2026, 1, 2)]
    assert ignores.covers(WHOLE, LEDGER)
    assert ignores.problem == (
        f"{file}: not used: unknown key `colour`; entry 1 (`hash` is no text); "
        "entry 2 (unknown key `raeson`); ..."
    )


def test_no_file_is_no_problem(file: Path) -> None:
    assert read_ignores(file).problem == ""


def test_it_is_found_on_the_way_up_to_the_repository(tmp_path: Path) -> None:
    inner = tmp_path / "package" / "src"
    inner.mkdir(parents=True)
    (tmp_path / ".git").mkdir()

    assert ignore_file(inner / "new.py") == tmp_path / ".footnote" / "ignore.toml"
    nearer = tmp_path / "package" / ".footnote" / "ignore.toml"
    nearer.parent.mkdir()
    nearer.touch()
    assert ignore_file(inner) == nearer


def test_outside_a_repository_it_would_be_beside_the_file(tmp_path: Path) -> None:
    assert ignore_file(tmp_path / "a.py") == tmp_path / ".footnote" / "ignore.toml"
