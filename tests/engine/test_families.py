"""Every family is asked in the layout that its publisher documents, token by token, and its answer read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.api import CompletionOptions, Gap, ModelUnavailable
from engine.loading import load
from engine.tokenizer import TextStream, load_tokenizer
from tests.support.families import SPECIALS, family_tokenizer, write_family

# What stands before the prefix, between it and the suffix, and behind; then what ends a middle.
DOCUMENTED = {
    "starcoder": ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|endoftext|>"),
    "starcoder2": ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|endoftext|>"),
    "qwen2.5-coder": ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>"),
    "deepseek-coder": (
        "<\uff5cbegin\u2581of\u2581sentence\uff5c> <\uff5cfim\u2581begin\uff5c>",
        "<\uff5cfim\u2581hole\uff5c>",
        "<\uff5cfim\u2581end\uff5c>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
    ),
    "codegemma": (
        "<bos> <|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
        "<|file_separator|>",
    ),
    "codellama": ("<s> \u2581<PRE>", "\u2581<SUF>", "\u2581<MID>", "\u2581<EOT>"),
    "granite": ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|end_of_text|>"),
    "santacoder": ("<fim-prefix>", "<fim-suffix>", "<fim-middle>", "<|endoftext|>"),
}
ARCHITECTURE = {
    "starcoder": "gpt_bigcode",
    "starcoder2": "starcoder2",
    "qwen2.5-coder": "qwen2",
    "deepseek-coder": "llama",
    "codegemma": "gemma",
    "codellama": "llama",
    "granite": "granite",
    "santacoder": "gpt_bigcode",
}
GAP = Gap("def f(a):\n    return a\n", " = a\n", path="f.py")


def folder_of(name: str, tmp_path: Path) -> Path:
    return write_family(tmp_path / "model", ARCHITECTURE[name], tokenizer=family_tokenizer(name))


@pytest.mark.parametrize("name", SPECIALS)
def test_a_prompt_is_the_documented_one(name: str, tmp_path: Path) -> None:
    completer = load(folder_of(name, tmp_path), backend="torch", dtype="float32", threads=1)
    tokenizer = completer.tokenizer

    prompt = completer.request(GAP, CompletionOptions()).prompt

    before, between, behind, _ = (
        [tokenizer.id_of(each) for each in part.split(" ")] for part in DOCUMENTED[name]
    )
    assert prompt == [
        *before,
        *tokenizer.encode(GAP.prefix),
        *between,
        *tokenizer.encode(GAP.suffix),
        *behind,
    ]


@pytest.mark.parametrize("name", SPECIALS)
def test_the_end_of_a_middle_ends_it_and_is_not_shown(name: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(folder_of(name, tmp_path) / "tokenizer.json")
    end = tokenizer.id_of(DOCUMENTED[name][3])

    assert end in tokenizer.special_ids
    assert tokenizer.decode([*tokenizer.encode("a"), end]) == "a"


@pytest.mark.parametrize("name", SPECIALS)
def test_a_document_that_spells_a_sentinel_gets_none(name: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(folder_of(name, tmp_path) / "tokenizer.json")

    for token in SPECIALS[name]:
        ids = tokenizer.encode(f"a {token} a")
        assert tokenizer.id_of(token) not in ids


@pytest.mark.parametrize("name", SPECIALS)
@pytest.mark.parametrize("text", ["return a = in", "  a\n    a", " a", "\u00e9 = a"])
def test_a_text_shown_token_by_token_is_whole(name: str, text: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(folder_of(name, tmp_path) / "tokenizer.json")
    stream = TextStream(tokenizer)

    for token in tokenizer.encode(text):
        stream.push(token)

    assert stream.text == text


@pytest.mark.parametrize("name", SPECIALS)
def test_a_family_completes(name: str, tmp_path: Path) -> None:
    completer = load(folder_of(name, tmp_path), backend="torch", dtype="float32", threads=1)
    request = completer.request(GAP, CompletionOptions(max_new_tokens=8))

    found = completer.raw(replace(request, stop=lambda _: None))

    assert found.tokens
    assert not set(found.tokens) & completer.tokenizer.special_ids
    assert not any(token in found.text for token in SPECIALS[name])


def test_a_vocabulary_of_metaspaces_adds_no_blank(tmp_path: Path) -> None:
    from tokenizers import decoders, pre_tokenizers

    vocabulary = family_tokenizer("codellama")
    vocabulary.normalizer = None
    vocabulary.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    vocabulary.decoder = decoders.Sequence(
        [decoders.Metaspace(prepend_scheme="always"), decoders.ByteFallback(), decoders.Fuse()]
    )
    vocabulary.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path / "tokenizer.json")
    stream = TextStream(tokenizer)

    for token in tokenizer.encode("a = in a"):
        stream.push(token)

    assert stream.text == "a = in a"


def test_a_vocabulary_without_the_tokens_is_refused(tmp_path: Path) -> None:
    folder = folder_of("granite", tmp_path)
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace("<fim_middle>", "<fim_other>"))

    with pytest.raises(ModelUnavailable, match="no fill-in-the-middle tokens: choose one"):
        load(folder)


def test_a_vocabulary_that_needs_no_change_gets_none(tmp_path: Path) -> None:
    from engine.tokenizer import as_parts

    text = family_tokenizer("starcoder").to_str()

    assert as_parts(text) is text
    assert json.loads(as_parts(family_tokenizer("codellama").to_str()))["decoder"]["decoders"]
