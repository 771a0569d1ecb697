"""Backends whose rows are the same in any company: caches at any token, and guesses that change nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import engine
from engine import CancelToken, CompletionOptions, Gap, ModelUnavailable
from engine.backends import NATIVE, OPENVINO, installed
from engine.cuts import ANYWHERE
from engine.decoding import Decoder, Request, decode
from engine.local import LocalCompleter
from engine.prefix_cache import PrefixCache
from tests.support.tiny import write_tiny

GAP = Gap("def f(a):\n    return a\n\n\ndef g(b):\n    ", "\n\n\nx = 1\n", "a/b.py", "python")
TOKENS = [16 + each * 7 % 250 for each in range(200)]


@pytest.fixture(scope="module", params=[NATIVE, OPENVINO])
def exact(request: Any, tmp_path_factory: pytest.TempPathFactory) -> LocalCompleter:
    if not installed(request.param):
        pytest.skip(f"{request.param} is not here")
    folder = write_tiny(tmp_path_factory.mktemp("models") / "tiny")
    completer = engine.load(folder, backend=request.param, threads=1)
    assert isinstance(completer, LocalCompleter)
    if not completer._decoder.model.is_exact:
        pytest.skip("on this processor a row's scores depend on its company")
    return completer


def fresh(completer: LocalCompleter) -> Decoder:
    own = completer._decoder
    memory = own.model.new_cache(1024)
    return Decoder(own.model, own.tokenizer, own.spellings, memory, PrefixCache(ANYWHERE))


class Plain:
    """The same model, as if its guesses had to be left out."""

    is_exact = False

    def __init__(self, model: Any) -> None:
        self.scores, self.certainty = model.scores, model.certainty


def ran(decoder: Decoder, prompt: list[int], count: int = 40) -> Any:
    request = Request(prompt, max_new_tokens=count, stop=lambda _text: None)
    return decode(decoder, request, CancelToken())


@pytest.mark.parametrize("period", [3, 17, 250])
def test_guesses_change_nothing_but_the_number_of_steps(exact: LocalCompleter, period: int) -> None:
    prompt = [16 + each % period * 7 % 250 for each in range(300)]
    decoder = fresh(exact)
    plain = replace(fresh(exact), model=Plain(decoder.model))  # type: ignore[arg-type]

    fast, slow = ran(decoder, prompt), ran(plain, prompt)

    assert fast.tokens == slow.tokens
    assert fast.log_probabilities == slow.log_probabilities
    assert fast.entropies == slow.entropies
    assert fast.steps <= slow.steps


def test_guesses_save_steps_where_the_text_repeats_itself(exact: LocalCompleter) -> None:
    told = fresh(exact)

    class Parrot(Plain):
        is_exact = True

        def __init__(self, model: Any) -> None:
            def scores(tokens: Any, position: int, cache: Any, wanted: int = 1) -> Any:
                found = model.scores(tokens, position, cache, wanted).copy()
                for row in range(wanted):
                    last = tokens[len(tokens) - wanted + row]
                    found[row] = 0.0
                    found[row, 16 + (last - 15) % 9] = 9.0
                return found

            self.scores, self.certainty = scores, model.certainty

    parrot = replace(told, model=Parrot(told.model))  # type: ignore[arg-type]
    found = ran(parrot, [16 + each % 9 for each in range(60)])

    assert len(found.tokens) == 40
    assert found.steps <= 10


@pytest.mark.parametrize("kept", [1, 63, 64, 65, 130, 199])
def test_a_cache_is_taken_up_at_any_token(exact: LocalCompleter, kept: int) -> None:
    decoder = fresh(exact)
    ran(decoder, [*TOKENS[:kept], *reversed(TOKENS)])

    found, expected = ran(decoder, TOKENS), ran(fresh(exact), TOKENS)

    assert found.cached_tokens >= min(kept, len(TOKENS) - 1)
    assert found.tokens == expected.tokens
    assert found.log_probabilities == expected.log_probabilities


def test_what_was_written_is_cached_when_it_is_kept(exact: LocalCompleter) -> None:
    decoder = fresh(exact)
    said = ran(decoder, TOKENS)
    prompt = [*TOKENS, *said.tokens, 50]

    found = ran(decoder, prompt)

    assert found.cached_tokens >= len(TOKENS) + len(said.tokens) - 1
    assert found.tokens == ran(fresh(exact), prompt).tokens


@pytest.mark.parametrize("backend", [NATIVE, OPENVINO])
def test_weights_of_another_shape_are_refused(tmp_path: Path, backend: str) -> None:
    if not installed(backend):
        pytest.skip(f"{backend} is not here")
    folder = write_tiny(tmp_path / "tiny")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 48}))

    with pytest.raises(ModelUnavailable, match="different models"):
        engine.load(folder, backend=backend)


def test_the_same_gap_gives_the_same_text_cached_or_not(exact: LocalCompleter) -> None:
    options = CompletionOptions(multiline=True)

    first = exact.complete(GAP, options, CancelToken())
    again = exact.complete(GAP, options, CancelToken())
    exact.complete(Gap("something else entirely " * 40, ""), options, CancelToken())
    last = exact.complete(GAP, options, CancelToken())

    assert first.new_tokens > 0
    assert first.text == again.text == last.text
    assert exact.describe().backend in (NATIVE, OPENVINO)
    assert exact.describe().dtype == "int8"
