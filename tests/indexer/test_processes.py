"""Interrupts while processes are started."""

from __future__ import annotations

import signal
import threading

import pytest

from indexer.processes import interrupts_held


def test_an_interrupt_comes_behind_what_it_must_not_cut_whichever_thread_is_given_it() -> None:
    go, reached = threading.Event(), []

    def be_given_it() -> None:
        go.wait()
        signal.raise_signal(signal.SIGINT)

    other = threading.Thread(target=be_given_it)
    other.start()

    def start_processes() -> None:
        with interrupts_held():
            go.set()
            other.join()
            reached.append("the other thread")
            signal.raise_signal(signal.SIGINT)
            reached.append("this one")

    with pytest.raises(KeyboardInterrupt):
        start_processes()

    assert reached == ["the other thread", "this one"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == set()


def test_where_nobody_interrupts_nothing_comes() -> None:
    with interrupts_held():
        reached = True

    assert reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
