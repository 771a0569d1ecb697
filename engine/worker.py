"""The child process that holds a model: python -I -m engine.worker, messages on stdin and stdout.

From the parent: {"load": arguments}, {"complete": id, "gap": ..., "options": ...}, {"cancel": id}.
To the parent, while it loads: {"loading": fraction}, then {"ready": model info} or
{"failed": message}; when it is asked: {"done": id, "completion": ...}, {"error": id, "message": ...}.
It ends when its stdin does, at once: a parent that died needs no answer.
"""

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

from engine.api import CancelToken, Completer, ModelUnavailable
from engine.frames import options_of, write_frame
from engine.inbox import Inbox, taking
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
    incoming = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 -- until the process ends
    serve(Inbox(taking(incoming, _end_at_once)), outgoing)


def _end_at_once() -> None:
    """A parent that died needs no answer."""
    os._exit(0)


def serve(inbox: Inbox, outgoing: BinaryIO) -> None:
    """Load the model of the first message, then answer one request after the other."""
    first = inbox.next()
    assert first is not None
    try:
        completer = _load(first["load"], outgoing)
    except ModelUnavailable as unavailable:
        write_frame(outgoing, {"failed": str(unavailable)})
        return
    write_frame(outgoing, {"ready": completer.describe()})
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
        gap, options = request["gap"], options_of(request["options"])
        return {"done": number, "completion": completer.complete(gap, options, token)}
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
