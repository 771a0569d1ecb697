"""The one loop over tokens: reuse, prefill, step, stop."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.api import CancelToken
from engine.drafts import Lookup
from engine.healing import Spellings
from engine.network import Network, Scores
from engine.prefix_cache import PrefixCache, blocks
from engine.sampling import certainty, greedy
from engine.tokenizer import TextStream, Tokenizer

_GUESSES = 3  # that run along with a token; more cost more than they bring


@dataclass(frozen=True, slots=True)
class Request:
    """What to continue, and when to stop."""

    prompt: list[int]  # not empty
    max_new_tokens: int
    stop: Callable[[str], str | None]  # of all text so far: why to stop here, or None
    deadline: float | None = None  # on the clock, in seconds
    owed: str = ""  # taken back from the prompt: must be said first, and is not shown
    banned: tuple[str, ...] = ()  # texts that must not come behind that


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
    entropies: list[float]  # nats, of the choices that these were


@dataclass(frozen=True, slots=True)
class Decoder:
    """A model with its memory of the last prompt. Serves one request at a time."""

    model: Network[Any]
    tokenizer: Tokenizer
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
    prompt = request.prompt
    deadline = float("inf") if request.deadline is None else request.deadline
    room = memory.capacity - len(prompt)
    stream = TextStream(decoder.tokenizer)
    tokens: list[int] = []
    shown = 0  # tokens that are not, or not only, what was owed
    sure: list[tuple[float, float]] = []
    steps = 0
    reason: str | None = None

    # 1. Reuse what the last prompt began with.
    cached = ledger.rewind(prompt)

    # 2. Prefill the rest, block by block.
    scores: Scores = np.empty((0, 0), np.float32)  # [rows, vocabulary]
    for position, block in blocks(prompt, cached, ledger.block):
        if reason := _interrupted(cancel, clock, deadline):
            break
        is_last = position + len(block) == len(prompt)
        scores = model.scores(block, position, memory, int(is_last))
        ledger.store(block)
    prefilled = clock()

    # 3. Step, until something says stop. Guesses run along, and their scores wait in rows.
    lookup = Lookup(prompt) if model.is_exact and reason is None else None
    guesses: list[int] = []
    row = 0
    while reason is None:
        if shown >= request.max_new_tokens or len(tokens) >= room:
            reason = "length"
            break
        owed = "" if shown else request.owed[len(stream.text) :]
        token, certain = _next(decoder, scores[row], request, owed, first=not shown)
        if token in decoder.tokenizer.special_ids:
            reason = "end"
            sure.append(certain)
            break
        tokens.append(token)
        text = stream.push(token)
        if not owed or len(text) > len(request.owed):
            shown += 1
            sure.append(certain)
            reason = request.stop(text[len(request.owed) :])
        reason = reason or _interrupted(cancel, clock, deadline)
        if reason is not None or shown >= request.max_new_tokens or len(tokens) >= room:
            continue
        if row < len(guesses) and guesses[row] == token:
            row += 1
        else:
            left = min(request.max_new_tokens - shown, room - len(tokens)) - 1
            guesses, row = _guesses(lookup, tokens[-1 - row :], left), 0
            steps += 1
            scores = model.scores(
                [token, *guesses], len(prompt) + len(tokens) - 1, memory, 1 + len(guesses)
            )
        if lookup is not None:
            ledger.store([token])

    return Decoded(
        text=stream.text[len(request.owed) :],
        tokens=tokens,
        stop_reason=reason,
        cached_tokens=cached,
        prefill_ms=(prefilled - started) * 1000,
        decode_ms=(clock() - prefilled) * 1000,
        steps=steps,
        log_probabilities=[each for each, _ in sure],
        entropies=[each for _, each in sure],
    )


def _guesses(lookup: Lookup | None, new: list[int], most: int) -> list[int]:
    """What may follow the text, with the tokens that are new since the last time."""
    if lookup is None:
        return []
    lookup.add(new)
    return lookup.guess(min(_GUESSES, most))


def _next(
    decoder: Decoder, scores: Scores, request: Request, owed: str, *, first: bool
) -> tuple[int, tuple[float, float]]:
    """The best token and how sure it is; the first to be shown spells what is still owed.

    Nor does that one begin what is banned.
    """
    if not first:
        token = greedy(scores)
        return token, decoder.model.certainty(scores, token)
    allowed = decoder.spellings.continuing(owed) if owed else []
    # Who asks at a gap wants something there: the end is no first token.
    token = greedy(
        scores,
        allowed=allowed,
        forbidden=decoder.tokenizer.special_ids
        | decoder.spellings.leading_into(owed, request.banned),
    )
    return token, certainty(scores, token, allowed)


def _interrupted(cancel: CancelToken, clock: Callable[[], float], deadline: float) -> str | None:
    if cancel.cancelled:
        return "cancelled"
    return "time" if clock() >= deadline else None
