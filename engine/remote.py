"""The Completer whose model lives in a child process; a child that dies is replaced."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from engine.api import (
    CancelToken,
    Completion,
    CompletionOptions,
    Gap,
    ModelInfo,
    ModelUnavailable,
)
from engine.frames import BrokenFrame, completion_of, read_frame, write_frame
from engine.window import crop

LOADING, READY, FAILED = "loading", "ready", "failed"
RESTARTING, CLOSED = "restarting", "closed"

_BACK_OFF_S = (1.0, 4.0, 16.0)  # before the first, second and third new child
_PATIENCE_S = 5.0  # for the answer to a cancelled request; after that the child is stuck
_LAST_WORDS_S = 0.4
_NONSENSE = (BrokenFrame, KeyError, TypeError, ValueError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What the child is doing; `message` says what to do about it where it failed."""

    name: str  # loading, ready, failed, restarting, closed
    fraction: float = 0.0  # of loading
    message: str = ""


class WorkerError(Exception):
    """A completion failed in the child; the child lives."""


class WorkerCompleter:
    """Starts the child at once and returns; calls from several threads take turns.

    While there is no model yet, what was not asked for is answered by `gated:loading`, and what
    was asked for waits. A request whose child dies is answered by `gated:restarting`.
    """

    def __init__(
        self,
        arguments: Mapping[str, Any],
        on_state: Callable[[WorkerState], None] | None = None,
        back_off_s: tuple[float, ...] = _BACK_OFF_S,
    ) -> None:
        """`arguments` are those of engine.load; `on_state` is called on a thread of ours."""
        self._arguments = dict(arguments)
        self._on_state = on_state
        self._back_off_s = back_off_s
        self._turn = threading.Lock()  # one request at a time
        self._sending = threading.Lock()
        self._changed = threading.Condition()  # guards what follows
        self._state = WorkerState(LOADING)
        self._info: ModelInfo | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = 0
        self._deaths = 0  # since the last good answer
        self._watcher = threading.Thread(target=self._watch, name="model-worker", daemon=True)
        self._watcher.start()

    def state(self) -> WorkerState:
        with self._changed:
            return self._state

    @property
    def process_id(self) -> int | None:
        """Of the child, if there is one."""
        with self._changed:
            return self._process.pid if self._process is not None else None

    def describe(self) -> ModelInfo:
        """What answers; waits while it loads, and raises ModelUnavailable where it cannot."""
        with self._changed:
            self._changed.wait_for(lambda: self._state.name not in (LOADING, RESTARTING))
            if self._state.name == READY and self._info is not None:
                return self._info
            raise ModelUnavailable(self._state.message or "the model was closed")

    def complete(self, gap: Gap, options: CompletionOptions, cancel: CancelToken) -> Completion:
        """Fill the gap in the child. ModelUnavailable where there will be no model."""
        started = time.perf_counter()
        while not self._turn.acquire(timeout=0.02):
            if cancel.cancelled:
                return Completion("", "cancelled")
        try:
            if (reason := self._not_ready(options, cancel, started)) is not None:
                return Completion("", reason)
            return self._ask(crop(gap), options, cancel)
        finally:
            self._turn.release()

    def close(self) -> None:
        """End the child, within a second."""
        self._become(WorkerState(CLOSED, message="the model was closed"))
        with self._changed:
            process = self._process
        if process is not None:
            _end(process)
        if threading.current_thread() is not self._watcher:
            self._watcher.join(timeout=_LAST_WORDS_S)

    def _not_ready(
        self, options: CompletionOptions, cancel: CancelToken, started: float
    ) -> str | None:
        """Wait for the model if somebody asked; why there is no answer, or None: it is ready."""
        with self._changed:
            while self._state.name in (LOADING, RESTARTING):
                if cancel.cancelled:
                    return "cancelled"
                waited_ms = (time.perf_counter() - started) * 1000
                over = options.time_limit_ms is not None and waited_ms > options.time_limit_ms
                if options.automatic or over:
                    return f"gated:{self._state.name}"
                self._changed.wait(0.02)
            if self._state.name != READY:
                raise ModelUnavailable(self._state.message)
        return None

    def _ask(self, gap: Gap, options: CompletionOptions, cancel: CancelToken) -> Completion:
        with self._changed:
            self._numbers += 1
            number, process = self._numbers, self._process
        if process is None:
            return Completion("", f"gated:{RESTARTING}")
        self._send(process, {"complete": number, "options": options}, gap)
        answered = threading.Event()
        cancel.when_cancelled(lambda: self._cancel(process, number, answered))
        try:
            message = _answer(process, number)
        except BaseException:  # such as Ctrl-C: half an answer may be left in the pipe
            process.kill()
            raise
        finally:
            answered.set()
        if message is None:
            process.kill()  # where it only talks nonsense
            with self._changed:
                self._changed.wait_for(lambda: self._process is not process)
            return Completion("", f"gated:{RESTARTING}")
        with self._changed:
            self._deaths = 0
        if "error" in message:
            raise WorkerError(str(message.get("message")))
        return completion_of(message["completion"])

    def _cancel(
        self, process: subprocess.Popen[bytes], number: int, answered: threading.Event
    ) -> None:
        if answered.is_set():
            return
        self._send(process, {"cancel": number})

        def insist() -> None:
            if not answered.wait(_PATIENCE_S):
                _log.warning("the model did not stop when told to; its process is ended")
                process.kill()

        threading.Thread(target=insist, name="model-worker-patience", daemon=True).start()

    def _send(
        self, process: subprocess.Popen[bytes], message: Mapping[str, Any], gap: Gap | None = None
    ) -> None:
        try:
            with self._sending:  # one thread asks, another cancels
                write_frame(cast(BinaryIO, process.stdin), message, gap)
        except (OSError, ValueError):
            # The child is gone; the watcher sees it too, and whoever waits for an answer.
            _log.debug("a message found no child")

    def _watch(self) -> None:
        """Start a child, hear it out, start the next one, until closed or hopeless."""
        while True:
            try:
                process = _start()
            except OSError as error:
                self._become(WorkerState(FAILED, message=f"no process can be started: {error}"))
                return
            with self._changed:
                self._process = process
                closed = self._state.name == CLOSED
            if closed:
                _end(process)
            self._send(process, {"load": self._arguments})
            code = self._hear(process)
            with self._changed:
                going_on = self._state.name not in (CLOSED, FAILED)
                self._deaths += going_on
            if going_on:
                self._become(self._after_death(code))
            with self._changed:  # whoever had asked it finds the new state
                self._process = None
                self._changed.notify_all()
            if self.state().name != RESTARTING:
                return
            pause = self._back_off_s[self._deaths - 1]
            with self._changed:
                self._changed.wait_for(lambda: self._state.name == CLOSED, timeout=pause)
                if self._state.name == CLOSED:
                    return

    def _after_death(self, code: int) -> WorkerState:
        if self._deaths > len(self._back_off_s):
            return WorkerState(
                FAILED,
                message=f"the model's process ended {self._deaths} times (code {code}): "
                "run `footnote doctor`, and see the log",
            )
        _log.warning("the model's process ended (code %s); it is started again", code)
        return WorkerState(RESTARTING)

    def _hear(self, process: subprocess.Popen[bytes]) -> int:
        """Take what the child says until it is ready, then wait for its end; returns its exit code.

        From then on it speaks when it is asked, to who asks.
        """
        try:
            while (message := read_frame(cast(BinaryIO, process.stdout))) is not None:
                if self._take(message):
                    process.wait()
                    break
        except _NONSENSE as error:
            _log.warning("the model's process talks nonsense: %s", type(error).__name__)
        except OSError:
            _log.debug("the pipe from the child broke")
        code = _end(process)
        cast(BinaryIO, process.stdout).close()
        return code

    def _take(self, message: dict[str, Any]) -> bool:
        """Note how the loading goes; whether it is over."""
        if "loading" in message:
            self._become(WorkerState(LOADING, float(message["loading"])))
        elif "ready" in message:
            self._info = ModelInfo(**message["ready"])
            self._become(WorkerState(READY, 1.0))
            return True
        else:
            self._become(WorkerState(FAILED, message=str(message["failed"])))
        return False

    def _become(self, state: WorkerState) -> None:
        with self._changed:
            if self._state.name == CLOSED:
                return
            self._state = state
            self._changed.notify_all()
        # Outside the lock: whoever listens may want to ask us something.
        if self._on_state is not None:
            self._on_state(state)


