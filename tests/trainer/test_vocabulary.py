"""The vocabulary: any text survives it, sentinels are single tokens, text never becomes one."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.fim import FimLayout
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
    with pytest.raises(FileNotFoundError, match="footnote train tokenizer"):
        vocabulary.load(tmp_path, FimLayout())


def spelled(*tokens):
    """A small vocabulary whose special tokens have these names, the rest of them others."""
    tokenizer = vocabulary.learn(["a = 1\n" * 20], 280)
    about = json.loads(tokenizer.to_str())
    for number, token in enumerate(vocabulary.SPECIALS):
        new = tokens[number] if number < len(tokens) else f"<other_{number}>"
        about["model"]["vocab"][new] = about["model"]["vocab"].pop(token)
        about["added_tokens"][number]["content"] = new
    return type(tokenizer).from_str(json.dumps(about))


def test_ours_is_trained_with_our_layout(tokenizer):
    assert vocabulary.layout_in(tokenizer) == FimLayout()


@pytest.mark.parametrize(
    ("tokens", "changed"),
    [
        (
            ("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>",
             "<reponame>", "<filename>"),
            {"file_sep": ""},
        ),
        (
            ("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>",
             "<repo_name>", "<file_sep>"),
            {"file_sep": "<file_sep>", "repo_name": "<repo_name>", "file_name": ""},
        ),
        (
            ("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
            {"prefix": "<|fim_prefix|>", "middle": "<|fim_middle|>", "suffix": "<|fim_suffix|>",
             "file_sep": "", "repo_name": "", "file_name": ""},
        ),
    ],
)  # fmt: skip
def test_other_vocabularies_are_trained_as_far_as_their_tokens_go(tmp_path, tokens, changed):
    vocabulary.write(spelled(*tokens), tmp_path)

    layout = vocabulary.layout_in(tmp_path)

    assert layout == replace(FimLayout(), **changed)
    assert vocabulary.load(tmp_path, layout).pad == 4


def test_a_vocabulary_without_the_tokens_says_where_to_get_one(tmp_path):
    vocabulary.write(spelled("<|endoftext|>"), tmp_path)

    with pytest.raises(ValueError, match="footnote train tokenizer"):
        vocabulary.layout_in(tmp_path)
    with pytest.raises(ValueError, match=r"<fim_prefix>.*footnote train tokenizer"):
        vocabulary.load(tmp_path, FimLayout())


def test_a_vocabulary_with_nothing_to_fill_rows_with_is_refused(tmp_path):
    tokens = ("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>")
    vocabulary.write(spelled(*tokens), tmp_path)

    with pytest.raises(ValueError, match="to fill rows with"):
        vocabulary.load(tmp_path, vocabulary.layout_in(tmp_path))


def test_a_damaged_tokenizer_is_named(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")

    with pytest.raises(ValueError, match=r"tokenizer.json is damaged"):
        vocabulary.load(tmp_path, FimLayout())
