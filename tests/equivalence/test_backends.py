"""What makes it fast changes nothing, whoever computes: caches, guesses, healing, rows in company."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine import CancelToken, CompletionOptions, Gap
from engine.backends import NATIVE, OPENVINO, TORCH, installed
from engine.decoding import Decoded, Request, decode
from engine.loading import load
from engine.prefix_cache import BLOCK, Shelf
from engine.retokenizing import Retokenizer
from tests.support.families import write_family
from tests.support.tiny import write_tiny

if TYPE_CHECKING:
    from engine.local import LocalCompleter

TRANSFORMERS = "transformers"
SOURCE = "".join(
    f"def name_{n}(self, value):\n    return self.other(value, {n}) + value\n\n" for n in range(20)
)
TOKENS = [16 + each * 7 % 250 for each in range(150)]
CLOSED = Gap(SOURCE + "x = self.other(a)", "\n", "a.py", "python")  # nothing longer begins with ")"


@pytest.fixture(scope="module", params=[NATIVE, OPENVINO, TORCH, TRANSFORMERS])
def kept(request: Any, tmp_path_factory: pytest.TempPathFactory) -> LocalCompleter:
    """A completer whose memory is full of what other tests asked."""
    folder = tmp_path_factory.mktemp("models") / "model"
    if request.param == TRANSFORMERS:
        made: Any = load(write_family(folder, "starcoder2"), dtype="float32", threads=1)
    elif not installed(request.param):
        pytest.skip(f"{request.param} is not here")
    else:
        dtype = "float32" if request.param == TORCH else "auto"
        made = load(write_tiny(folder), backend=request.param, dtype=dtype, threads=1)
    return made  # type: ignore[no-any-return]


def fresh(kept: LocalCompleter) -> LocalCompleter:
    """The same weights, and no memory of anything."""
    made = copy.copy(kept)
    model = kept._decoder.model
    made._shelf = Shelf(lambda: model.new_cache(500), 1, model.cuts)
    made._retokenizer = Retokenizer(kept.tokenizer)
    return made


def same(one: Any, other: Any) -> bool:
    return (one.text, one.stop_reason, one.new_tokens, one.confidence, one.entropy) == (
        other.text, other.stop_reason, other.new_tokens, other.confidence, other.entropy,
    )  # fmt: skip


def session() -> list[Gap]:
    """Typing, deleting, an edit above, a jump, another file and back."""
    at = SOURCE.index("def name_9")
    before, after = SOURCE[:at], "\n\n" + SOURCE[at:]
    texts = [before + "for each in value:\n    ret"[:n] for n in range(0, 26, 5)]
    texts += [texts[-1][:-7], texts[-1].replace("name_3", "name_of"), before[: at // 2], "x = ("]
    texts += [texts[2], texts[-1] + "self"]
    return [Gap(text, after if len(text) > 20 else "", "a.py", "python") for text in texts]


def test_cached_is_uncached(kept: LocalCompleter) -> None:
    options = CompletionOptions(max_new_tokens=8, min_confidence=0.0)
    reused = 0
    for gap in session():
        found = kept.complete(gap, options, CancelToken())
        expected = fresh(kept).complete(gap, options, CancelToken())
        reused += found.cached_tokens
        assert same(found, expected)
        assert expected.cached_tokens == 0

    assert reused > 6 * BLOCK


def ran(completer: LocalCompleter, request: Request) -> Decoded:
    ledger, memory = completer._shelf.take(request.prompt)
    decoder = replace(completer._decoder, ledger=ledger, memory=memory)
    return decode(decoder, request, CancelToken())


def test_speculative_is_plain(kept: LocalCompleter) -> None:
    class Plain:
        """The same model, as if its guesses had to be left out."""

        is_exact = False

        def __init__(self, model: Any) -> None:
            self.scores, self.certainty = model.scores, model.certainty

    plain = fresh(kept)
    plain._decoder = replace(kept._decoder, model=Plain(kept._decoder.model))  # type: ignore[arg-type]
    request = Request([16 + each % 5 for each in range(150)], 30, stop=lambda _: None)

    one, other = ran(fresh(kept), request), ran(plain, request)

    assert (one.tokens, one.log_probabilities) == (other.tokens, other.log_probabilities)
    assert one.steps <= other.steps
    if not kept._decoder.model.is_exact:  # then none are made
        assert one.steps == other.steps


def test_healed_is_unhealed_where_the_piece_is_whole(kept: LocalCompleter) -> None:
    """A piece that nothing else begins with: to take it back and say it again is to leave it."""
    options = CompletionOptions(max_new_tokens=10)
    healed = kept.request(CLOSED, options)
    (piece,) = kept._decoder.spellings.continuing(healed.owed)
    unhealed = replace(healed, prompt=[*healed.prompt, piece], owed="")

    assert healed.owed == ")"
    one, other = ran(fresh(kept), healed), ran(fresh(kept), unhealed)
    assert one.text == other.text
    assert one.tokens == [piece, *other.tokens]
    assert one.log_probabilities == pytest.approx(other.log_probabilities, abs=1e-4)


def test_a_gap_without_a_piece_before_it_is_not_healed(kept: LocalCompleter) -> None:
    assert kept.request(Gap(SOURCE, "\n", "a.py", "python"), CompletionOptions()).owed == ""


@pytest.mark.parametrize("rows", [2, 4, 8])
def test_rows_in_company_are_rows_alone(kept: LocalCompleter, rows: int) -> None:
    model = kept._decoder.model
    together, alone = model.new_cache(256), model.new_cache(256)
    for cache in (together, alone):
        model.scores(TOKENS[:128], 0, cache)

    found = np.array(model.scores(TOKENS[128 : 128 + rows], 128, together, rows))
    each = [model.scores([TOKENS[n]], n, alone)[0].copy() for n in range(128, 128 + rows)]

    if model.is_exact:
        assert np.array_equal(found, np.array(each))
    else:
        assert np.allclose(found, np.array(each), atol=1e-4, rtol=1e-4)
