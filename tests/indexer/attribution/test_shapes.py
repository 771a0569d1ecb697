"""Shapes: equal under any renaming that keeps names apart, and different where one name takes another's place."""

from __future__ import annotations

from indexer.attribution.lexing import lexer_of
from indexer.attribution.shapes import returns, shape_grams


def grams(text: str, k: int, language: str = "python") -> list[int]:
    tokens = lexer_of(language).tokens(text)
    found: list[int] = shape_grams(tokens.exact, tokens.abstract, k).tolist()
    return found


def test_names_may_be_any_as_long_as_they_return_alike() -> None:
    one, other = "total += each * total\n", "count += weight * count\n"

    assert grams(one, 5) == grams(other, 5)
    assert grams(one, 5) != grams("total += each * each\n", 5)


def test_what_a_gram_has_not_had_before_is_some_name_in_it() -> None:
    assert grams("ledger(ledger, row)\n", 3)[-1] == grams("quince(marrow, row)\n", 3)[-1]


def test_attributes_builtins_and_marks_are_not_replaced() -> None:
    one = grams("row.settle(len(row))\n", 4)

    assert one != grams("row.close(len(row))\n", 4)
    assert one != grams("row.settle(sum(row))\n", 4)


def test_rows_shorter_than_a_gram_have_none() -> None:
    assert grams("row\n", 2) == []


def test_how_far_back_an_id_returns() -> None:
    tokens = lexer_of("python").tokens("one two one one three two\n")
    assert returns(tokens.exact).tolist() == [0, 0, 2, 1, 0, 4]
