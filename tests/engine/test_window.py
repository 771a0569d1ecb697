"""Which text the model sees, and that keystrokes do not move it."""

from __future__ import annotations

import itertools

import pytest

from engine.api import Gap
from engine.tokenizer import Tokenizer
from engine.window import crop, window_of
from tests.support.tiny import tiny_tokenizer

FUNCTION = "def name_{n}(self, value):\n    return self.other(value, {n})\n\n\n"
LONG = "".join(FUNCTION.format(n=number) for number in range(2000))
ROOM = 256


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(tiny_tokenizer())


def text_of(tokenizer: Tokenizer, ids: list[int]) -> str:
    return tokenizer.decode(ids)


def test_a_short_document_is_shown_whole(tokenizer: Tokenizer) -> None:
    window = window_of(Gap("a = 1\n", "\nb = 2\n", "src\\x.py"), tokenizer, ROOM)

    assert text_of(tokenizer, window.prefix) == "a = 1\n"
    assert text_of(tokenizer, window.suffix) == "\nb = 2\n"
    assert text_of(tokenizer, window.path) == "src/x.py"


def test_a_long_one_gives_three_quarters_to_what_stands_before(tokenizer: Tokenizer) -> None:
    window = window_of(Gap(LONG, LONG), tokenizer, ROOM)

    assert ROOM * 5 // 8 - ROOM // 8 <= len(window.prefix) <= ROOM * 3 // 4
    assert ROOM // 4 <= len(window.suffix) <= ROOM - len(window.prefix)
    assert LONG.endswith(text_of(tokenizer, window.prefix))
    assert LONG.startswith(text_of(tokenizer, window.suffix))


def test_the_window_begins_with_a_line(tokenizer: Tokenizer) -> None:
    window = window_of(Gap(LONG, ""), tokenizer, ROOM)
    shown = text_of(tokenizer, window.prefix)

    assert LONG[: -len(shown)].endswith("\n")


def test_keystrokes_lengthen_the_window_at_its_end_only(tokenizer: Tokenizer) -> None:
    typed = "    return self.something_else(value) + 1\n    for each in value:\n        "
    windows = [
        window_of(Gap(LONG + typed[:end], LONG), tokenizer, ROOM) for end in range(len(typed))
    ]
    moves = sum(
        later.prefix[: len(earlier.prefix) - 4] != earlier.prefix[:-4]
        for earlier, later in itertools.pairwise(windows)
    )

    # Some 70 tokens are typed and a step is 32: the start moves two or three times, not 70 times.
    assert moves <= 4
    assert len({tuple(window.suffix) for window in windows}) <= moves + 2


def test_only_the_text_near_the_gap_decides(tokenizer: Tokenizer) -> None:
    gap = Gap(LONG, LONG)
    near = crop(gap)

    assert len(near.prefix) + near.skipped == len(LONG)
    assert len(near.prefix) + len(near.suffix) < 50_000
    assert window_of(near, tokenizer, ROOM) == window_of(gap, tokenizer, ROOM)
    assert crop(near) == near


def test_a_line_longer_than_the_window_is_shown_in_part(tokenizer: Tokenizer) -> None:
    line = "x" * 100_000
    window = window_of(Gap(line, line), tokenizer, ROOM)

    assert 0 < len(window.prefix) <= ROOM
    assert 0 < len(window.suffix) <= ROOM


def test_no_character_is_split(tokenizer: Tokenizer) -> None:
    emoji = "😋" * 3000
    for shift in range(4):
        window = window_of(Gap("a" * shift + emoji, emoji + "b"), tokenizer, ROOM)
        assert "\ufffd" not in text_of(tokenizer, window.prefix)
        assert "\ufffd" not in text_of(tokenizer, window.suffix)


def test_a_pair_of_surrogates_is_not_cut_apart() -> None:
    pairs = "\ud83d\ude0b" * 40_000
    for lead in ("", "a"):
        near = crop(Gap(lead + pairs, lead + pairs))
        assert near.prefix[0] == "\ud83d"
        assert near.suffix[-1] == "\ude0b"


def test_carriage_returns_are_not_shown(tokenizer: Tokenizer) -> None:
    window = window_of(Gap("a\r\nb\r\n", "\r\nc"), tokenizer, ROOM)

    assert text_of(tokenizer, window.prefix) == "a\nb\n"
    assert text_of(tokenizer, window.suffix) == "\nc"


def test_of_a_long_path_the_end_is_shown(tokenizer: Tokenizer) -> None:
    window = window_of(Gap("", "", "folder/" * 50 + "name.py"), tokenizer, ROOM)

    assert len(window.path) == 48
    assert text_of(tokenizer, window.path).endswith("/name.py")
