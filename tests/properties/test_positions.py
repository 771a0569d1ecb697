"""Positions agree with a naive codec, and edits with edits of a plain string."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lsp_server import convert
from lsp_server.documents import Document, Place, has_halves, split_lines

ENCODINGS = st.sampled_from(["utf-8", "utf-16", "utf-32"])
CHARACTERS = st.sampled_from("ab é한😋🧵\r\n\f\u2028\x85\ud800")
TEXTS = st.text(CHARACTERS, max_size=40)


def naive_units(text: str, encoding: str) -> int:
    codec = "utf-8" if encoding == "utf-8" else f"{encoding}-le"
    width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    return len(text.encode(codec, "surrogatepass")) // width


def naive_offset(text: str, place: Place) -> int:
    starts = [0, *(end.end() for end in re.finditer(r"\r\n|\r|\n", text))]
    return starts[place.line] + place.index


@given(TEXTS)
def test_lines_put_together_are_the_text(text: str) -> None:
    lines = split_lines(text)

    assert "".join(lines) == text
    assert len(lines) == len(re.findall(r"\r\n|\r|\n", text)) + 1
    assert all(re.search(r"(?:\r\n|\r|\n)\Z", line) for line in lines[:-1])


@given(TEXTS, ENCODINGS, st.data())
def test_a_place_survives_the_way_to_the_client_and_back(
    text: str, encoding: str, data: st.DataObject
) -> None:
    lines = split_lines(text)
    line = data.draw(st.integers(0, len(lines) - 1))
    index = data.draw(st.integers(0, len(lines[line].rstrip("\r\n"))))
    position = convert.position_of(lines, Place(line, index), encoding)

    assert position.character == naive_units(lines[line][:index], encoding)
    assert convert.place_of(lines, position, encoding) == Place(line, index)


@given(TEXTS, ENCODINGS, st.integers(0, 50), st.integers(0, 200))
def test_any_position_is_a_place_in_the_text(
    text: str, encoding: str, line: int, character: int
) -> None:
    lines = split_lines(text)
    place = convert.place_of(lines, convert.types.Position(line, character), encoding)

    assert 0 <= place.line < len(lines)
    assert 0 <= place.index <= len(lines[place.line].rstrip("\r\n"))


@given(TEXTS, TEXTS, st.data())
def test_an_edit_of_the_lines_is_an_edit_of_the_text(
    text: str, new: str, data: st.DataObject
) -> None:
    document = Document("file:///a.py", "python", 1, split_lines(text))
    places = [somewhere(document, data) for _ in range(2)]
    start, end = sorted(places, key=lambda place: (place.line, place.index))
    first, last = naive_offset(text, start), naive_offset(text, end)
    assert document.offset(start) == first
    document.replace(start, end, new)

    expected = text[:first] + new + text[last:]
    assert document.text == expected
    assert document.lines == split_lines(expected)


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=4), st.data())
def test_however_it_is_edited_places_are_found_and_halves_are_known(
    text: str, edits: list[str], data: st.DataObject
) -> None:
    document = Document("file:///a.py", "python", 1, split_lines(text))
    for new in edits:
        assert document.may_have_halves or not has_halves(document.text)
        for _ in range(3):
            place = somewhere(document, data)
            assert document.offset(place) == naive_offset(document.text, place)
        document.replace(somewhere(document, data), somewhere(document, data), new)


def somewhere(document: Document, data: st.DataObject) -> Place:
    line = data.draw(st.integers(0, len(document.lines) - 1))
    return Place(line, data.draw(st.integers(0, len(document.lines[line].rstrip("\r\n")))))


@given(st.text())
def test_speakable_text_has_a_utf_8_form(text: str) -> None:
    spoken = convert.speakable(text)
    spoken.encode()
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert spoken == text


@given(
    st.text(CHARACTERS, min_size=1, max_size=30), ENCODINGS, st.integers(1, 9), st.integers(1, 9)
)
def test_the_range_of_some_lines_lies_in_the_text(
    text: str, encoding: str, first: int, last: int
) -> None:
    lines = split_lines(text)
    found = convert.range_of_lines(lines, first, last, encoding)

    assert (found.start.line, found.start.character) <= (found.end.line, found.end.character)
    assert found.end.line < len(lines)
