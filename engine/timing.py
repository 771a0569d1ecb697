"""How fast each backend runs a model on this machine: a keystroke and a prompt, timed in moments."""

import time
from dataclasses import dataclass
from typing import Any

from engine.api import ModelUnavailable
from engine.backends import BACKENDS, Wish, installed, network_of
from engine.checkpoint import Checkpoint

_PROMPT, _BLOCK = 768, 64  # tokens
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds, the median of a few; `problem` says why there are none."""

    backend: str
    dtype: str = ""
    load_ms: float = 0.0
    step_ms: float = 0.0  # one token behind a prompt
    prompt_ms: float = 0.0  # of _PROMPT tokens
    problem: str = ""

    @property
    def line_ms(self) -> float:
        """A line after a keystroke: some eight steps."""
        return 8 * self.step_ms


def time_backends(checkpoint: Checkpoint, threads: int = 0) -> list[Timing]:
    """Load the model into every backend that is here, one after the other, and time it."""
    found = []
    for backend in BACKENDS:
        if not installed(backend):
            found.append(Timing(backend, problem="not installed"))
            continue
        try:
            found.append(_time(backend, checkpoint, threads))
        except (ModelUnavailable, MemoryError) as error:
            found.append(Timing(backend, problem=str(error)))
    return found


def _time(backend: str, checkpoint: Checkpoint, threads: int) -> Timing:
    started = time.perf_counter()
    _, model = network_of(checkpoint, Wish(backend=backend, threads=threads))
    loaded = time.perf_counter()
    count = min(_PROMPT, checkpoint.shape.positions - 1)
    tokens = [each * 7919 % checkpoint.shape.vocabulary for each in range(1, count + 2)]
    cache = model.new_cache(count + 1)

    def prompt() -> None:
        for place in range(0, count, _BLOCK):
            part = tokens[place : min(place + _BLOCK, count)]
            model.scores(part, place, cache, int(place + _BLOCK >= count))

    prompt()  # once for nothing
    return Timing(
        backend=backend,
        dtype=model.dtype,
        load_ms=(loaded - started) * 1000,
        step_ms=_median(lambda: model.scores(tokens[count:], count, cache), 4 * _ROUNDS),
        prompt_ms=_median(prompt, _ROUNDS),
    )


def _median(work: Any, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    return sorted(times)[len(times) // 2]
