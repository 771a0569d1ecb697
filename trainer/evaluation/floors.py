"""What the machine itself allows: how fast it reads memory and multiplies, measured, and what follows."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from engine.shape import Shape

_KEPT_BYTES = 2  # of a number of a key or value: float16
_ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Floors:
    """Rates of this machine, and the least time that a model's arithmetic then takes."""

    threads: int
    read_gb_s: float  # of a buffer as large as the weights, which may lie in a cache
    int8_gops: float  # a multiplication and an addition are two operations
    step_ms: float  # every weight and every key and value read once
    prefill_ms: float  # the products of a prompt


def floors(shape: Shape, parameters: int, prompt_tokens: float, threads: int) -> Floors:
    """Measure with `threads`, and hold a model of eight bits a weight against it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        held = torch.zeros(max(1, parameters // 4), dtype=torch.float32)
        read = held.nbytes / _best(lambda: held.sum())
        left = torch.ones(1024, 1024, dtype=torch.int8)
        right = torch.ones(1024, 4096, dtype=torch.int8)
        multiply = 2 * 1024 * 1024 * 4096 / _best(lambda: torch._int_mm(left, right))  # noqa: SLF001 -- it has no other name
    finally:
        torch.set_num_threads(before)
    kept = 2 * shape.layers * shape.kv_heads * shape.head_dim * prompt_tokens * _KEPT_BYTES
    # The table of a tied model is multiplied with the last row of a prompt only.
    inner = parameters - shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
    seen = 2 * shape.layers * shape.heads * shape.head_dim * prompt_tokens / 2
    return Floors(
        threads=threads,
        read_gb_s=read / 1e9,
        int8_gops=multiply / 1e9,
        step_ms=(parameters + kept) / read * 1000,
        prefill_ms=2 * prompt_tokens * (inner + seen) / multiply * 1000,
    )


def _best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of some rounds."""
    times = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)
