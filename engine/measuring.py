"""Times the backends while nobody types, in a process that is ended when somebody does.

Run as a program it is that process: python -I -m engine.measuring, its task one line of JSON on
stdin. It ends when stdin does: a parent that died wants no figures. What the slower backends took
in memory goes with it.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from engine.api import ModelUnavailable
from engine.backends import AUTO, Wish
from engine.checkpoint import read_checkpoint
from engine.choice import remember, to_be_timed
from engine.loading import SCRIPTED, folder_of
from engine.timing import time_backends

_REST_S = 20.0  # without a request before it begins
_TRIES = 3  # of one worker; each is ended by a request
_NICE = 10  # whoever else wants the processor has it


class Beside:
    """Knows when to time, and holds the process that does. For one thread."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        """`arguments` are those of engine.load; without a file for timings there is nothing to do."""
        self._arguments = dict(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        scripted = str(self._arguments.get("model") or "").startswith(SCRIPTED)
        self._tries = 0 if scripted or not self._arguments.get("timings") else _TRIES

    @property
    def due_s(self) -> float | None:
        """Seconds without a request after which to call `begin`; None for never."""
        return _REST_S if self._tries or self._process else None

    def begin(self) -> None:
        """Start timing, if that is to be done and is not under way."""
        if self._process is not None:
            if (code := self._process.poll()) is None:
                return
            self.end()
            self._tries = 0 if code == 0 else self._tries
        if not self._tries or not _task(self._arguments):
            self._tries = 0
            return
        self._tries -= 1
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "engine.measuring"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._process = process
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it died at once
            process.stdin.write(json.dumps(self._arguments).encode() + b"\n")
            process.stdin.flush()

    def end(self) -> None:
        """Somebody asks: the processor is theirs."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _task(arguments: Mapping[str, Any]) -> list[Wish]:
    """What is to be timed; nothing where the folder has gone meanwhile."""
    try:
        checkpoint = read_checkpoint(folder_of(arguments.get("model")), verify=False)
        return to_be_timed(Path(arguments["timings"]), checkpoint, _wish(arguments))
    except (ModelUnavailable, OSError):
        return []


def _wish(arguments: Mapping[str, Any]) -> Wish:
    """Whatever device was asked for: the figures are for all of them."""
    backend, dtype = arguments.get("backend", AUTO), arguments.get("dtype", AUTO)
    return Wish(backend, dtype, arguments.get("threads", 0))


def main() -> None:
    arguments = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()
    with contextlib.suppress(OSError, AttributeError):  # Windows has no such thing
        os.nice(_NICE)
    measure(arguments)
    os._exit(0)  # the thread that reads would have an orderly end wait for it, or abort it


def measure(arguments: Mapping[str, Any]) -> None:
    """Time what is to be timed and keep the figures."""
    wishes = _task(arguments)
    if wishes:
        checkpoint = read_checkpoint(folder_of(arguments.get("model")), verify=False)
        timings = list(time_backends(checkpoint, wishes))
        remember(Path(arguments["timings"]), checkpoint, _wish(arguments), timings)


def _end_with(stream: IO[bytes]) -> None:
    """End this process when the stream does."""
    stream.read()
    os._exit(1)


if __name__ == "__main__":
    main()
