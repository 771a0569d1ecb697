"""Pools of worker processes for the measurements: an interrupt ends the parent, and with it the pool."""

import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any


def pool(
    jobs: int, prepare: Callable[..., object] | None = None, *given: Any
) -> ProcessPoolExecutor:
    """A pool whose workers call `prepare` with what is given before anything else."""
    return ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (prepare, given))


def _begin(prepare: Callable[..., object] | None, given: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if prepare:
        prepare(*given)
