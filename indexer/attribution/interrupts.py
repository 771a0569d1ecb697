"""Ctrl-C reaches every process of a terminal: those that work for another one leave it to that one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_held() -> Iterator[None]:
    """What starts meanwhile never sees an interrupt, not even while it loads; ours comes after, and is not lost."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_interrupts_to_the_parent() -> None:
    """For a process that was started where nothing could be held."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
