"""Somebody types for a while, with pauses: whether memory stays where it is, and keystrokes as quick."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random

from engine.api import CancelToken, Completer, Gap
from trainer.evaluation.keystrokes import TYPED, Session
from trainer.evaluation.latency import OPTIONS, percentile

_TYPING_S = (0.08, 0.30)  # between two keystrokes
_THINKING_S = (0.4, 1.5)  # before anything else


@dataclass(frozen=True, slots=True)
class Replay:
    """What was seen. Memory in MB of the process that holds the model, by the minute."""

    minutes: float
    requests: int
    memory_mb: list[float]  # at the end of each minute; empty where the system does not tell
    first_p50_ms: float  # of keystrokes in the first and in the last third
    last_p50_ms: float


def replay(
    completer: Completer,
    sessions: Sequence[Session],
    minutes: float,
    memory_mb: Callable[[], float | None],
    *,
    seed: int = 0,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Replay]:
    """Replay sessions over and over; what was seen so far, after every minute and at the end."""
    started, told = clock(), 0
    rng = Random(seed)
    memory: list[float] = []
    typed: list[float] = []
    for requests, (kind, gap) in enumerate(_steps(sessions), 1):
        pause(rng.uniform(*(_TYPING_S if kind == TYPED else _THINKING_S)))
        asked = time.perf_counter()
        completer.complete(gap, OPTIONS, CancelToken())
        if kind == TYPED:
            typed.append((time.perf_counter() - asked) * 1000)
        passed = (clock() - started) / 60
        if int(passed) > told or passed >= minutes:
            told = int(passed)
            if (held := memory_mb()) is not None:
                memory.append(held)
            yield _seen(passed, requests, memory, typed)
        if passed >= minutes:
            return


def _steps(sessions: Sequence[Session]) -> Iterator[tuple[str, Gap]]:
    for session in cycle(sessions):
        for step in session.steps:
            yield step.kind, step.gap


def _seen(minutes: float, requests: int, memory: list[float], typed: list[float]) -> Replay:
    third = max(1, len(typed) // 3)
    first, last = percentile(typed[:third], 0.5), percentile(typed[-third:], 0.5)
    return Replay(minutes, requests, list(memory), first, last)
