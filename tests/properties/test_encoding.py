"""The fast way to tokens gives the tokenizer's own, whatever the text is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.repository import ROOT
from tests.support.tiny import tiny_tokenizer
from trainer import encoding
from trainer.encoding import encoder_of
from trainer.vocabulary import learn

# Where words begin and end: kinds of blanks and line ends, digits, joined marks, other alphabets.
BITS = [
    " ", "  ", "\t", "\n", "\r\n", "\r", "\n \n", "\x0b", "\x0c", "\x1c", "\x1f", "\x7f", "\x00", "\x85", "\xa0",
    "\u2028", "\u3000", "a", "Z", "_", ".", "(", "):", "'s", "'S", "'ll", "'\u017f", "'", '"', "#", "0", "42", "²", "Ⅷ",
    "é", "e\u0301", "ß", "日本", "\N{GRINNING FACE}", "\u200d", "<fim_middle>", "<|endoftext|>", "return", "self.",
]  # fmt: skip
TEXTS = st.one_of(st.lists(st.sampled_from(BITS), max_size=40).map("".join), st.text(max_size=60))


@pytest.fixture(scope="module")
def shipped():
    from tokenizers import Tokenizer

    path = ROOT / "engine" / "models" / "default" / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    return tokenizer


@pytest.fixture(scope="module")
def fast(shipped):
    assert encoding._is_ours(shipped)
    return encoder_of(shipped)


@given(text=TEXTS)
def test_every_text_becomes_the_tokenizers_own_tokens(shipped, fast, text):
    assert fast(text) == shipped.encode(text, add_special_tokens=False).ids


def test_our_own_source_does_too(shipped, fast):
    for path in [*ROOT.glob("*/*.py"), *ROOT.glob("tests/properties/*.py"), *ROOT.glob("*.md")]:
        text = path.read_text(encoding="utf-8")
        assert fast(text) == shipped.encode(text, add_special_tokens=False).ids


@given(text=TEXTS)
def test_a_full_table_changes_nothing(shipped, text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_WORDS", 2)
        patch.setattr(encoding, "_LONGEST", 3)
        assert encoder_of(shipped)(text) == shipped.encode(text, add_special_tokens=False).ids


def test_lone_surrogates_become_one_token_text_each(fast):
    assert fast("a\ud800b") == fast("a\ufffdb")


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": {"type": "NFC"}},
        {"pre_tokenizer": None},
        {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                           "use_regex": True}},
    ],
)  # fmt: skip
def test_other_tokenizers_are_asked_themselves(change):
    about = json.loads(learn(["a = 1\n" * 20], 280).to_str())
    tokenizer = type(tiny_tokenizer()).from_str(json.dumps({**about, **change}))
    tokenizer.encode_special_tokens = True
    text = "def e\u0301(a):\n  return 'it''s'  <fim_pad>\n"

    assert not encoding._is_ours(tokenizer)
    assert encoder_of(tokenizer)(text) == tokenizer.encode(text, add_special_tokens=False).ids


def test_a_begin_token_is_not_put_into_the_middle_of_a_text():
    from tokenizers import processors

    tokenizer = tiny_tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )

    assert tokenizer.encode("a").ids[0] == 0
    assert 0 not in encoder_of(tokenizer)("a")
