"""Messages in and out: over the standard streams, or over one TCP connection on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from lsp_server.web import LOOPBACK

if TYPE_CHECKING:
    from lsp_server.wire import FootnoteProtocol

    Beside = Callable[[], AbstractAsyncContextManager[object]]

_CHUNK = 1 << 16
_MOST_UNSENT = 4 << 20  # bytes of answers that nobody has read, until no more is asked for
_MOST_AHEAD = 4 << 20  # bytes that are read before they are wanted
_PAUSE_S = 0.02
_LAST_WORDS_S = 2.0
_NO_LIMIT = 1 << 40  # bytes of a header line that asyncio would otherwise refuse


class _Reader(Protocol):
    def readline(self) -> Awaitable[bytes]: ...

    def readexactly(self, n: int, /) -> Awaitable[bytes]: ...


class _Output:
    """A writer as pygls wants it: a thread of its own writes, so that a slow reader stops no loop."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._parts: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unsent = 0
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="stdout", daemon=True)
        self._thread.start()

    @property
    def unsent(self) -> int:
        return self._unsent

    def write(self, data: bytes) -> None:
        if self._broken:
            raise BrokenPipeError
        with self._lock:
            self._unsent += len(data)
        self._parts.put(data)

    def close(self) -> None:
        """Send what there is, to a client that reads; one that does not is not waited for."""
        self._parts.put(None)
        self._thread.join(_LAST_WORDS_S)

    def _run(self) -> None:
        descriptor = self._file.fileno()
        while (data := self._parts.get()) is not None:
            rest = memoryview(data)
            try:
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            except OSError:
                self._broken = True  # the end of stdin says the same
                return
            with self._lock:
                self._unsent -= len(data)


class _Input:
    """stdin for the event loop; no more is read ahead than that can be expected to want.

    Read on a daemon thread: one that waits for input must not keep the process alive.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reader = asyncio.StreamReader(limit=_NO_LIMIT)
        self._loop = asyncio.get_running_loop()
        self._room = threading.Condition()
        self._held = 0
        self._wanted = False
        threading.Thread(target=self._run, name="stdin", daemon=True).start()

    async def readline(self) -> bytes:
        return await self._taken(self._reader.readline())

    async def readexactly(self, n: int, /) -> bytes:
        return await self._taken(self._reader.readexactly(n))

    async def _taken(self, reading: Awaitable[bytes]) -> bytes:
        self._note(wanted=True)
        data = await reading
        self._note(wanted=False, taken=len(data))
        return data

    def _note(self, *, wanted: bool, taken: int = 0) -> None:
        with self._room:
            self._wanted = wanted
            self._held -= taken
            self._room.notify()

    def _run(self) -> None:
        try:
            while chunk := os.read(self._file.fileno(), _CHUNK):
                with self._room:
                    self._room.wait_for(lambda: self._wanted or self._held < _MOST_AHEAD)
                    self._held += len(chunk)
                self._loop.call_soon_threadsafe(self._reader.feed_data, chunk)
            self._loop.call_soon_threadsafe(self._reader.feed_eof)
        except RuntimeError:
            return  # the loop has ended


def serve_stdio(protocol: FootnoteProtocol, beside: Beside = nullcontext) -> int:
    """Serve until `exit` or the end of stdin; returns the exit code. Opens no socket itself.

    `beside` is entered while it serves, on the same event loop.
    """
    stdin, stdout = take_stdio()

    async def serve() -> None:
        async with beside():
            output = _Output(stdout)
            protocol.set_writer(output)
            try:
                await _read_messages(_Input(stdin), protocol, lambda: output.unsent)
            finally:
                output.close()

    return _run(serve, protocol)


def serve_tcp(
    protocol: FootnoteProtocol,
    port: int,
    listening: Callable[[int], None],
    beside: Beside = nullcontext,
) -> int:
    """Serve the first client that connects from this machine; returns the exit code."""

    async def serve() -> None:
        ended = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if protocol.writer is not None:
                writer.close()
                return
            protocol.set_writer(_Connection(writer))
            try:
                await _read_messages(reader, protocol, writer.transport.get_write_buffer_size)
            finally:
                ended.set()
                writer.close()

        server = await asyncio.start_server(talk, LOOPBACK, port)
        async with server, beside():
            listening(server.sockets[0].getsockname()[1])
            await ended.wait()

    return _run(serve, protocol)


def take_stdio() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for the protocol alone: a stray print goes to stderr instead."""
    stdin = os.fdopen(os.dup(0), "rb")
    stdout = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stdin, stdout


class _Connection:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def close(self) -> None:
        self._writer.close()


def _run(serve: Callable[[], Any], protocol: FootnoteProtocol) -> int:
    try:
        asyncio.run(serve())
    except (BrokenPipeError, ConnectionResetError):
        return 0  # the editor has gone without a word
    except KeyboardInterrupt:
        return 130
    return protocol.exit_code


async def _read_messages(
    reader: _Reader, protocol: FootnoteProtocol, unsent: Callable[[], int]
) -> None:
    """Handle what comes; of a client that does not read its answers nothing more is taken."""
    ended = False

    def stop() -> None:
        nonlocal ended
        ended = True

    protocol.stop = stop
    while not ended:
        while unsent() > _MOST_UNSENT:  # noqa: ASYNC110 -- rare, and no writer tells of its progress
            await asyncio.sleep(_PAUSE_S)
        try:
            length = await _read_headers(reader)
            if length is None:
                return
            content = await reader.readexactly(length)
        except asyncio.IncompleteReadError:
            return
        try:
            message = json.loads(content)
        except (ValueError, RecursionError):
            protocol.refuse_unparsable()
            continue
        protocol.receive(message)
        # The handler just started takes its snapshot before the next message changes the text.
        await asyncio.sleep(0)


async def _read_headers(reader: _Reader) -> int | None:
    """The length of the content that follows; None at the end of the stream."""
    length = None
    while line := await reader.readline():
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
        elif not line.strip() and length is not None:
            return length
    return None
