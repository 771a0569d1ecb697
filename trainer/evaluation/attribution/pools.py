"""Pools of worker processes for the measurements: an interrupt ends the parent, and with it the pool."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from indexer.processes import work_for_the_parent


def pool(
    jobs: int, prepare: Callable[..., object] | None = None, *given: Any
) -> ProcessPoolExecutor:
    """A pool whose workers call `prepare` with what is given before anything else."""
    return ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (prepare, given))


def _begin(prepare: Callable[..., object] | None, given: tuple[Any, ...]) -> None:
    work_for_the_parent()
    if prepare:
        prepare(*given)
