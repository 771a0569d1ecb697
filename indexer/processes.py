"""Processes that work for another one: Ctrl-C is that one's to hear, and where it ends they do."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_THREADS = "OPENBLAS_NUM_THREADS"


@contextmanager
def interrupts_held() -> Iterator[None]:
    """What starts meanwhile never sees an interrupt, not even while it loads; ours comes after, and is not lost."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        # The system may give it to another thread, such as a bar's, and this one would hear of it all the same.
        with _interrupts_noted():
            yield
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextmanager
def matrices_left_alone() -> Iterator[None]:
    """What starts meanwhile multiplies none: numpy's threads for that would begin with a long wait in a loop."""
    if _THREADS in os.environ:
        yield
        return
    os.environ[_THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[_THREADS]


@contextmanager
def _interrupts_noted() -> Iterator[None]:
    """Interrupts of the block come behind it; outside the main thread there are none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    noted: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _frame: noted.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if noted:
            signal.raise_signal(signal.SIGINT)


def work_for_the_parent() -> None:
    """Called first in such a process: it leaves interrupts to its parent, and does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_the_parent()


def end_with_the_parent() -> None:
    """A parent that is killed tells nobody, and who waits for its next task would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
