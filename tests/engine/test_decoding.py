"""The token loop: where it stops, and that it looks whether to stop between any two runs of the model."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from engine.api import Ban, CancelToken
from engine.decoding import Decoded, Decoder, Request, decode
from engine.prefix_cache import BLOCK, PrefixCache
from engine.sampling import greedy
from engine.tokenizer import Tokenizer
from tests.support.tiny import tiny_tokenizer

if TYPE_CHECKING:
    from engine.local import LocalCompleter
    from engine.network import Scores

PROMPT = list(range(16, 16 + 200))
MUTE = [
    token
    for token, piece in enumerate(Tokenizer(tiny_tokenizer()).pieces())
    if not piece or "\ufffd" in piece
]


class Watched:
    """A model that counts its runs and can be told to do something at one of them."""

    is_exact = False

    def __init__(self, model: Any, at: int = -1, then: Any = None) -> None:
        self._model = model
        self._at, self._then = at, then
        self.runs: list[int] = []  # tokens of each run

    def scores(self, tokens: Any, position: int, cache: Any, wanted: int = 1) -> Scores:
        self.runs.append(len(tokens))
        if len(self.runs) == self._at:
            self._then()
        scores: Scores = self._model.scores(tokens, position, cache, wanted).copy()
        # The tiny model must not end by itself, and write characters only, not halves of them.
        scores[:, MUTE] = -np.inf
        return scores

    def certainty(self, scores: Scores, token: int) -> tuple[float, float]:
        found: tuple[float, float] = self._model.certainty(scores, token)
        return found


@pytest.fixture
def decoder(tiny: LocalCompleter) -> Decoder:
    """A decoder of its own, which has seen nothing yet."""
    own = tiny._decoder
    return Decoder(own.model, own.tokenizer, own.spellings, own.model.new_cache(512), PrefixCache())


def run(decoder: Decoder, cancel: CancelToken | None = None, **request: Any) -> Decoded:
    wanted = {"prompt": PROMPT, "max_new_tokens": 8, "stop": lambda _text: None, **request}
    clock = wanted.pop("clock", lambda: 0.0)
    return decode(decoder, Request(**wanted), cancel or CancelToken(), clock)


def watched(decoder: Decoder, at: int = -1, then: Any = None) -> Decoder:
    return replace(decoder, model=Watched(decoder.model, at, then))  # type: ignore[arg-type]


def test_a_prompt_is_run_in_blocks_and_then_step_by_step(decoder: Decoder) -> None:
    seen = watched(decoder)
    result = run(seen)

    assert seen.model.runs == [64, 64, 64, 8] + [1] * 7  # type: ignore[attr-defined]
    assert (len(result.tokens), result.stop_reason) == (8, "length")


@pytest.mark.parametrize("at", [1, 2, 4, 5, 7])
def test_after_cancelling_the_model_is_not_run_again(decoder: Decoder, at: int) -> None:
    cancel = CancelToken()
    seen = watched(decoder, at, cancel.cancel)
    result = run(seen, cancel)

    assert result.stop_reason == "cancelled"
    assert len(seen.model.runs) == at  # type: ignore[attr-defined]


def test_what_was_cancelled_before_costs_nothing(decoder: Decoder) -> None:
    cancel = CancelToken()
    cancel.cancel()
    seen = watched(decoder)

    assert run(seen, cancel).stop_reason == "cancelled"
    assert seen.model.runs == []  # type: ignore[attr-defined]


def test_a_cancelled_prompt_leaves_its_finished_blocks(decoder: Decoder) -> None:
    cancel = CancelToken()
    run(watched(decoder, 3, cancel.cancel), cancel)

    assert run(decoder).cached_tokens == 3 * BLOCK


def test_time_over_ends_the_text_after_the_step(decoder: Decoder) -> None:
    ticks: Iterator[float] = iter(range(1000))
    result = run(decoder, deadline=10.0, clock=lambda: float(next(ticks)))

    assert result.stop_reason == "time"
    assert 0 < len(result.tokens) < 8


def test_a_deadline_that_passed_ends_before_anything(decoder: Decoder) -> None:
    seen = watched(decoder)
    result = run(seen, deadline=0.0, clock=lambda: 1.0)

    assert (result.stop_reason, result.tokens) == ("time", [])
    assert seen.model.runs == []  # type: ignore[attr-defined]


def test_the_stop_rule_sees_all_text_so_far_and_ends_it(decoder: Decoder) -> None:
    seen: list[str] = []

    def stop(text: str) -> str | None:
        seen.append(text)
        return "enough" if len(seen) == 3 else None

    result = run(watched(decoder), stop=stop)

    assert result.stop_reason == "enough"
    assert len(result.tokens) == 3
    assert result.text == seen[-1]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(seen))


def test_a_special_token_is_the_end_and_is_not_shown(decoder: Decoder) -> None:
    class Ending(Watched):
        def scores(self, tokens: Any, position: int, cache: Any, wanted: int = 1) -> Scores:
            scores = super().scores(tokens, position, cache, wanted)
            if len(self.runs) >= 6:
                scores[:, 4] = 1e9
            return scores

    result = run(replace(decoder, model=Ending(decoder.model)))  # type: ignore[arg-type]

    assert result.stop_reason == "end"
    assert len(result.tokens) == 2
    assert not set(result.tokens) & decoder.tokenizer.special_ids


def test_no_token_is_made_where_none_is_allowed(decoder: Decoder) -> None:
    assert run(decoder, max_new_tokens=0).tokens == []


def test_a_text_never_outgrows_the_memory(decoder: Decoder) -> None:
    result = run(watched(decoder), prompt=PROMPT * 2 + PROMPT[:100], max_new_tokens=1000)

    assert len(result.tokens) == 512 - 500
    assert result.stop_reason == "length"


def test_the_same_prompt_gives_the_same_tokens(decoder: Decoder) -> None:
    assert run(watched(decoder)).tokens == run(watched(decoder)).tokens


def test_what_is_banned_does_not_come(decoder: Decoder) -> None:
    plain = run(watched(decoder))
    other = run(watched(decoder), banned=(Ban(plain.text),))

    assert other.text
    assert not other.text.startswith(plain.text[:1])


@pytest.mark.parametrize("kept", [1, 2, 5])
def test_what_may_stay_is_said_before_another_way_is_taken(decoder: Decoder, kept: int) -> None:
    plain = run(watched(decoder))
    after = decoder.tokenizer.decode(plain.tokens[:kept])
    text = plain.text.removeprefix(after)
    other = run(watched(decoder), banned=(Ban(text, after),))

    assert after
    assert text
    assert other.tokens[:kept] == plain.tokens[:kept]
    assert not other.text.removeprefix(after).startswith(text[:1])


@pytest.mark.parametrize("owed", ["return", "self.", " ", "xyz"])
def test_what_is_owed_is_said_first_and_not_shown(decoder: Decoder, owed: str) -> None:
    result = run(watched(decoder), owed=owed, max_new_tokens=4)
    spelled = decoder.tokenizer.decode(result.tokens)

    assert spelled.startswith(owed)
    assert result.text == spelled[len(owed) :]


def test_what_is_owed_counts_for_no_limit_and_no_rule(decoder: Decoder) -> None:
    seen: list[str] = []
    run(watched(decoder), owed="qqqq", max_new_tokens=3, stop=lambda text: seen.append(text))

    assert len(seen) == 3
    assert all(seen)


def test_what_is_owed_can_be_banned_to_go_on_with(decoder: Decoder) -> None:
    plain = run(watched(decoder), owed="ret")
    other = run(watched(decoder), owed="ret", banned=(Ban(plain.text),))

    assert decoder.tokenizer.decode(other.tokens).startswith("ret")
    assert not other.text.startswith(plain.text[:1])


def test_the_end_is_no_first_token(decoder: Decoder) -> None:
    class Tired(Watched):
        def scores(self, tokens: Any, position: int, cache: Any, wanted: int = 1) -> Scores:
            scores = super().scores(tokens, position, cache, wanted)
            scores[:, 0] = 1e9
            return scores

    for owed in ("", "x"):
        result = run(replace(decoder, model=Tired(decoder.model)), owed=owed)  # type: ignore[arg-type]
        assert result.stop_reason == "end"
        assert len(result.text) >= 1


def test_greedy_takes_the_best_that_is_allowed() -> None:
    scores = np.array([0.1, 0.9, 0.9, 0.5], np.float32)

    assert greedy(scores) == 1
    assert greedy(scores, forbidden={1}) == 2
    assert greedy(scores, allowed=[0, 3]) == 3
    assert greedy(scores, allowed=[0, 3], forbidden={3}) == 0
    assert scores.tolist() == pytest.approx([0.1, 0.9, 0.9, 0.5])


@pytest.mark.parametrize("owed", ["", "sel"])
def test_how_sure_it_is_follows_from_the_scores_of_each_choice(decoder: Decoder, owed: str) -> None:
    decoder = watched(decoder)
    found = run(decoder, owed=owed)

    cache = decoder.model._model.new_cache(512)  # type: ignore[attr-defined]
    ids = [*PROMPT, *found.tokens]
    scores = torch.from_numpy(decoder.model.scores(ids, 0, cache, len(ids)))[len(PROMPT) - 1 : -1]
    hidden = len(found.tokens) - len(found.log_probabilities)  # they only spelled what was owed
    said = "".join(decoder.tokenizer.decode([token]) for token in found.tokens[:hidden])
    for place, token in list(enumerate(found.tokens))[hidden:]:
        kept = scores[place]
        if place == hidden and owed:
            among = decoder.spellings.continuing(owed[len(said) :])
            kept = torch.full_like(kept, -torch.inf)
            kept[among] = scores[place][among]
        sure = kept.log_softmax(0)
        spread = -(sure.exp() * sure.nan_to_num(neginf=0.0)).sum()
        assert found.log_probabilities[place - hidden] == pytest.approx(
            float(sure[token]), abs=1e-4
        )
        assert found.entropies[place - hidden] == pytest.approx(float(spread), abs=1e-4)
