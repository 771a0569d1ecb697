"""The one loop over tokens: reuse, prefill, step, stop."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.api import Ban, CancelToken
from engine.drafts import Lookup
from engine.foreseen import Foreseen
from engine.healing import Spellings
from engine.network import Network, Scores
from engine.prefix_cache import PrefixCache, blocks
from engine.sampling import certainty, greedy, runners_up
from engine.tokenizer import TextStream, Vocabulary

_GUESSES = 5  # that run along with a token: a tile of our kernels; more bring hardly more

Choice = tuple[int, float]  # a token and its log-probability, nats


@dataclass(frozen=True, slots=True)
class Request:
    """What to continue, and when to stop."""

    prompt: list[int]  # not empty
    max_new_tokens: int
    stop: Callable[[str], str | None]  # of all text so far: why to stop here, or None
    deadline: float | None = None  # on the clock, in seconds
    owed: str = ""  # taken back from the prompt: must be said first, and is not shown
    banned: tuple[Ban, ...] = ()  # ways that what is shown must not take
    begun: tuple[Choice, ...] = ()  # how the answer begins, where that is chosen already
    n_others: int = 0  # how many other beginnings are noted


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came out. `stop_reason` is end, length, time, cancelled, or what `stop` said."""

    text: str  # without what was owed
    tokens: list[int]
    stop_reason: str
    cached_tokens: int
    prefill_ms: float
    decode_ms: float
    steps: int  # runs of the model behind the prompt: fewer than tokens where guesses were right
    log_probabilities: list[float]  # nats, of the tokens shown and of the end if that came
    entropies: list[float]  # nats, of the choices that these were, where they were made here
    others: list[tuple[Choice, ...]]  # how else it could have begun, best first


@dataclass(frozen=True, slots=True)
class Decoder:
    """A model with its memory of the last prompt. Serves one request at a time."""

    model: Network[Any]
    tokenizer: Vocabulary
    spellings: Spellings
    memory: Any  # what the model's new_cache gave
    ledger: PrefixCache


def decode(
    decoder: Decoder,
    request: Request,
    cancel: CancelToken,
    clock: Callable[[], float] = time.perf_counter,
) -> Decoded:
    """Continue a prompt greedily; between any two runs of the model, see whether to stop."""
    model, memory, ledger = decoder.model, decoder.memory, decoder.ledger
    started = clock()
    deadline = float("inf") if request.deadline is None else request.deadline
    room = memory.capacity - len(request.prompt)
    said = _Said(decoder.tokenizer, request)
    steps = 0

    def interrupted() -> str | None:
        if cancel.cancelled:
            return "cancelled"
        return "time" if clock() >= deadline else None

    # 1. Reuse what is known of the prompt, and run the rest.
    cached, behind, reason = _read(decoder, [*request.prompt, *said.tokens], interrupted)
    prefilled = clock()

    # 2. Step, until something says stop. Guesses run along, and their scores wait.
    lookup = Lookup(())
    while reason is None:
        assert behind is not None
        if said.n_shown >= request.max_new_tokens or len(said.tokens) >= room:
            reason = "length"
            break
        token, certain = _next(decoder, behind.scores, request, said)
        if token in decoder.tokenizer.special_ids:
            reason = "end"
            said.note(certain)
            break
        if said.add(token):
            said.note(certain)
            reason = request.stop(said.text)
        reason = reason or interrupted()
        left = min(request.max_new_tokens - said.n_shown, room - len(said.tokens))
        if reason is not None or left <= 0:
            continue
        if not behind.follow(token):
            text = [*request.prompt, *said.tokens]
            run = [token, *(_guesses(lookup, text, left - 1) if model.is_exact else ())]
            behind.extend(run, model.scores(run, len(text) - 1, memory, len(run)))
            steps += 1
        ledger.store([token])
    if behind is not None:
        ledger.keep(behind)

    return Decoded(
        text=said.text,
        tokens=said.tokens,
        stop_reason=reason,
        cached_tokens=min(cached, len(request.prompt)),
        prefill_ms=(prefilled - started) * 1000,
        decode_ms=(clock() - prefilled) * 1000,
        steps=steps,
        log_probabilities=said.log_probabilities,
        entropies=said.entropies,
        others=said.others,
    )


