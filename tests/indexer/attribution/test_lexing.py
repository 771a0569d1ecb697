"""What counts as a token, and what formatting and renaming leave alone."""

from __future__ import annotations

import ast
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from indexer.attribution.lexing import lexer_of
from indexer.attribution.tokens import NAME_ID, PROSE, Tokens, word_id
from tests.indexer.attribution.conftest import CLUSTER, QUEUE


def lexed(text: str, language: str = "python") -> Tokens:
    return lexer_of(language).tokens(text)


def written(text: str, language: str = "python") -> tuple[Tokens, list[str]]:
    """The tokens, and the code that is written at each ("" for prose)."""
    reading = lexer_of(language).read(text)
    words = reading.words(np.arange(len(reading.tokens)))
    prose = (reading.tokens.kinds == PROSE).tolist()
    return reading.tokens, ["" if each else word for word, each in zip(words, prose, strict=True)]


def code(text: str, language: str = "python") -> list[int]:
    tokens = lexed(text, language)
    return tokens.exact[tokens.kinds != PROSE].tolist()


def test_layout_quotes_and_comments_do_not_change_the_code() -> None:
    one = "def f(a, b):\n    # why\n    return g(a, 'x', [1, 2])\n"
    other = 'def f(\n  a,\n  b,\n):\n\n  return g(a, "x", [1, 2,]);\n'

    assert code(one) == code(other)


def test_what_ast_writes_back_is_the_same_code() -> None:
    again = ast.unparse(ast.parse(CLUSTER))

    same = len(set(code(CLUSTER)) & set(code(again))) / len(set(code(CLUSTER)))
    assert same > 0.98
    assert lexed(again).exact[lexed(again).kinds == PROSE].tolist() == list(
        lexed(CLUSTER).exact[lexed(CLUSTER).kinds == PROSE].tolist()
    )


def test_prettier_and_standard_style_are_the_same_code() -> None:
    other = QUEUE.replace("'", '"').replace(";\n", "\n").replace("(resolve) =>", "resolve =>")

    assert code(QUEUE, "javascript") == code(other, "javascript")


def test_a_renamed_function_has_the_same_abstract_form() -> None:
    one = "def total(items, rate):\n    return sum(item.price * rate for item in items)\n"
    other = "def alpha(beta, gamma):\n    return sum(x.price * gamma for x in beta)\n"

    assert lexed(one).abstract.tolist() == lexed(other).abstract.tolist()
    assert lexed(one).exact.tolist() != lexed(other).exact.tolist()


def test_attributes_keywords_and_called_builtins_are_not_abstracted() -> None:
    tokens, words = written("for a in b.names: len(a); filter = len\n")
    kept = {
        word.strip(): int(abstract) != NAME_ID
        for word, abstract in zip(words, tokens.abstract, strict=True)
        if word.strip().isidentifier()
    }

    assert kept == {
        "for": True, "a": False, "in": True, "b": False, "names": True, "filter": False, "len": False,
    }  # fmt: skip
    assert int(tokens.abstract[words.index("len")]) == word_id("len")


def test_docstrings_and_comments_are_prose_and_other_strings_are_not() -> None:
    tokens, words = written(
        '"""Module text."""\nx = """not prose"""\nf(\n    "argument"\n)\n# a remark\n'
    )

    assert int((tokens.kinds == PROSE).sum()) == 4
    assert '"argument"' in words


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(end: str) -> None:
    text = end.join(["a = '''", "two", "'''", "b = 1", "", '"""doc', 'more"""', "c"])
    tokens, words = written(text)
    lines = {word.strip(): int(line) for word, line in zip(words, tokens.lines, strict=True)}

    assert (lines["a"], lines["b"], lines["c"]) == (0, 3, 7)
    assert tokens.lines[tokens.kinds == PROSE].tolist() == [5, 6]


def test_dropped_marks_are_counted_with_the_token_after_them() -> None:
    tokens = lexed("f((a), b,)\n")

    assert len(tokens) == 4
    assert tokens.sizes.tolist() == [1, 3, 2, 1]


@pytest.mark.parametrize(
    "text",
    ["", "\n", "'", '"""', "\\", "#", "\x00\x01", "x = '\\", "`${`", "/* open", "\ud800 = 1", "a\fb", "ünïcode = 'é'"],
)  # fmt: skip
@pytest.mark.parametrize(
    "language", ["python", "typescript", "rust", "shellscript", "markdown", ""]
)
def test_any_text_has_tokens(text: str, language: str) -> None:
    tokens = lexed(text, language)

    assert len(tokens.exact) == len(tokens.abstract) == len(tokens.lines) == len(tokens.kinds)
    assert (tokens.lines >= 0).all()


def test_threads_share_a_lexer() -> None:
    texts = [f"def f_{n}(a_{n % 7}):\n    return b_{n} + a_{n % 7}\n" * 20 for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lexed, texts))

    for text, answer in zip(texts, answers, strict=True):
        assert np.array_equal(answer.exact, lexed(text).exact)


def test_names_are_told_from_keywords_strings_and_prose() -> None:
    text = (
        '"""doc"""\ndef area(width, *, unit="m"):\n    return Size(width=width, unit=unit)  # why\n'
    )

    assert [name.strip() for name in lexer_of("python").names(text, 0, 99)] == [
        "area", "width", "unit", "Size", "width", "width", "unit", "unit",
    ]  # fmt: skip
