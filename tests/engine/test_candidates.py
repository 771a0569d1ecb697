"""Several answers to one request: the first is the one without them, the others differ, the cache stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import engine
from engine import Ban, CancelToken, Completion, CompletionOptions, Gap, candidates
from engine.backends import NATIVE, TORCH, installed
from engine.candidates import alternatives, with_others
from engine.decoding import Decoded, decode
from engine.trimming import Draft
from tests.support.tiny import write_tiny

if TYPE_CHECKING:
    from engine.local import LocalCompleter

# The last two leave one token to begin with, or few: the word before the gap is said again.
GAPS = [
    Gap("def f(a):\n    return a\n\n\ndef g(b):\n    ", "\n\n\nx = 1\n", "a/b.py", "python"),
    Gap("def f(a):\n    ret", "\n", "a/b.py", "python"),
    Gap("print(", ")\nprint(self)\n", "a/b.py", "python"),
    Gap("def first(self):\n    for each in self.items:\n        self.", "\n", "c.py", "python"),
]


@pytest.fixture(scope="module", params=[TORCH, NATIVE])
def completer(request: Any, tmp_path_factory: pytest.TempPathFactory) -> LocalCompleter:
    if not installed(request.param):
        pytest.skip(f"{request.param} is not here")
    folder = write_tiny(tmp_path_factory.mktemp("models") / "tiny")
    made = engine.load(folder, backend=request.param, threads=1)
    assert isinstance(made, engine.local.LocalCompleter)
    return made


def ask(completer: LocalCompleter, gap: Gap, **options: Any) -> Completion:
    return completer.complete(gap, CompletionOptions(**options), CancelToken())


@pytest.mark.parametrize("gap", GAPS)
def test_the_first_answer_is_the_one_without_others(completer: LocalCompleter, gap: Gap) -> None:
    alone, several = ask(completer, gap), ask(completer, gap, n_candidates=3)

    assert (several.text, several.replace_after, several.stop_reason) == (
        alone.text,
        alone.replace_after,
        alone.stop_reason,
    )
    assert (several.confidence, several.entropy) == (alone.confidence, alone.entropy)
    assert alone.alternatives == ()


@pytest.mark.parametrize("gap", GAPS)
def test_the_others_differ_and_the_surest_comes_first(completer: LocalCompleter, gap: Gap) -> None:
    found = ask(completer, gap, n_candidates=3)
    texts = [each.text for each in found.alternatives]
    sure = [each.confidence or 0.0 for each in found.alternatives]

    assert 1 <= len(texts) <= 2
    assert len({found.text.rstrip(), *(text.rstrip() for text in texts)}) == len(texts) + 1
    assert sure == sorted(sure, reverse=True)
    assert all(0 < each <= 1 for each in sure)


def test_two_wanted_are_two_at_most(completer: LocalCompleter) -> None:
    assert len(ask(completer, GAPS[0], n_candidates=2).alternatives) == 1


def test_the_next_keystroke_finds_its_prompt(completer: LocalCompleter) -> None:
    gap = replace(GAPS[0], prefix="y = 2\n" * 30 + GAPS[0].prefix)
    behind = replace(gap, prefix=gap.prefix + "x")
    ask(completer, gap, n_candidates=3)
    found = ask(completer, behind)
    ask(completer, Gap("other = {\n" * 40, "\n"))
    again = ask(completer, behind)

    block = kept_as_one(completer)
    assert found.cached_tokens >= (found.prompt_tokens - 3) // block * block >= 64
    assert found.text == again.text
    assert found.confidence == again.confidence


def kept_as_one(completer: LocalCompleter) -> int:
    """Tokens that are kept or computed again together."""
    return 1 if completer._decoder.model.is_exact else engine.prefix_cache.BLOCK


def test_where_no_tokens_are_wanted_the_prompt_is_read_for_the_next_request(
    completer: LocalCompleter,
) -> None:
    gap = Gap("z = 3\n" * 40 + "def g(b):\n    ", "\n")
    read = ask(completer, gap, max_new_tokens=0)
    found = ask(completer, gap, automatic=True, min_confidence=0.0)
    ask(completer, Gap("other = {\n" * 40, "\n"))

    assert (read.text, read.new_tokens, read.alternatives) == ("", 0, ())
    assert found.cached_tokens == found.prompt_tokens
    assert found.text == ask(completer, gap, automatic=True, min_confidence=0.0).text


def test_a_branch_is_what_the_model_writes_behind_its_first_token(
    completer: LocalCompleter,
) -> None:
    request = completer.request(GAPS[0], CompletionOptions())
    request = replace(request, stop=lambda _text: None, max_new_tokens=20)
    first = completer.raw(with_others(request, 2))
    ((token, sure),) = first.others[0]

    branch = completer.raw(replace(request, begun=((token, sure),)))
    given = completer.raw(
        replace(request, prompt=[*request.prompt, token], owed="", max_new_tokens=19)
    )

    assert branch.tokens[0] == token != first.tokens[0]
    assert branch.log_probabilities[0] == sure < first.log_probabilities[0]
    assert branch.tokens[1:] == given.tokens[: len(branch.tokens) - 1] != []


def test_nothing_is_begun_that_is_banned_or_special(completer: LocalCompleter) -> None:
    request = completer.request(GAPS[0], CompletionOptions())
    first = completer.raw(with_others(request, 2))
    tokens = [beginning[-1][0] for beginning in first.others]
    text = completer.tokenizer.decode([tokens[0]])
    assert text.startswith(request.owed)
    assert text != request.owed
    banned = completer.raw(
        replace(with_others(request, 2), banned=(Ban(text.removeprefix(request.owed)),))
    )

    left = [beginning[-1][0] for beginning in banned.others]
    assert tokens[0] not in left
    assert left
    assert all(token not in completer.tokenizer.special_ids for token in tokens + left)


def test_cancelling_ends_the_search_between_two_branches(
    completer: LocalCompleter, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel, begun = CancelToken(), []

    def spying(decoder: Any, request: Any, token: CancelToken) -> Decoded:
        found = decode(decoder, request, token)
        begun.append(found.stop_reason)
        cancel.cancel()
        return found

    monkeypatch.setattr(candidates, "decode", spying)
    found = completer.complete(GAPS[0], CompletionOptions(n_candidates=3), cancel)

    assert [reason for reason in begun if reason != "cancelled"] == begun[:1]
    assert len(begun) == 2
    assert len(found.alternatives) == 1


def test_when_the_time_is_over_no_branch_is_begun(completer: LocalCompleter) -> None:
    request = with_others(completer.request(GAPS[0], CompletionOptions()), 2)
    first = completer.raw(request)
    found = alternatives(
        completer._decoder_at(request.prompt),
        replace(request, deadline=0.0),
        first,
        fit=lambda decoded: Draft(decoded.text),
        known=Draft(first.text),
        wanted=2,
        cancel=CancelToken(),
    )

    assert found == ()
