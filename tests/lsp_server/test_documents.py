"""Open documents: lines as LSP cuts them, and what an edit tells about the typist."""

from __future__ import annotations

import pytest

from lsp_server.documents import Document, Documents, Place, shown_path, split_lines


def document(text: str) -> Document:
    return Document("file:///project/pkg/a.py", "python", 1, split_lines(text))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a\n", ["a\n", ""]),
        ("a\r\nb", ["a\r\n", "b"]),
        ("a\rb\r\nc\nd", ["a\r", "b\r\n", "c\n", "d"]),
        ("a\fb\u2028c\x85d", ["a\fb\u2028c\x85d"]),
        ("\r\r\n\n", ["\r", "\r\n", "\n", ""]),
    ],
)
def test_lines_end_where_lsp_ends_them(text: str, lines: list[str]) -> None:
    assert split_lines(text) == lines


def test_a_line_feed_typed_behind_a_carriage_return_joins_it() -> None:
    edited = document("a\rb")
    edited.replace(Place(1, 0), Place(1, 0), "\n")
    assert edited.lines == ["a\r\n", "b"]


def test_a_carriage_return_typed_before_a_line_feed_joins_it() -> None:
    edited = document("a\nb")
    edited.replace(Place(0, 1), Place(0, 1), "\r")
    assert edited.lines == ["a\r\n", "b"]


def test_a_range_given_backwards_is_turned_around() -> None:
    edited = document("abc")
    edited.replace(Place(0, 2), Place(0, 1), "x")
    assert edited.text == "axc"


def test_a_deletion_is_told_from_an_insertion() -> None:
    edited = document("abc")
    edited.replace(Place(0, 1), Place(0, 2), "")
    assert edited.last_edit_deleted
    edited.replace(Place(0, 1), Place(0, 1), "x")
    assert not edited.last_edit_deleted
    edited.replace_all("a")
    assert edited.last_edit_deleted


def test_documents_are_found_however_their_uri_is_escaped() -> None:
    documents = Documents()
    opened = documents.open("file:///c%3A/a%20b.py", "python", 1, "")

    assert documents.get("file:///c:/a b.py") is opened
    documents.close("file:///c:/a%20b.py")
    assert list(documents) == []
    documents.close("file:///never/opened.py")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/projects/mine/pkg/a.py", "pkg/a.py"),
        ("/a.py", "a.py"),
        ("a.py", "a.py"),
        ("C:\\project\\pkg\\a.py", "pkg/a.py"),
        ("", ""),
    ],
)
def test_the_model_sees_folder_and_name_only(path: str, shown: str) -> None:
    assert shown_path(path) == shown


@pytest.mark.parametrize(
    ("start", "end", "text", "place"),
    [
        (Place(0, 1), Place(0, 1), "xy", Place(0, 3)),
        (Place(0, 1), Place(1, 2), "", Place(0, 1)),
        (Place(1, 0), Place(1, 0), "a\nbc", Place(2, 2)),
        (Place(1, 1), Place(0, 2), "z", Place(0, 3)),
    ],
)
def test_the_place_behind_an_edit_is_known(
    start: Place, end: Place, text: str, place: Place
) -> None:
    document = Document("file:///a.py", "python", 1, ["one\n", "two\n", ""])
    document.replace(start, end, text)

    assert document.edited_place == place
    document.replace_all("three")
    assert document.edited_place is None


def test_a_place_behind_the_end_is_the_end() -> None:
    assert Document("file:///a.py", "python", 1, ["one\n", "two"]).offset(Place(9, 9)) == 7
