"""How fast each backend runs a model on this machine: a keystroke and a prompt, timed in moments."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from engine.api import ModelUnavailable
from engine.backends import Wish, network_of
from engine.checkpoint import Checkpoint
from engine.prefix_cache import blocks

PROMPT = 256  # tokens that are timed where nobody says how many
_GUESSED = 4  # rows of a step with which guesses run
_ROUNDS = 5
# A line after a keystroke, on average: eight tokens, and the prompt's share of jumps and edits.
_TOKENS, _TOKENS_A_STEP, _PROMPT_SHARE = 8, 2, 1 / 8


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds, the least of a few; `problem` says why there are none."""

    backend: str
    device: str = ""
    dtype: str = ""
    load_ms: float = 0.0
    step_ms: float = 0.0  # one token behind a prompt
    rows_ms: float = 0.0  # of _GUESSED tokens
    prompt_ms: float = 0.0  # of `prompt_tokens`
    prompt_tokens: int = PROMPT
    is_exact: bool = False  # so that guesses run along
    again: int = 1  # tokens of the prompt that a keystroke recomputes
    problem: str = ""

    @property
    def line_ms(self) -> float:
        """A line after a keystroke, as its way to take up a cache has it computed."""
        prompt = self.prompt_ms / self.prompt_tokens  # a token's
        steps = _TOKENS / _TOKENS_A_STEP * self.rows_ms if self.is_exact else _TOKENS * self.step_ms
        return steps + prompt * (self.again + PROMPT * _PROMPT_SHARE)


def time_backends(
    checkpoint: Checkpoint, wishes: Iterable[Wish], *, prompt_tokens: int = PROMPT
) -> Iterator[Timing]:
    """Load the model as each of the wishes has it, one after the other, and time it."""
    for wish in wishes:
        try:
            yield _time(checkpoint, wish, prompt_tokens)
        except (ModelUnavailable, MemoryError) as error:
            yield Timing(wish.backend, wish.device, problem=str(error) or type(error).__name__)


def _time(checkpoint: Checkpoint, wish: Wish, prompt_tokens: int) -> Timing:
    started = time.perf_counter()
    _, model = network_of(checkpoint, wish)
    loaded = time.perf_counter()
    count = min(prompt_tokens, checkpoint.shape.positions - _GUESSED)
    tokens = [each * 7919 % checkpoint.shape.vocabulary for each in range(1, count + _GUESSED + 1)]
    cache = model.new_cache(count + _GUESSED)

    def prompt() -> None:
        for place, part in blocks(tokens[:count], 0, model.cuts):
            model.scores(part, place, cache, int(place + len(part) == count))

    def step(rows: int) -> Callable[[], object]:
        return lambda: model.scores(tokens[count : count + rows], count, cache, rows)

    return Timing(
        backend=wish.backend,
        device=model.device,
        dtype=model.dtype,
        load_ms=(loaded - started) * 1000,
        prompt_ms=_least(prompt, _ROUNDS),
        step_ms=_least(step(1), 4 * _ROUNDS),
        rows_ms=_least(step(_GUESSED), 4 * _ROUNDS),
        prompt_tokens=count,
        is_exact=model.is_exact,
        again=max(model.cuts.least, model.cuts.grain // 2),
    )


def _least(work: Callable[[], object], rounds: int) -> float:
    """What others do on this machine only ever adds. The first time is for nothing."""
    work()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    return min(times)
