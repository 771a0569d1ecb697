"""The server's text is the editor's text, whatever is edited and however columns are counted."""

from __future__ import annotations

import random

import pytest

from tests.support.editor import GHOST, Editor, Stage, units

ALPHABET = ["a", "b", " ", "é", "😋", "한", "\n", "\r\n", "\r", "\f", "\u2028", "\x1c"]


@pytest.fixture(params=["utf-8", "utf-16", "utf-32"], scope="module")
def counting(request: pytest.FixtureRequest, stage: Stage) -> Editor:
    stage.write({"text": "{prefix}¦{suffix}"})
    capabilities = {**GHOST, "general": {"positionEncodings": [request.param]}}
    with Editor(stage.command, capabilities=capabilities) as editor:
        editor.ready()
        yield editor


def test_an_emoji_before_the_cursor_does_not_shift_it(counting: Editor) -> None:
    uri, at = counting.open_at('⇥x = "😋😋" + na<CURSOR>me\n')
    item = counting.suggestion(uri, at)

    assert item["insertText"].endswith("+ na¦me\n")
    assert item["range"] == {"start": {"line": 0, "character": 0}, "end": at}


def test_random_edits_leave_both_sides_with_the_same_text(counting: Editor) -> None:
    pick = random.Random(7)
    text = "".join(pick.choices(ALPHABET, k=60))
    uri = counting.open(text)
    for _ in range(120):
        first, last = sorted(pick.choices(range(len(text) + 1), k=2))
        new = "".join(pick.choices(ALPHABET, k=pick.choice([0, 0, 1, 2, 5])))
        first, last = _between_line_ends(text, first), _between_line_ends(text, last)
        span = {
            "start": naive_position(text, first, counting.encoding),
            "end": naive_position(text, last, counting.encoding),
        }
        counting.change(uri, {"range": span, "text": new})
        text = text[:first] + new + text[last:]

    end = naive_position(text, len(text), counting.encoding)
    item = counting.suggestion(uri, end)
    typed = text[len(text) - len(_last_line(text)) :].lstrip()
    assert item["insertText"] == f"{typed}{text}¦"


def test_several_changes_in_one_notification_apply_in_their_order(counting: Editor) -> None:
    uri = counting.open("one\n")
    zero = {"line": 0, "character": 0}
    counting.change(
        uri,
        {"range": {"start": zero, "end": zero}, "text": "two\n"},
        {"range": {"start": zero, "end": zero}, "text": "😋"},
        {"text": "⇥all new\r\nsecond\r"},
    )

    at = {"line": 2, "character": 0}
    assert counting.suggestion(uri, at)["insertText"] == "⇥all new\r\nsecond\r¦"


def test_a_column_past_the_end_is_the_end_of_that_line(counting: Editor) -> None:
    uri = counting.open("é😋\r\nnext\r\n")
    item = counting.suggestion(uri, {"line": 0, "character": 4000})

    assert item["insertText"] == "é😋é😋¦\r\nnext\r\n"
    width = units("é😋", counting.encoding)
    assert item["range"]["end"] == {"line": 0, "character": width}


@pytest.mark.parametrize(
    "at",
    [
        {"line": 2**31 - 1, "character": 2**31 - 1},
        {"line": 2**53, "character": 2**53},
        {"line": 1e308, "character": 1e308},
        {"line": 9, "character": 0},
    ],
)
def test_a_place_beyond_the_document_is_its_end(counting: Editor, at: dict[str, int]) -> None:
    uri = counting.open("first\nlast")
    assert counting.suggestion(uri, at)["insertText"] == "lastfirst\nlast¦"


def test_a_cursor_inside_a_character_is_before_it(counting: Editor) -> None:
    if counting.encoding == "utf-32":
        return
    uri = counting.open("a😋b")
    assert counting.suggestion(uri, {"line": 0, "character": 2})["insertText"] == "aa¦😋b"


def test_half_a_surrogate_pair_does_not_break_the_answer(counting: Editor) -> None:
    uri = counting.open("x = '\ud83d'\ny")
    item = counting.suggestion(uri, {"line": 1, "character": 1})
    assert item["insertText"] == "yx = '\ufffd'\ny¦"


def test_changes_to_a_document_that_is_not_open_are_ignored(counting: Editor) -> None:
    uri = "file:///never/opened.py"
    document = {"uri": uri, "version": 2}
    counting.client.notify(
        "textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": "x"}]}
    )
    counting.close_document(uri)

    assert counting.suggestion(uri, {"line": 0, "character": 0}) is None
    assert counting.hover(uri, {"line": 0, "character": 0}) is None


def test_a_document_that_was_closed_and_opened_has_its_new_text(counting: Editor) -> None:
    uri = counting.open("old", name="twice.py")
    counting.close_document(uri)
    counting.open("new", name="twice.py")

    assert counting.suggestion(uri, {"line": 0, "character": 3})["insertText"] == "newnew¦"


def test_a_uri_may_be_escaped_differently_from_one_message_to_the_next(counting: Editor) -> None:
    counting.open("x", name="file:///c%3A/a%20b.py")
    assert counting.suggestion("file:///c:/a b.py", {"line": 0, "character": 1}) is not None


def naive_position(text: str, index: int, encoding: str) -> dict[str, int]:
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n")
    last = before.rpartition("\n")[2]
    line = before.count("\n")
    return {"line": line, "character": units(last, encoding)}


def _between_line_ends(text: str, index: int) -> int:
    """No editor puts a cursor between the two characters of a line end."""
    return index + 1 if text[index - 1 : index + 1] == "\r\n" else index


def _last_line(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").rpartition("\n")[2]
