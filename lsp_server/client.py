"""A small language client, over the server's standard streams or a port: what an editor does, and no more.

For the demonstration and the tests. Threads read; callers wait with a limit.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

SERVER = (sys.executable, "-I", "-m", "lsp_server")
_PATIENCE_S = 60.0


class ServerSilent(Exception):
    """The server did not answer in time, or it ended; the message carries its last words."""


class RequestFailed(Exception):
    """The server answered with an error."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code = int(error.get("code", 0))


class Client:
    """One server process and the conversation with it."""

    def __init__(
        self,
        command: tuple[str, ...] = SERVER,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        answers: Mapping[str, Callable[[Any], Any]] | None = None,
        tcp: bool = False,
    ) -> None:
        """Start the server. `answers` maps methods that it may ask us to functions of params."""
        self._process = subprocess.Popen(
            (*command, "--tcp", "0") if tcp else command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL if tcp else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._connection = _connected(self._process.stderr) if tcp else None
        if self._connection is not None:
            self._stream: IO[bytes] = self._connection.makefile("rb")
        else:
            self._stream = self._process.stdout
        self._answers: dict[str, Callable[[Any], Any]] = {
            "workspace/configuration": lambda params: [None] * len(params["items"]),
            **(answers or {}),
        }
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._replies: dict[Any, dict[str, Any]] = {}
        self._writing = threading.Lock()
        self._ended = False
        self.notes: list[dict[str, Any]] = []  # notifications, in the order they came
        self.asked: list[dict[str, Any]] = []  # requests of the server
        self.doubled: list[Any] = []  # ids that were answered twice, or never asked
        self.stderr: list[str] = []
        self._waiting: set[Any] = set()
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._listen, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def send(self, message: Mapping[str, Any]) -> None:
        self.send_raw(json.dumps(message).encode())

    def send_raw(self, content: bytes) -> None:
        """Send content that need not be JSON."""
        self.send_bytes(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes that need not be a message."""
        with self._writing:
            if self._connection is not None:
                self._connection.sendall(data)
                return
            assert self._process.stdin is not None
            self._process.stdin.write(data)
            self._process.stdin.flush()

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """Read nothing meanwhile."""
        with self._changed:
            yield

    def expect(self, identity: Any) -> None:
        """A request with this id goes out by other means; its reply is wanted."""
        self._waiting.add(identity)

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: Any = None) -> int:
        """Send a request and return its id, to be waited for later."""
        identity = next(self._numbers)
        self._waiting.add(identity)
        self.send({"jsonrpc": "2.0", "id": identity, "method": method, "params": params})
        return identity

    def reply(self, identity: Any, seconds: float = _PATIENCE_S) -> dict[str, Any]:
        """The whole reply to a request, result or error. Raises ServerSilent."""
        with self._changed:
            if not self._changed.wait_for(
                lambda: identity in self._replies or self._ended, seconds
            ) or (identity not in self._replies):
                raise ServerSilent(self._last_words(f"no reply to request {identity}"))
            return self._replies.pop(identity)

    def request(self, method: str, params: Any = None, seconds: float = _PATIENCE_S) -> Any:
        """Ask and wait. Raises RequestFailed for an error, ServerSilent for none at all."""
        reply = self.reply(self.ask(method, params), seconds)
        if "error" in reply:
            raise RequestFailed(reply["error"])
        return reply["result"]

    def wait_for(
        self,
        wanted: Callable[[dict[str, Any]], bool],
        seconds: float = _PATIENCE_S,
        *,
        since: int = 0,
    ) -> dict[str, Any]:
        """The first notification from number `since` on, past or to come, that is wanted.

        Raises ServerSilent.
        """
        seen = since
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for note in self.notes[seen:]:
                    if wanted(note):
                        return note
                seen = max(seen, len(self.notes))
                if self._ended or not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise ServerSilent(self._last_words("an expected notification did not come"))

    def end(self, seconds: float = _PATIENCE_S) -> int:
        """Shut down as the protocol says; returns the exit code."""
        if not self._ended:
            self.request("shutdown", seconds=seconds)
            self.notify("exit")
        return self.wait(seconds)

    def wait(self, seconds: float = _PATIENCE_S) -> int:
        code = self._process.wait(seconds)
        for reader in self._readers:
            reader.join(seconds)
        self._close_pipes()
        return code

    def hang_up(self) -> None:
        """Close the connection without a word, as an editor that crashed."""
        if self._connection is not None:
            self._connection.shutdown(socket.SHUT_RDWR)
            return
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill(self) -> None:
        self._process.kill()
        self.wait()

    def _close_pipes(self) -> None:
        process = self._process
        pipes = (process.stdin, process.stdout, process.stderr, self._stream, self._connection)
        for pipe in pipes:
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # the server left before it read everything

    def _read(self) -> None:
        while (message := _next_message(self._stream)) is not None:
            with self._changed:
                self._take(message)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            identity = message.get("id")
            if identity is not None and identity not in self._waiting:
                self.doubled.append(identity)
            self._waiting.discard(identity)
            self._replies[identity] = message
        elif "id" in message:
            self.asked.append(message)
            answer = self._answers.get(message["method"])
            result = answer(message.get("params")) if answer else None
            self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})
        else:
            self.notes.append(message)

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.stderr.append(line.decode(errors="replace").rstrip())

    def _last_words(self, what: str) -> str:
        said = "\n".join(self.stderr[-10:])
        state = f"it ended with {self._process.poll()}" if self._ended else "it still runs"
        return f"{what}; {state}" + (f"; it said:\n{said}" if said else "")


def _connected(stderr: IO[bytes]) -> socket.socket:
    """A connection to the port that a server names when it listens."""
    line = stderr.readline().decode(errors="replace")  # empty where the server has ended
    port = line.rpartition(":")[2].strip()
    if not (line.startswith("listening on ") and port.isdigit()):
        raise ServerSilent(f"the server does not listen; it said:\n{line}")
    return socket.create_connection(("127.0.0.1", int(port)))


def _next_message(stream: BinaryIO | Any) -> dict[str, Any] | None:
    length = None
    while line := stream.readline():
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
        elif not line.strip() and length is not None:
            message: dict[str, Any] = json.loads(stream.read(length))
            return message
    return None
