"""What the parent of a worker process wants, read by the thread that does it.

A message that woke one thread, which woke another, came late: each waking takes some tenths of a
millisecond. So the thread that completes reads for itself, and looks between two steps whether it
has been told to stop. Where the system cannot say whether a pipe holds something, a thread reads.
"""

import logging
import queue
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, BinaryIO

from engine.api import CancelToken
from engine.frames import BrokenFrame, read_frame

_log = logging.getLogger("engine.worker")

Message = dict[str, Any]
Take = Callable[[float | None], Message | None]  # within so many seconds; None for no limit


class Inbox:
    """Requests in order; cancelling overtakes them. Serves one thread."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._requests: deque[Message] = deque()
        self._cancelled: set[int] = set()

    def next(self, within_s: float | None = None) -> Message | None:
        """The next request, or None where none comes in time."""
        while not self._requests:
            if not self._look(within_s):
                return None
        return self._requests.popleft()

    def token(self, number: int) -> CancelToken:
        """Says whether a request was cancelled, as soon as that has been said."""

        def is_cancelled() -> bool:
            while number not in self._cancelled and self._look(0.0):
                pass
            return number in self._cancelled

        return _Asking(is_cancelled)

    def forget(self, number: int) -> None:
        """Drop what was said of a request that was answered, and of all before it."""
        self._cancelled = {each for each in self._cancelled if each > number}

    def _look(self, within_s: float | None) -> bool:
        message = self._take(within_s)
        if message is None:
            return False
        if "cancel" in message:
            self._cancelled.add(message["cancel"])
        else:
            self._requests.append(message)
        return True


class _Asking(CancelToken):
    """Asks whether it is cancelled, each time."""

    __slots__ = ("_ask",)

    def __init__(self, ask: Callable[[], bool]) -> None:
        super().__init__()
        self._ask = ask

    @property
    def cancelled(self) -> bool:
        return self._ask()


def taking(incoming: BinaryIO, ended: Callable[[], None]) -> Take:
    """Take messages from an unbuffered pipe, in the best way that this system has."""
    return polled(incoming, ended) if hasattr(select, "poll") else heard(incoming, ended)


def polled(incoming: BinaryIO, ended: Callable[[], None]) -> Take:
    """Who takes reads. `ended` is called when nobody holds the other end any more, at once."""
    comes, goes = select.poll(), select.poll()
    comes.register(incoming, select.POLLIN)
    goes.register(incoming, 0)  # of a hang-up one is always told

    def wait_for_the_end() -> None:
        goes.poll()
        ended()

    def take(within_s: float | None) -> Message | None:
        if not comes.poll(None if within_s is None else 1000 * within_s):
            return None
        return _read(incoming, ended)

    threading.Thread(target=wait_for_the_end, name="parent", daemon=True).start()
    return take


def heard(incoming: BinaryIO, ended: Callable[[], None]) -> Take:
    """A thread reads, and who takes has the message from it."""
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def read() -> None:
        while (message := _read(incoming, ended)) is not None:
            messages.put(message)

    def take(within_s: float | None) -> Message | None:
        try:
            return messages.get(timeout=within_s)
        except queue.Empty:
            return None

    threading.Thread(target=read, name="inbox", daemon=True).start()
    return take


def _read(incoming: BinaryIO, ended: Callable[[], None]) -> Message | None:
    try:
        if (message := read_frame(incoming)) is not None:
            return message
    except (BrokenFrame, OSError) as error:
        _log.error("the pipe broke: %s", error)
    ended()
    return None
