"""Messages in and out: over the standard streams, or over one TCP connection on this machine."""

from __future__ import annotations

import asyncio
import json
import os
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
_NO_LIMIT = 1 << 40  # bytes of a header line that asyncio would otherwise refuse


class _Reader(Protocol):
    def readline(self) -> Awaitable[bytes]: ...

    def readexactly(self, n: int, /) -> Awaitable[bytes]: ...


class _Streams:
    """A writer as pygls wants it, on a file of our own."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def serve_stdio(protocol: FootnoteProtocol, beside: Beside = nullcontext) -> int:
    """Serve until `exit` or the end of stdin; returns the exit code. Opens no socket itself.

    `beside` is entered while it serves, on the same event loop.
    """
    stdin, stdout = take_stdio()

    async def serve() -> None:
        async with beside():
            protocol.set_writer(_Streams(stdout))
            await _read_messages(_reader_of(stdin), protocol)

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
                await _read_messages(reader, protocol)
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


def _reader_of(stdin: BinaryIO) -> asyncio.StreamReader:
    """Read on a daemon thread: one that waits for input must not keep the process alive."""
    reader = asyncio.StreamReader(limit=_NO_LIMIT)
    loop = asyncio.get_running_loop()
    descriptor = stdin.fileno()

    def pump() -> None:
        try:
            while chunk := os.read(descriptor, _CHUNK):
                loop.call_soon_threadsafe(reader.feed_data, chunk)
            loop.call_soon_threadsafe(reader.feed_eof)
        except RuntimeError:
            return  # the loop has ended

    threading.Thread(target=pump, name="stdin", daemon=True).start()
    return reader


async def _read_messages(reader: _Reader, protocol: FootnoteProtocol) -> None:
    ended = False

    def stop() -> None:
        nonlocal ended
        ended = True

    protocol.stop = stop
    while not ended:
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
