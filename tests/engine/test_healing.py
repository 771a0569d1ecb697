"""Half-typed words: what is taken back, and which tokens may say it again."""

from __future__ import annotations

import pytest

from engine.healing import Spellings, taken_back
from engine.tokenizer import Tokenizer
from tests.support.tiny import tiny_tokenizer

PIECES = ["", "r", "re", "return", "return x + y", "x", "ret!", "\ufffd", "e", "t", " ", " x"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(tiny_tokenizer())


def test_a_text_goes_on_with_its_beginnings_and_with_what_it_begins() -> None:
    spellings = Spellings(PIECES)

    assert set(spellings.continuing("return x")) == {1, 2, 3, 4}
    assert set(spellings.continuing("ret")) == {1, 2, 3, 4, 6}
    assert set(spellings.continuing("x")) == {5}
    assert spellings.continuing("z") == []


def test_a_token_that_crosses_into_a_banned_text_is_found() -> None:
    spellings = Spellings(PIECES)

    assert spellings.leading_into("ret", ["urn x"]) == {3, 4}
    assert spellings.leading_into("", ["x"]) == {5}
    assert spellings.leading_into("x", ["", "y"]) == frozenset()


def test_a_text_is_spelled_for_certain_when_its_characters_are_tokens() -> None:
    spellings = Spellings(PIECES)

    assert spellings.spells("tex")
    assert spellings.spells("")
    assert not spellings.spells("tea")
    assert not spellings.spells("\ufffd")


@pytest.mark.parametrize(
    ("line", "owed"),
    [
        ("", ""),
        ("    ", " "),
        ("\t\t", "\t"),
        ("    ret", " ret"),
        ("x = foo", " foo"),
        ("foo(", "("),
        ("x = ", " "),
        ("naïve", ""),
        ("'😋", ""),
        ("x" * 100, "x" * 24),
    ],
)
def test_the_last_piece_is_taken_back_and_of_blanks_the_last(
    tokenizer: Tokenizer, line: str, owed: str
) -> None:
    assert taken_back(line, tokenizer.split, Spellings(tokenizer.pieces())) == owed


def test_without_a_splitter_the_line_is_one_piece() -> None:
    plain = tiny_tokenizer()
    plain.pre_tokenizer = None  # type: ignore[assignment]

    assert Tokenizer(plain).split("a b") == ["a b"]
