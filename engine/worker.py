"""The child process that holds a model: python -I -m engine.worker, messages on stdin and stdout.

From the parent: {"load": arguments}, {"complete": id, "gap": ..., "options": ...},
{"cancel": id}. To the parent: {"loading": fraction}, {"ready": model info}, {"failed": message},
{"done": id, "completion": ...}, {"error": id, "message": ...}.
It ends when its stdin does, at once: a parent that died needs no answer.
"""

import ctypes
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO

from engine.api import CancelToken, Completer, Gap, ModelUnavailable
from engine.frames import BrokenFrame, options_of, plain, read_frame, write_frame
from engine.loading import load
from engine.measuring import Beside

_log = logging.getLogger("engine.worker")


def main() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="worker: %(message)s")
    # Ctrl-C in a terminal goes to the whole group; the parent decides what it means for us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a library prints must not end up between messages.
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    inbox = Inbox(sys.stdin.buffer)
    threading.Thread(target=inbox.read, name="inbox", daemon=True).start()
    serve(inbox, outgoing)


class Inbox:
    """What the parent wants, in order; cancelling overtakes."""

    def __init__(self, incoming: BinaryIO) -> None:
        self._incoming = incoming
        self._lock = threading.Lock()
        self._tokens: dict[int, CancelToken] = {}
        self._requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read(self) -> None:
        """Read until the parent closes the pipe or talks nonsense, then end the process."""
        try:
            while (message := read_frame(self._incoming)) is not None:
                if "cancel" in message:
                    self.token(message["cancel"]).cancel()
                else:
                    self._requests.put(message)
        except (BrokenFrame, OSError) as error:
            _log.error("the pipe broke: %s", error)
        os._exit(0)

    def next(self, within_s: float | None = None) -> dict[str, Any] | None:
        """The next one, or None where none comes in time."""
        try:
            return self._requests.get(timeout=within_s)
        except queue.Empty:
            return None

    def token(self, number: int) -> CancelToken:
        """The token of a request, whichever of the request and its cancelling comes first."""
        with self._lock:
            return self._tokens.setdefault(number, CancelToken())

    def forget(self, number: int) -> None:
        """Drop the tokens of a request that was answered, and of all before it."""
        with self._lock:
            for old in [each for each in self._tokens if each <= number]:
                del self._tokens[old]


def serve(inbox: Inbox, outgoing: BinaryIO) -> None:
    """Load the model of the first message, then answer one request after the other."""
    first = inbox.next()
    assert first is not None
    try:
        completer = _load(first["load"], outgoing)
    except ModelUnavailable as unavailable:
        write_frame(outgoing, {"failed": str(unavailable)})
        return
    write_frame(outgoing, {"ready": plain(completer.describe())})
    beside = Beside(first["load"])
    while True:
        request = inbox.next(beside.due_s)
        if request is None:
            beside.begin()
            continue
        beside.end()
        number = int(request["complete"])
        write_frame(outgoing, _answer(completer, request, inbox.token(number)))
        inbox.forget(number)


def _load(arguments: Mapping[str, Any], outgoing: BinaryIO) -> Completer:
    write_frame(outgoing, {"loading": 0.1})
    completer = load(**arguments)
    _give_memory_back()
    return completer


def _give_memory_back() -> None:
    """Return what loading freed to the system, where the C library can; some 60 MB."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _answer(completer: Completer, request: Mapping[str, Any], token: CancelToken) -> dict[str, Any]:
    number = request["complete"]
    try:
        gap, options = Gap(**request["gap"]), options_of(request["options"])
        return {"done": number, "completion": plain(completer.complete(gap, options, token))}
    except Exception as error:  # noqa: BLE001 -- the parent is told, and the next one may work
        # The message may quote what somebody wrote; the log gets the kind and the place only.
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        line = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
        _log.error("a completion failed: %s at %s", type(error).__name__, line)
        return {"error": number, "message": f"{type(error).__name__} at {line}"}


if __name__ == "__main__":
    main()
