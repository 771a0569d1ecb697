"""The score: idiom is foreseen and a copy is not, and what is weighed is what was fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from indexer.attribution import phrases
from indexer.attribution.lexing import lexer_of
from indexer.attribution.phrases import foreseen

if TYPE_CHECKING:
    from pathlib import Path

IDIOM = "if __name__ == '__main__':\n    sys.exit(main())\n"
OWN = "if ledger_of == 'plumbago':\n    quince.settle(marrow(ferrule))\n"


def bits(text: str) -> float:
    return float(foreseen(lexer_of("python").tokens(text).exact).bits.mean())


def test_idiom_is_foreseen_from_the_tokens_before_it_and_own_names_are_not() -> None:
    assert bits(IDIOM) < bits(OWN) / 3


def test_a_phrase_is_as_long_as_several_packages_have_it() -> None:
    ids = lexer_of("python").tokens("import numpy as np\n").exact
    assert foreseen(ids).run.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("tokens", [0, 1, 3])
def test_texts_shorter_than_any_phrase_are_foreseen_too(tokens: int) -> None:
    ids = lexer_of("python").tokens(OWN).exact[:tokens]
    assert [len(each) for each in foreseen(ids)] == [tokens, tokens]


def test_steps_that_are_too_large_for_the_table_are_taken_in_parts(tmp_path: Path) -> None:
    heads = np.array([3, 70_000, 4_000_000_000], np.uint32)
    table = tmp_path / phrases.TABLE
    phrases.write(heads, np.array([3, 300, 4]), table)
    with np.load(table) as read:
        known = read["packages"] > 0
        found = np.cumsum(read["steps"], dtype=np.uint32)[known]
        assert found.tolist() == heads.tolist()
        assert read["packages"][known].tolist() == [3, 255, 4]
