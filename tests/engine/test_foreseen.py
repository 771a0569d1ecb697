"""What was computed behind a prompt is not computed again, and changes no text."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.api import Ban, CancelToken
from engine.cuts import ANYWHERE, COARSE
from engine.decoding import Decoded, Decoder, Request, decode
from engine.foreseen import Foreseen
from engine.healing import Spellings
from engine.prefix_cache import PrefixCache
from engine.tokenizer import Tokenizer
from tests.support.tiny import tiny_tokenizer

if TYPE_CHECKING:
    from engine.network import Scores

TOKENIZER = Tokenizer(tiny_tokenizer())
PIECES = TOKENIZER.pieces()
WORDS = [token for token, piece in enumerate(PIECES) if len(piece) == 1 and piece.isascii()]
PROMPT = [WORDS[each % len(WORDS)] for each in range(100)]


class Memory:
    capacity = 400

    def __init__(self) -> None:
        self.tokens: list[int] = []


class Counting:
    """A model whose scores depend on every token that its memory holds; it counts its runs."""

    certainty = staticmethod(lambda _scores, token: (0.0, float(token)))

    def __init__(self, *, is_exact: bool) -> None:
        self.is_exact = is_exact
        self.runs: list[int] = []

    def scores(self, tokens: Any, position: int, cache: Memory, wanted: int = 1) -> Scores:
        self.runs.append(len(tokens))
        cache.tokens[position:] = tokens
        rows = np.zeros((len(tokens), len(PIECES)), np.float32)
        for row in range(len(tokens)):
            text = tuple(cache.tokens[: position + row + 1])
            rows[row, WORDS] = np.random.default_rng(abs(hash(text))).random(len(WORDS))
        return rows[len(tokens) - wanted :]


def made(*, is_exact: bool = True) -> Decoder:
    model: Any = Counting(is_exact=is_exact)
    cuts = ANYWHERE if is_exact else COARSE
    return Decoder(model, TOKENIZER, Spellings(PIECES), Memory(), PrefixCache(cuts))


def ran(decoder: Decoder, prompt: list[int], **more: Any) -> tuple[Decoded, int]:
    """What came out, and how often the model ran."""
    request = Request(prompt, **{"max_new_tokens": 8, "stop": lambda _text: None, **more})
    before = len(decoder.model.runs)  # type: ignore[attr-defined]
    found = decode(decoder, request, CancelToken())
    return found, len(decoder.model.runs) - before  # type: ignore[attr-defined]


def same(one: Decoded, other: Decoded) -> bool:
    return (one.tokens, one.text, one.entropies) == (other.tokens, other.text, other.entropies)


@pytest.mark.parametrize("is_exact", [True, False])
def test_asking_once_more_runs_nothing(is_exact: bool) -> None:
    decoder = made(is_exact=is_exact)
    first, _ = ran(decoder, PROMPT)
    again, runs = ran(decoder, PROMPT)

    assert runs == 0
    assert same(first, again)
    assert again.cached_tokens == len(PROMPT)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_typing_along_runs_only_what_is_new(count: int) -> None:
    decoder = made()
    first, whole = ran(decoder, PROMPT)
    longer = [*PROMPT, *first.tokens[:count]]
    typed, runs = ran(decoder, longer)

    assert 0 < runs < whole
    assert same(typed, ran(made(), longer)[0])
    assert typed.tokens[: 8 - count] == first.tokens[count:]


def test_where_a_row_depends_on_its_company_a_longer_prompt_is_run_again() -> None:
    decoder = made(is_exact=False)
    first, _ = ran(decoder, PROMPT)
    longer = [*PROMPT, *first.tokens[:3]]
    typed, runs = ran(decoder, longer)

    assert runs == 1 + 7
    assert same(typed, ran(made(is_exact=False), longer)[0])


@pytest.mark.parametrize("is_exact", [True, False])
def test_another_way_is_run_from_where_it_leaves(is_exact: bool) -> None:
    decoder = made(is_exact=is_exact)
    first, _ = ran(decoder, PROMPT)
    after = TOKENIZER.decode(first.tokens[:5])
    banned = (Ban(first.text.removeprefix(after), after),)
    other, runs = ran(decoder, PROMPT, banned=banned)

    assert other.tokens[:5] == first.tokens[:5] != other.tokens[3:]
    assert same(other, ran(made(is_exact=is_exact), PROMPT, banned=banned)[0])
    assert runs <= 2
    assert same(first, ran(decoder, PROMPT)[0])


@pytest.mark.parametrize("is_exact", [True, False])
def test_what_was_run_in_between_is_not_taken_for_it(is_exact: bool) -> None:
    decoder = made(is_exact=is_exact)
    first, _ = ran(decoder, PROMPT)
    ran(decoder, [*PROMPT[:70], *PROMPT[:20]])
    again, runs = ran(decoder, PROMPT)

    assert runs > 0
    assert same(first, again)


def test_a_model_that_fails_leaves_nothing_behind() -> None:
    decoder = made()
    first, _ = ran(decoder, PROMPT)

    class Broken(Counting):
        def scores(self, *_: Any, **__: Any) -> Scores:
            raise RuntimeError

    broken: Any = Broken(is_exact=True)
    with pytest.raises(RuntimeError):
        ran(replace(decoder, model=broken), PROMPT, max_new_tokens=20)
    again, runs = ran(decoder, PROMPT)

    assert runs > 0
    assert same(first, again)


def test_of_long_texts_the_beginning_is_kept() -> None:
    wide = np.zeros(400_000, np.float32)  # 1.6 MB: one row is kept
    way = Foreseen([1, 2], wide)
    way.extend([3, 4], np.stack([wide, wide]))
    way.follow(4)

    assert way.scores.shape == wide.shape
    assert way.taken_up([1, 2], anywhere=True) is not None
    assert way.taken_up([1, 2, 3], anywhere=True) is None


def test_rows_of_wrong_guesses_are_not_kept() -> None:
    way = Foreseen([1, 2], np.zeros(8, np.float32))
    block = np.ones((6, 8), np.float32)
    gone = weakref.ref(block)
    way.extend([3, 4, 5, 6, 7, 8], block)
    del block
    way.follow(9)
    assert gone() is not None
    way.extend([9], np.zeros((1, 8), np.float32))

    assert gone() is None
    found = way.taken_up([1, 2, 3], anywhere=True)
    assert found is not None
    assert found.scores.tolist() == [1.0] * 8
