"""Text to tokens and back, and what must never become a special token."""

from __future__ import annotations

import pytest

from engine.tokenizer import TextStream, Tokenizer, clean
from tests.support.tiny import SPECIALS, tiny_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(tiny_tokenizer())


def test_text_that_spells_a_sentinel_stays_text(tokenizer: Tokenizer) -> None:
    text = "a <fim_middle> b <|endoftext|>"
    ids = tokenizer.encode(text)

    assert not set(ids) & tokenizer.special_ids
    assert tokenizer.decode(ids) == text


def test_special_tokens_are_known_and_never_shown(tokenizer: Tokenizer) -> None:
    assert tokenizer.special_texts == SPECIALS
    assert tokenizer.special_ids == frozenset(range(16))
    assert tokenizer.decode([0, *tokenizer.encode("x"), 2]) == "x"


def test_characters_of_several_tokens_appear_whole(tokenizer: Tokenizer) -> None:
    stream = TextStream(tokenizer)
    seen = [stream.push(token) for token in tokenizer.encode("é😋x")]

    assert seen == ["", "é", "é", "é", "é", "é😋", "é😋x"]


def test_bytes_that_are_no_text_do_not_hold_the_stream_up(tokenizer: Tokenizer) -> None:
    broken = tokenizer.encode("😋")[0]
    stream = TextStream(tokenizer)
    for token in [broken] * 8:
        stream.push(token)
    text = stream.push(tokenizer.encode("x")[0])

    assert text.endswith("x")
    assert set(text) == {"\ufffd", "x"}


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain é 😋", "plain é 😋"),
        ("a\ud800b", "a\ufffdb"),
        ("a\udc00", "a\ufffd"),
        ("\ud83d\ude0b", "😋"),
        ("\ude0b\ud83d", "\ufffd\ufffd"),
    ],
)
def test_surrogates_are_joined_or_replaced(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_starts_are_characters_of_the_text(tokenizer: Tokenizer) -> None:
    text = "é = 😋\nreturn x"
    ids, starts = tokenizer.encode_with_starts(text)

    assert len(ids) == len(starts)
    assert text[starts[-1] :] == "x"
    assert starts == sorted(starts)