def _answer(process: subprocess.Popen[bytes], number: int) -> dict[str, Any] | None:
    """What the child answers to a request; None where it does not."""
    try:
        while (message := read_frame(cast(BinaryIO, process.stdout))) is not None:
            if message["done" if "done" in message else "error"] == number:
                return message
    except (BrokenFrame, KeyError) as error:
        _log.warning("the model's process talks nonsense: %s", type(error).__name__)
    except (OSError, ValueError):
        _log.debug("the child was gone before it answered")
    return None


def _start() -> subprocess.Popen[bytes]:
    # -I: neither the working directory nor PYTHONPATH may shadow our packages.
    return subprocess.Popen(
        [sys.executable, "-I", "-m", "engine.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Threads that wait for each other sleep: the editor has work to do as well.
        env={**os.environ, "OMP_WAIT_POLICY": "passive"},
    )


def _end(process: subprocess.Popen[bytes]) -> int:
    """Close the pipe, which ends a healthy child; then insist."""
    for insist in (_close_pipe, subprocess.Popen.terminate, subprocess.Popen.kill):
        insist(process)
        try:
            return process.wait(timeout=_LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            continue
    return process.wait()


def _close_pipe(process: subprocess.Popen[bytes]) -> None:
    try:
        cast(BinaryIO, process.stdin).close()
    except OSError:
        _log.debug("the pipe was broken already")
