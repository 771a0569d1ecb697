"""HTTP/1.1 as far as programs on this machine need it: one request after the other, JSON in and out."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

LOOPBACK = "127.0.0.1"  # the one address that is ever listened on
LARGEST_HEAD = 32 * 1024  # bytes
LARGEST_BODY = 8 * 1024 * 1024
_PATIENCE_S = 60.0  # for a request to come, and to come to its end
_OURS = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?\Z", re.IGNORECASE)


class Refused(Exception):
    """A request that gets an error; the message is for a person."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    def json(self) -> Mapping[str, Any]:
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
        if not isinstance(value, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body must be a JSON object")
        return value


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: a JSON object, or several as events of a stream."""

    values: tuple[Any, ...]
    status: HTTPStatus = HTTPStatus.OK
    is_stream: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self, *, keep: bool) -> bytes:
        if self.is_stream:
            kind = "text/event-stream"
            lines = [each if isinstance(each, str) else _told(each) for each in self.values]
            body = "".join(f"data: {line}\n\n" for line in lines).encode()
        else:
            kind, body = "application/json", _told(self.values[0]).encode() + b"\n"
        head = {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Connection": "keep-alive" if keep else "close",
            **self.headers,
        }
        told = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        status = f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
        return f"{status}{told}\r\n".encode() + body


def _told(value: Any) -> str:
    """As llama.cpp writes it: llama.vim takes nothing for an answer that lacks `"content":"`."""
    return json.dumps(value, separators=(",", ":"))


def failure(status: HTTPStatus, message: str, kind: str = "invalid_request_error") -> Reply:
    """An error as both llama.cpp and OpenAI word it."""
    error = {"code": status.value, "message": message, "type": kind}
    return Reply(({"error": error},), status)


class Reader(asyncio.StreamReader):
    """A stream that says when its other end has gone, though nobody reads from it."""

    def __init__(self) -> None:
        super().__init__(limit=LARGEST_HEAD)
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.gone.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.gone.set()


async def listen(
    talk: Callable[[Reader, asyncio.StreamWriter], Awaitable[None]], port: int
) -> asyncio.Server:
    """Have `talk` speak to whoever connects from this machine."""

    def connected() -> asyncio.StreamReaderProtocol:
        reader = Reader()
        return asyncio.StreamReaderProtocol(reader, lambda _same, writer: talk(reader, writer))

    return await asyncio.get_running_loop().create_server(connected, LOOPBACK, port)


async def converse(
    reader: Reader,
    writer: asyncio.StreamWriter,
    answer: Callable[[Request], Awaitable[Reply]],
) -> None:
    """Answer the requests of one connection; `answer` is cancelled when the other end hangs up."""
    while (request := await _next(reader, writer)) is not None:
        work = asyncio.ensure_future(answer(request))
        gone = asyncio.ensure_future(reader.gone.wait())
        try:
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                return
        finally:
            gone.cancel()
            work.cancel()  # of no effect where it is done
            await asyncio.wait((work, gone))
        keep = request.headers.get("connection", "").lower() != "close"
        writer.write(work.result().encoded(keep=keep))
        await writer.drain()
        if not keep:
            return


async def _next(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request; None where none comes, or none that the conversation could go on after."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await _read(reader, writer)
    except TimeoutError:
        return None
    except Refused as refused:
        writer.write(failure(refused.status, str(refused)).encoded(keep=False))
        await writer.drain()
        return None


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        message = f"the headers are longer than {LARGEST_HEAD} bytes"
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message) from None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise Refused(HTTPStatus.BAD_REQUEST, "this is no request of HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise Refused(HTTPStatus.BAD_REQUEST, "a header has no colon")
        headers[name.strip().lower()] = value.strip()
    _refuse_browsers(headers)
    request = Request(parts[0], parts[1].partition("?")[0], headers)
    length = _length(headers)
    if not length:
        return request
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        body = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
    return Request(request.method, request.path, headers, body)


def _length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        message = "send the body in one piece, with a Content-Length"
        raise Refused(HTTPStatus.LENGTH_REQUIRED, message)
    told = headers.get("content-length", "0")
    if not (told.isascii() and told.isdigit()):
        raise Refused(HTTPStatus.BAD_REQUEST, "the Content-Length is no number")
    if len(told) > 12 or int(told) > LARGEST_BODY:
        message = f"the body is larger than {LARGEST_BODY} bytes"
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    return int(told)


def _refuse_browsers(headers: Mapping[str, str]) -> None:
    """A page in a browser can reach this machine, by its own name too; only a browser says whose it is."""
    if not _OURS.match(headers.get("host", "")):
        raise Refused(
            HTTPStatus.FORBIDDEN, "ask for 127.0.0.1 or localhost; no other host is served"
        )
    if "origin" in headers or "sec-fetch-site" in headers:
        raise Refused(HTTPStatus.FORBIDDEN, "pages in a browser are not served")
