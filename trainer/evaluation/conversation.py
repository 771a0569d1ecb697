"""The conversation of an editor with the language server, for measuring: one thread writes, waits and reads.

A message counts from the moment its last byte is there; what is parsed or sent meanwhile is not in it.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

SERVER = (sys.executable, "-I", "-m", "lsp_server")
_PATIENCE_S = 60.0
_CHUNK = 1 << 16
_CAPABILITIES = {
    "general": {"positionEncodings": ["utf-16"]},  # as most editors count
    "textDocument": {
        "inlineCompletion": {},
        "hover": {"contentFormat": ["markdown"]},
        "publishDiagnostics": {
            "relatedInformation": True,
            "versionSupport": True,
            "codeDescriptionSupport": True,
            "dataSupport": True,
        },
    },
}


class ServerLost(Exception):
    """The server ended or did not answer; what it said is on stderr."""


class Conversation:
    """One server process, started as an editor would; what it has to say on stderr is shown."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.started = time.perf_counter()
        self._process = subprocess.Popen(SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._settings = settings
        self._unread = b""
        self._number = 0
        self._replies: dict[int, tuple[dict[str, Any], float]] = {}
        self.status: dict[str, Any] = {}  # the last $/footnote/status, and when it came

    @property
    def process_id(self) -> int:
        return self._process.pid

    def initialize(self) -> float:
        """Begin; seconds from the start of the process to the reply."""
        asked = self.ask(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": None,
                "clientInfo": {"name": "footnote bench"},
                "capabilities": _CAPABILITIES,
                "initializationOptions": self._settings,
            },
        )
        _, at = self.answer(asked)
        self.send(message("initialized", {}))
        return at - self.started

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> float:
        """Wait for a status; seconds from the start of the process until it came."""
        ends = time.perf_counter() + _PATIENCE_S
        while not (self.status and wanted(self.status)):
            self._take(ends, "did not become ready")
        return float(self.status["at"]) - self.started

    def ask(self, method: str, params: Any) -> int:
        number, data = self.question(method, params)
        self.send(data)
        return number

    def question(self, method: str, params: Any) -> tuple[int, bytes]:
        """A request as it is to be sent, and its number."""
        self._number += 1
        return self._number, message(method, params, self._number)

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._in, rest) :]
        except OSError as error:
            raise ServerLost("the server has ended") from error

    def answer(self, number: int) -> tuple[dict[str, Any], float]:
        """The reply to a request, and when it came by time.perf_counter()."""
        ends = time.perf_counter() + _PATIENCE_S
        while number not in self._replies:
            self._take(ends, f"did not answer request {number}")
        return self._replies.pop(number)

    def result(self, method: str, params: Any = None) -> Any:
        """Ask, and wait for the result."""
        reply, _ = self.answer(self.ask(method, params))
        if "error" in reply:
            raise ServerLost(f"{method} was refused: {reply['error'].get('message')}")
        return reply["result"]

    def rest(self, seconds: float) -> None:
        """Do nothing for a while but read what comes."""
        ends = time.perf_counter() + seconds
        while (left := ends - time.perf_counter()) > 0:
            self._read(left)

    def close(self) -> None:
        """Shut down as the protocol says, whatever the server does then."""
        try:
            if self._process.poll() is None:
                self.result("shutdown")
                self.send(message("exit", None))
                self._process.wait(10)
        except (ServerLost, subprocess.TimeoutExpired):
            self._process.kill()
        finally:
            self._process.kill()
            self._process.communicate()

    def _take(self, ends: float, missed: str) -> None:
        left = ends - time.perf_counter()
        if left <= 0:
            raise ServerLost(f"the server {missed} in {_PATIENCE_S:.0f} s")
        self._read(left)

    def _read(self, seconds: float) -> None:
        ready, _, _ = select.select([self._out], [], [], seconds)
        if not ready:
            return
        data = os.read(self._out, _CHUNK)
        if not data:
            raise ServerLost(f"the server has ended with code {self._process.wait(10)}")
        at = time.perf_counter()
        self._unread += data
        while (content := self._next()) is not None:
            self._hear(json.loads(content), at)

    def _next(self) -> bytes | None:
        """The content of the first whole message that has come."""
        head, found, rest = self._unread.partition(b"\r\n\r\n")
        if not found:
            return None
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(rest) < length:
            return None
        self._unread = rest[length:]
        return rest[:length]

    def _hear(self, heard: dict[str, Any], at: float) -> None:
        if "method" not in heard:
            self._replies[heard["id"]] = heard, at
        elif "id" in heard:  # nothing that it could ask is announced
            refusal = {"code": -32601, "message": "not here"}
            self.send(framed({"jsonrpc": "2.0", "id": heard["id"], "error": refusal}))
        elif heard["method"] == "$/footnote/status":
            self.status = {**heard["params"], "at": at}


def message(method: str, params: Any, number: int | None = None) -> bytes:
    """A notification as it is to be sent, or a request with its number."""
    said = {"jsonrpc": "2.0", "method": method, "params": params}
    return framed(said if number is None else {**said, "id": number})


def framed(said: Mapping[str, Any]) -> bytes:
    content = json.dumps(said, separators=(",", ":")).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(content), content)
