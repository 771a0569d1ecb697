"""The engine's thread: one completion at a time, the newest wins, failures reach who waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from engine.api import (
    CancelToken,
    Completion,
    CompletionOptions,
    Gap,
    ModelInfo,
    ModelUnavailable,
)
from lsp_server.scheduler import (
    ASLEEP,
    LOADING,
    READY,
    UNAVAILABLE,
    EngineState,
    EngineThread,
    LookupThread,
)

OPTIONS = CompletionOptions()


class Gate:
    """A completer that finishes when it is told to."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = threading.Event()
        self.closed = 0
        self.cancelled = 0

    def complete(self, gap: Gap, options: CompletionOptions, cancel: CancelToken) -> Completion:
        self.begun.set()
        if gap.prefix == "fail":
            raise ValueError("broken")
        if gap.prefix == "stopped":
            return Completion("", "cancelled")
        while not (self.open.wait(0.001) or cancel.cancelled):
            pass
        self.cancelled += cancel.cancelled
        return Completion(gap.prefix.upper(), "end")

    def describe(self) -> ModelInfo:
        return ModelInfo("gate", "cpu", "none", 0)

    def close(self) -> None:
        self.closed += 1


class States:
    """Waits for the states of an engine thread."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, state: EngineState) -> None:
        with self._changed:
            self.seen.append(state.name)
            self._changed.notify_all()

    def wait_for(self, name: str, times: int = 1) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.seen.count(name) >= times, 60)


def started(load: Callable[[], Gate]) -> tuple[EngineThread, States]:
    states = States()
    thread = EngineThread(load, states)
    thread.start()
    return thread, states


async def test_a_newer_request_supersedes_the_running_one() -> None:
    gate = Gate()
    thread, states = started(lambda: gate)
    states.wait_for(READY)
    older = asyncio.ensure_future(thread.complete(Gap("older", ""), OPTIONS))
    await asyncio.to_thread(gate.begun.wait, 60)
    newer = asyncio.ensure_future(thread.complete(Gap("newer", ""), OPTIONS))

    assert (await older).stop_reason == "superseded"
    gate.open.set()
    assert (await newer).text == "NEWER"
    assert gate.cancelled == 1
    thread.close()


async def test_what_is_done_ahead_waits_for_what_is_asked_and_gives_way_to_it() -> None:
    gate = Gate()
    thread, states = started(lambda: gate)
    states.wait_for(READY)
    asked = asyncio.ensure_future(thread.complete(Gap("asked", ""), OPTIONS))
    await asyncio.to_thread(gate.begun.wait, 60)
    replaced = asyncio.ensure_future(thread.ahead(Gap("replaced", ""), OPTIONS))
    await asyncio.sleep(0)
    ahead = asyncio.ensure_future(thread.ahead(Gap("ahead", ""), OPTIONS))
    assert (await replaced).stop_reason == "superseded"
    assert gate.cancelled == 0

    gate.begun.clear()
    gate.open.set()
    assert (await asked).text == "ASKED"
    assert (await ahead).text == "AHEAD"

    gate.open.clear()
    gate.begun.clear()
    ahead = asyncio.ensure_future(thread.ahead(Gap("ahead", ""), OPTIONS))
    await asyncio.to_thread(gate.begun.wait, 60)
    asked = asyncio.ensure_future(thread.complete(Gap("asked", ""), OPTIONS))
    assert (await ahead).stop_reason == "superseded"
    gate.open.set()
    assert (await asked).text == "ASKED"
    assert gate.cancelled == 1
    thread.close()


async def test_a_completion_that_was_stopped_is_superseded_whoever_says_so_first() -> None:
    thread, _ = started(Gate)
    assert (await thread.complete(Gap("stopped", ""), OPTIONS)).stop_reason == "superseded"
    thread.close()


async def test_what_is_done_ahead_waits_for_the_model() -> None:
    hold, gate = threading.Event(), Gate()
    gate.open.set()

    def load_slowly() -> Gate:
        hold.wait(60)
        return gate

    thread, _ = started(load_slowly)
    ahead = asyncio.ensure_future(thread.ahead(Gap("ahead", ""), OPTIONS))
    await asyncio.sleep(0)
    hold.set()

    assert (await ahead).text == "AHEAD"
    thread.close()


async def test_cancelling_the_waiter_stops_the_work() -> None:
    gate = Gate()
    thread, states = started(lambda: gate)
    states.wait_for(READY)
    asked = asyncio.ensure_future(thread.complete(Gap("x", ""), OPTIONS))
    await asyncio.to_thread(gate.begun.wait, 60)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    gate.open.set()

    assert (await thread.complete(Gap("y", ""), OPTIONS)).text == "Y"
    thread.close()


async def test_a_failure_reaches_who_asked_and_the_thread_goes_on() -> None:
    gate = Gate()
    gate.open.set()
    thread, states = started(lambda: gate)
    states.wait_for(READY)
    with pytest.raises(ValueError, match="broken"):
        await thread.complete(Gap("fail", ""), OPTIONS)

    assert (await thread.complete(Gap("fine", ""), OPTIONS)).text == "FINE"
    thread.close()


async def test_a_model_that_cannot_be_loaded_leaves_a_thread_that_can_try_again() -> None:
    def missing() -> Gate:
        raise ModelUnavailable("no model: do this")

    thread, states = started(missing)
    states.wait_for(UNAVAILABLE)
    assert thread.state.problem == "no model: do this"
    with pytest.raises(ModelUnavailable, match="do this"):
        await thread.complete(Gap("x", ""), OPTIONS)

    gate = Gate()
    gate.open.set()
    thread.restart(lambda: gate)
    states.wait_for(READY)
    assert (await thread.complete(Gap("x", ""), OPTIONS)).text == "X"
    thread.close()


def test_a_restart_during_loading_ends_with_the_new_model() -> None:
    hold, loading = threading.Event(), threading.Event()
    slow, fast = Gate(), Gate()

    def load_slowly() -> Gate:
        loading.set()
        hold.wait(60)
        return slow

    thread, states = started(load_slowly)
    assert loading.wait(60)
    thread.restart(lambda: fast)
    hold.set()
    states.wait_for(READY)

    assert (slow.closed, fast.closed) == (1, 0)
    assert states.seen.count(READY) == 1
    thread.close()


async def test_an_idle_model_is_unloaded_and_woken() -> None:
    gates: list[Gate] = []

    def load() -> Gate:
        gates.append(Gate())
        gates[-1].open.set()
        return gates[-1]

    thread, states = started(load)
    states.wait_for(READY)
    thread.set_idle_minutes(1e-4)  # type: ignore[arg-type]
    states.wait_for(ASLEEP)
    assert gates[0].closed == 1
    thread.set_idle_minutes(0)
    thread.wake()
    states.wait_for(READY, times=2)

    assert (await thread.complete(Gap("x", ""), OPTIONS)).text == "X"
    assert LOADING in states.seen[2:]
    thread.close()


def test_closing_closes_the_model_once() -> None:
    gate = Gate()
    thread, states = started(lambda: gate)
    states.wait_for(READY)
    thread.close()
    thread._thread.join(60)

    assert gate.closed == 1


async def test_lookups_run_one_after_the_other_and_hand_their_errors_on() -> None:
    lookups = LookupThread("test")
    order: list[int] = []
    await asyncio.gather(*(lookups.run(order.append, number) for number in range(20)))
    assert order == list(range(20))

    with pytest.raises(ZeroDivisionError):
        await lookups.run(lambda: 1 // 0)


class Panic(BaseException):
    """As a library in Rust raises it."""


def panicking() -> None:
    raise Panic("out of range")


async def test_a_library_that_panics_fails_who_asked_and_the_next_lookup_is_answered() -> None:
    lookups = LookupThread("test")

    with pytest.raises(RuntimeError, match="Panic: out of range"):
        await lookups.run(panicking)
    assert await lookups.run(lambda: 1) == 1


async def test_a_lookup_nobody_waits_for_is_not_begun() -> None:
    lookups = LookupThread("test")
    hold = threading.Event()
    begun: list[str] = []
    blocking = asyncio.ensure_future(lookups.run(hold.wait, 60))
    unwanted = asyncio.ensure_future(lookups.run(begun.append, "unwanted"))
    await asyncio.sleep(0)
    unwanted.cancel()
    await asyncio.sleep(0)
    hold.set()
    await blocking
    await lookups.run(begun.append, "wanted")

    assert begun == ["wanted"]
