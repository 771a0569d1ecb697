"""The threads of the server: one runs the engine, newest request first; others do lookups.

What the engine could do before it is asked waits until nothing is, and gives way to any request.

All are daemon threads with a queue. A ThreadPoolExecutor would be joined when the interpreter
exits, and the editor would wait for a model that is still loading.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from engine.api import (
    CancelToken,
    Completer,
    Completion,
    CompletionOptions,
    Gap,
    ModelInfo,
    ModelUnavailable,
)

LOADING, READY, UNAVAILABLE, ASLEEP, CLOSED = "loading", "ready", "unavailable", "asleep", "closed"
SUPERSEDED = Completion("", "superseded")

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class EngineState:
    """What the engine is doing; `problem` says what to do when it is unavailable."""

    name: str
    info: ModelInfo | None = None
    problem: str = ""


@dataclass(slots=True, eq=False)
class _Job:
    gap: Gap
    options: CompletionOptions
    token: CancelToken
    future: asyncio.Future[Completion]

    def settle(self, completion: Completion | None, error: Exception | None = None) -> None:
        """Answer from any thread; only the first answer counts."""
        if error is not None:
            _on_loop(self.future.get_loop(), partial(_fail, self.future, error))
        else:
            _on_loop(
                self.future.get_loop(), partial(_fulfil, self.future, completion or SUPERSEDED)
            )

    def supersede(self) -> None:
        self.token.cancel()
        self.settle(SUPERSEDED)


class EngineThread:
    """Loads a completer, then runs one completion at a time; a new one replaces the old.

    `load` and everything the completer does happen on this thread, and `changed` is called there.
    """

    def __init__(
        self, load: Callable[[], Completer], changed: Callable[[EngineState], None]
    ) -> None:
        self._load = load
        self._changed = changed
        self._condition = threading.Condition()
        self._next: _Job | None = None
        self._ahead: _Job | None = None  # for when nothing is asked
        self._running: _Job | None = None
        self._completer: Completer | None = None
        self._reload = True
        self._closed = False
        self._idle_seconds: float | None = None
        self.state = EngineState(LOADING)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def set_idle_minutes(self, minutes: int) -> None:
        """Unload after so many minutes without a request; 0 keeps the model."""
        with self._condition:
            self._idle_seconds = minutes * 60.0 or None
            self._condition.notify()

    async def complete(self, gap: Gap, options: CompletionOptions) -> Completion:
        """Fill the gap unless a newer request comes; then the stop reason is "superseded".

        Raises ModelUnavailable and whatever else the completer raises.
        """
        job = _Job(gap, options, CancelToken(), asyncio.get_running_loop().create_future())
        with self._condition:
            self._supersede_all()
            self._next = job
            self._condition.notify()
        return await _answer_to(job)

    async def ahead(self, gap: Gap, options: CompletionOptions) -> Completion:
        """Fill the gap once nothing is asked, while nothing is; a newer call replaces this one.

        The stop reason is "superseded" when something was asked; raises as `complete` does.
        """
        job = _Job(gap, options, CancelToken(), asyncio.get_running_loop().create_future())
        with self._condition:
            if self._ahead is not None:
                self._ahead.supersede()
            self._ahead = job
            self._condition.notify()
        return await _answer_to(job)

    def supersede(self) -> None:
        """Nobody waits for what is running or queued any more."""
        with self._condition:
            self._supersede_all()

    def restart(self, load: Callable[[], Completer] | None = None) -> None:
        """Load again, from elsewhere if `load` is given."""
        with self._condition:
            self._load = load or self._load
            self._supersede_all()
            self._reload = True
            self.state = EngineState(LOADING)
            self._condition.notify()

    def wake(self) -> None:
        """Load the model again if it was unloaded."""
        with self._condition:
            if self.state.name == ASLEEP:
                self._reload = True
                self.state = EngineState(LOADING)
                self._condition.notify()

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._supersede_all()
            self._condition.notify()
            completer = None
            if self._running is None:  # otherwise the thread closes it when it is done
                completer, self._completer = self._completer, None
        if completer is not None:
            completer.close()

    def _supersede_all(self) -> None:
        for job in (self._next, self._ahead, self._running):
            if job is not None:
                job.supersede()
        self._next = self._ahead = None

    def _run(self) -> None:
        while True:
            with self._condition:
                idle = self._completer is not None and self._idle_seconds
                while not (self._closed or self._reload or self._next or self._ahead):
                    if not self._condition.wait(idle or None) and idle:
                        break
                    idle = self._completer is not None and self._idle_seconds
                if self._closed:
                    break
                reload, self._reload = self._reload, False
                job = self._taken()
            if reload:
                self._unload()
                self._begin()
            elif job is None:
                self._unload()
                self._become(EngineState(ASLEEP))
            if job is not None:
                self._answer(job)
        self._unload()

    def _taken(self) -> _Job | None:
        """What is to be done now, if anything is; what was asked comes first."""
        if self._next is not None:
            self._running, self._next = self._next, None
        else:
            self._running, self._ahead = self._ahead, None
        return self._running

    def _begin(self) -> None:
        self._become(EngineState(LOADING))
        try:
            completer = self._load()
            with self._condition:
                # Known before it is ready, so that closing does not wait for the loading.
                self._completer = completer
                if self._closed:
                    return
            info = completer.describe()
        except ModelUnavailable as unavailable:
            self._unload()
            self._become(EngineState(UNAVAILABLE, problem=str(unavailable)))
        except Exception as error:  # noqa: BLE001 -- the server lives without a model
            self._unload()
            _failed(error)
            problem = "the model could not be loaded; `footnote doctor` says why"
            self._become(EngineState(UNAVAILABLE, problem=problem))
        else:
            self._become(EngineState(READY, info))

    def _answer(self, job: _Job) -> None:
        try:
            if self._completer is None:
                job.settle(None, ModelUnavailable(self.state.problem or "no model is loaded"))
            elif not job.token.cancelled:
                found = self._completer.complete(job.gap, job.options, job.token)
                # It may have seen the cancel before whoever superseded it could say so.
                job.settle(SUPERSEDED if found.stop_reason == "cancelled" else found)
        except ModelUnavailable as gone:
            # Its process died too often; only a restart brings it back.
            job.settle(None, gone)
            if self.state.name == READY:
                self._become(EngineState(UNAVAILABLE, problem=str(gone)))
        except Exception as error:  # noqa: BLE001 -- handed to whoever waits
            job.settle(None, error)
        finally:
            with self._condition:
                self._running = None

    def _unload(self) -> None:
        with self._condition:
            completer, self._completer = self._completer, None
        if completer is not None:
            completer.close()

    def _become(self, state: EngineState) -> None:
        with self._condition:
            if self._closed or (self._reload and state.name != LOADING):
                return
            self.state = state
        self._changed(state)


async def _answer_to(job: _Job) -> Completion:
    try:
        return await job.future
    finally:
        job.token.cancel()  # of no effect once it has answered


class LookupThread:
    """Runs calls one after the other, away from the event loop."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def run(self, call: Callable[..., _T], *arguments: Any) -> _T:
        """The call's result or error. Cancelling the waiter skips a call that has not begun."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()

        def work() -> None:
            if future.cancelled():
                return
            try:
                result = call(*arguments)
            except Exception as error:  # noqa: BLE001 -- handed to whoever waits
                _on_loop(loop, partial(_fail, future, error))
            except BaseException as error:  # noqa: BLE001 -- a library's panic; the thread is needed further
                told = RuntimeError(f"{type(error).__name__}: {error}")
                _on_loop(loop, partial(_fail, future, told))
            else:
                _on_loop(loop, partial(_fulfil, future, result))

        self._calls.put(work)
        return await future

    def _run(self) -> None:
        while True:
            self._calls.get()()


def _fulfil(future: asyncio.Future[_T], result: _T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _failed(error: Exception) -> None:
    _log.error("the model could not be loaded: %s", type(error).__name__)


def _on_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        # The loop has ended, and with it whoever waited.
        _log.debug("an answer came after the end")
