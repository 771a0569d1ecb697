"""The vocabulary: any text survives it, sentinels are single tokens, text never becomes one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import vocabulary

UGLY = [
    "",
    "\n",
    "\r\n\t  \x00\x7f",
    "naïve — “quotes” … ﬁ Å Å",
    "🤦🏼‍♂️ 👩‍👩‍👧 \U0010ffff",
    "a\u200bb\ufeff\u2028",
    "<|endoftext|><fim_prefix><filename>",
    "12345678901234567890",
    "'LL 'S don'T",
    "x" * 3000,
]


@pytest.mark.parametrize("text", UGLY)
def test_ugly_texts_come_back_as_they_were(tokenizer, text):
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tokenizer)

    ids = loaded(text, split_special_tokens=True)["input_ids"]
    assert loaded.decode(ids, clean_up_tokenization_spaces=False) == text


@given(text=st.text())
@settings(deadline=None)
def test_any_text_comes_back(words, tokenizer, text):
    from tokenizers import Tokenizer

    decoder = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))

    assert decoder.decode(words.encode(text), skip_special_tokens=False) == text


def test_specials_come_first_and_text_never_spells_one(tokenizer, words):
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))

    assert [loaded.id_to_token(each) for each in range(16)] == list(vocabulary.SPECIALS)
    assert min(words.encode("".join(vocabulary.SPECIALS))) >= len(vocabulary.SPECIALS)


def test_transformers_knows_end_and_pad(tokenizer):
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tokenizer)

    assert (loaded.eos_token_id, loaded.pad_token_id) == (0, 4)


def test_digits_are_single_tokens(words):
    assert len(words.encode("20260")) == 5


def test_the_same_texts_give_the_same_vocabulary(documents):
    texts = [each.text for each in documents]

    assert vocabulary.learn(texts, 400).to_str() == vocabulary.learn(texts, 400).to_str()


def test_a_sample_is_a_fixed_part(documents):
    total = sum(each.size for each in documents)
    half = list(vocabulary.sample(documents, total // 2, corpus_bytes=total))

    assert 0 < len(half) < len(documents)
    assert half == list(vocabulary.sample(documents, total // 2, corpus_bytes=total))


def test_a_missing_tokenizer_says_what_to_run(tmp_path):
    from engine.fim import FimLayout

    with pytest.raises(FileNotFoundError, match="footnote train tokenizer"):
        vocabulary.load(tmp_path, FimLayout())
