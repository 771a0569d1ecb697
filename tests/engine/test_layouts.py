"""Other publishers' vocabularies: what their tokens say, and only that."""

import pytest

from engine.layouts import layout_of

QWEN = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>")
STARCODER = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|endoftext|>")


def vocabulary(*tokens: str):
    return {token: number for number, token in enumerate(tokens)}.get


def test_a_repository_is_known_where_both_of_its_tokens_are():
    whole = layout_of(vocabulary(*QWEN, "<|repo_name|>", "<|file_sep|>"))
    half = layout_of(vocabulary(*QWEN, "<|repo_name|>"))

    assert whole is not None
    assert half is not None
    assert (whole.repo_name, whole.file_sep) == ("<|repo_name|>", "<|file_sep|>")
    assert (half.repo_name, half.file_sep) == ("", "")


@pytest.mark.parametrize("tokens", [STARCODER, (*STARCODER, "<reponame>", "<|file_sep|>")])
def test_starcoders_spelling_alone_says_nothing_of_repositories(tokens):
    layout = layout_of(vocabulary(*tokens))

    assert layout is not None
    assert (layout.prefix, layout.repo_name, layout.file_sep) == ("<fim_prefix>", "", "")


def test_a_vocabulary_without_the_tokens_has_no_layout():
    assert layout_of(vocabulary("<|endoftext|>", "<fim_prefix>")) is None


@pytest.mark.parametrize(
    "tokens",
    [
        ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>", "<eos>"),
        ("\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>", "\u2581<EOT>", "</s>"),
        ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|end_of_text|>"),
        ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|end_of_text|>"),
        ("<fim-prefix>", "<fim-suffix>", "<fim-middle>", "<|endoftext|>"),
    ],
    ids=["codegemma", "codellama", "granite", "granite with bars", "santacoder"],
)
def test_other_families_are_known_by_their_own_tokens(tokens):
    layout = layout_of(vocabulary(*tokens))

    assert layout is not None
    assert (layout.prefix, layout.suffix, layout.middle, layout.end) == tokens[:4]
    assert layout.psm
    assert not layout.spm
