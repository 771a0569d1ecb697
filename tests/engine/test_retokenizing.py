"""Tokens made anew from the line before a change on are those of the whole text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.loading import DEFAULT_MODEL
from engine.retokenizing import Retokenizer
from engine.tokenizer import Tokenizer, load_tokenizer
from tests.support.tiny import tiny_tokenizer

SHIPPED = load_tokenizer(DEFAULT_MODEL / "tokenizer.json")
LINES = "import os\n\n\ndef find(name: str) -> int:\n    return os.stat(name).st_size + 12345\n"
TEXT = LINES * 12


def qwen_like() -> Tokenizer:
    """Words that end in line ends, and runs of blanks whose last belongs to the next word."""
    from tokenizers import Regex, normalizers, pre_tokenizers

    vocabulary = tiny_tokenizer()
    words = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    vocabulary.normalizer = normalizers.NFC()
    vocabulary.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return Tokenizer(vocabulary)


TOKENIZERS = {"shipped": SHIPPED, "tiny": Tokenizer(tiny_tokenizer()), "like Qwen": qwen_like()}


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=60, deadline=None)
@given(
    edits=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.integers(0, 30),
            st.text(alphabet='ab1 \n\t("\u00e9\u0301\U0001f600', max_size=8),
        ),
        max_size=12,
    )
)
def test_edited_texts_have_the_tokens_of_the_whole(
    name: str, edits: list[tuple[float, int, str]]
) -> None:
    tokenizer = TOKENIZERS[name]
    known, text = Retokenizer(tokenizer), TEXT
    for where, removed, added in edits:
        place = int(where * len(text))
        text = text[:place] + added + text[place + removed :]
        assert known.encode_with_starts(text) == tokenizer.encode_with_starts(text)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_line_end_behind_blanks_joins_the_one_before_them(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    known = Retokenizer(tokenizer)
    for end in ("x\n      ", "x\n      \n", "x\n      \n   y", "x", "x\n\n\n", ""):
        text = TEXT + end
        assert known.encode_with_starts(text) == tokenizer.encode_with_starts(text)


def test_a_keystroke_encodes_a_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Retokenizer(SHIPPED)
    known.encode_with_starts(TEXT)
    encoded: list[str] = []
    plain = Tokenizer.encode_words
    monkeypatch.setattr(
        Tokenizer, "encode_words", lambda self, text: encoded.append(text) or plain(self, text)
    )
    for count in range(1, 30):
        known.encode_with_starts(TEXT + "    total = 0"[:count])

    assert max(map(len, encoded)) < 2 * len(LINES)


def test_several_texts_are_remembered_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Retokenizer(SHIPPED)
    texts = [f"# {number}\n{TEXT}" * 2 for number in range(6)]
    for text in texts:
        known.encode_with_starts(text)
    encoded: list[str] = []
    plain = Tokenizer.encode_words
    monkeypatch.setattr(
        Tokenizer, "encode_words", lambda self, text: encoded.append(text) or plain(self, text)
    )
    for text in texts:
        assert known.encode_with_starts(text + "x") == SHIPPED.encode_with_starts(text + "x")

    assert max(map(len, encoded)) < 2 * len(LINES)


def test_what_it_gives_out_is_the_callers_own() -> None:
    known = Retokenizer(SHIPPED)
    ids, starts = known.encode_with_starts(TEXT)
    ids.clear()
    starts.clear()

    assert known.encode_with_starts(TEXT) == SHIPPED.encode_with_starts(TEXT)


def test_a_vocabulary_that_looks_at_the_beginning_is_always_asked_in_full() -> None:
    from tokenizers import pre_tokenizers

    blank_first = tiny_tokenizer()
    blank_first.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    metaspace = tiny_tokenizer()
    metaspace.pre_tokenizer = pre_tokenizers.Metaspace()
    alone = tiny_tokenizer()
    alone.pre_tokenizer = None

    for vocabulary in (blank_first, metaspace, alone):
        assert not Tokenizer(vocabulary).is_local
    assert all(each.is_local for each in TOKENIZERS.values())


def test_texts_of_several_files_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Retokenizer(SHIPPED)
    texts = [f"file_{number} = {number}\n" + TEXT for number in range(12)]
    found = [known.encode_with_starts(text) for text in texts]
    monkeypatch.setattr(Tokenizer, "encode_words", lambda self, text: pytest.fail("encoded anew"))

    assert [known.encode_with_starts(text) for text in texts] == found
