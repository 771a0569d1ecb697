"""The score: idiom goes on as others wrote it, and a copy does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from indexer.attribution import phrases
from indexer.attribution.lexing import lexer_of
from indexer.attribution.phrases import Phrases, shipped

if TYPE_CHECKING:
    from pathlib import Path

IDIOM = "if __name__ == '__main__':\n    sys.exit(main())\n"
OWN = "if ledger_of == 'plumbago':\n    quince.settle(marrow(ferrule))\n"


def runs(text: str) -> list[int]:
    found: list[int] = shipped().longest(lexer_of("python").tokens(text).exact).tolist()
    return found


def test_idiom_goes_on_as_others_wrote_it_and_own_names_do_not() -> None:
    assert np.mean(runs(IDIOM)) > 2 * np.mean(runs(OWN))


def test_a_phrase_is_as_long_as_several_packages_have_it() -> None:
    assert runs("import numpy as np\n") == [1, 2, 3, 4]


@pytest.mark.parametrize("tokens", [0, 1, 3])
def test_texts_shorter_than_any_phrase_are_asked_for_too(tokens: int) -> None:
    row = lexer_of("python").tokens(OWN).part(0, tokens)
    assert len(shipped().longest(row.exact)) == tokens


def test_phrases_are_found_without_a_compiler_too(monkeypatch: pytest.MonkeyPatch) -> None:
    text = IDIOM + OWN
    compiled = runs(text)
    monkeypatch.setattr(phrases, "compiled", lambda: None)

    assert runs(text) == compiled
    assert max(compiled) == 6


def test_steps_that_are_too_large_for_the_table_are_taken_in_parts(tmp_path: Path) -> None:
    heads = np.array([3, 70_000, 4_000_000_000], np.uint32)
    phrases.write(Phrases(heads), tmp_path / phrases.TABLE)
    read = phrases.read((tmp_path / phrases.TABLE).read_bytes())

    assert set(heads.tolist()) <= set(read.heads.tolist())
    assert read.heads[:2].tolist() == [0, 3]