def _read(
    decoder: Decoder, prompt: list[int], interrupted: Callable[[], str | None]
) -> tuple[int, Foreseen | None, str | None]:
    """Run what is not known of a prompt, block by block.

    How many tokens were known; what stands behind the prompt, or why that is not known.
    """
    model, ledger = decoder.model, decoder.ledger
    if (behind := ledger.take_up(prompt)) is not None:
        return len(prompt), behind, None
    cached = ledger.rewind(prompt)
    scores: Scores = np.empty((0, 0), np.float32)  # [rows, vocabulary]
    for position, block in blocks(prompt, cached, ledger.cuts):
        if reason := interrupted():
            return cached, None, reason
        is_last = position + len(block) == len(prompt)
        scores = model.scores(block, position, decoder.memory, int(is_last))
        ledger.store(block)
    return cached, Foreseen(prompt, scores[0]), None


class _Said:
    """The answer so far, and how many of its tokens are, or are not only, what was owed."""

    def __init__(self, tokenizer: Vocabulary, request: Request) -> None:
        self._stream = TextStream(tokenizer)
        self._owed = request.owed
        self.tokens: list[int] = []
        self.n_shown = 0
        self.log_probabilities: list[float] = []
        self.entropies: list[float] = []
        self.others: list[tuple[Choice, ...]] = []
        for token, log_probability in request.begun:
            if self.add(token):
                self.log_probabilities.append(log_probability)

    def add(self, token: int) -> bool:
        """Say a token; whether it is shown."""
        was_owed = self.owed
        self.tokens.append(token)
        text = self._stream.push(token)
        is_shown = not was_owed or len(text) > len(self._owed)
        self.n_shown += is_shown
        return is_shown

    def note(self, certain: tuple[float, float]) -> None:
        """Keep how sure a choice was: log-probability and entropy."""
        self.log_probabilities.append(certain[0])
        self.entropies.append(certain[1])

    @property
    def owed(self) -> str:
        """What must be said next."""
        return "" if self.n_shown else self._owed[len(self._stream.text) :]

    @property
    def text(self) -> str:
        """What is shown."""
        return self._stream.text[len(self._owed) :]


def _guesses(lookup: Lookup, text: list[int], most: int) -> list[int]:
    """What may follow a text, of which the lookup knows the beginning."""
    lookup.add(text[len(lookup) :])
    return lookup.guess(min(_GUESSES, most))


def _next(
    decoder: Decoder, scores: Scores, request: Request, said: _Said
) -> tuple[int, tuple[float, float]]:
    """The best token that is not banned, and how sure it is.

    The first to be shown spells what is still owed; other beginnings are noted there.
    """
    banned = _banned(decoder.spellings, request.banned, said)
    if said.n_shown:
        token = greedy(scores, forbidden=banned)
        return token, decoder.model.certainty(scores, token)
    allowed = decoder.spellings.continuing(said.owed) if said.owed else []
    # Who asks at a gap wants something there: the end is no first token.
    forbidden = decoder.tokenizer.special_ids | banned
    token = greedy(scores, allowed=allowed, forbidden=forbidden)
    if request.n_others and not said.others:
        beginning = tuple((each, 0.0) for each in said.tokens)
        others = runners_up(
            scores, request.n_others, allowed=allowed, forbidden=forbidden | {token}
        )
        said.others = [(*beginning, each) for each in others]
    return token, certainty(scores, token, allowed)


def _banned(spellings: Spellings, bans: tuple[Ban, ...], said: _Said) -> frozenset[int]:
    """The tokens with which the text would leave for where it must not go."""
    if not bans:
        return frozenset()
    shown = said.text
    ways = (
        spellings.leading_into(said.owed + ban.after[len(shown) :], [ban.text])
        for ban in bans
        if ban.after.startswith(shown)
    )
    return frozenset().union(*ways)
