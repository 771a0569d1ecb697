"""An endpoint in this process with a model that says what it is told to, and somebody who asks it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from engine.api import CancelToken, Completion, CompletionOptions, Gap, ModelInfo
from indexer import Match, Source
from lsp_server import web
from lsp_server.documents import Documents
from lsp_server.endpoint import Endpoint
from lsp_server.scheduler import EngineThread, LookupThread
from lsp_server.session import Index, Session
from lsp_server.settings import AttributionSettings, Settings

MATCH = Match(1, 2, "warning", "verbatim", 1.0, 40, Source("pkg", "1.0", "a.py", 3, 4, "MIT", ""))


class Model:
    """Says `text`, and keeps what it was asked; waits while `slow` until it is cancelled."""

    def __init__(self) -> None:
        self.text = "x + 1"
        self.replace_after = 0
        self.error: Exception | None = None
        self.slow = False
        self.asked: list[tuple[Gap, CompletionOptions]] = []
        self.cancelled = 0

    def complete(self, gap: Gap, options: CompletionOptions, cancel: CancelToken) -> Completion:
        self.asked.append((gap, options))
        while self.slow and not cancel.cancelled:
            time.sleep(0.001)
        if cancel.cancelled:
            self.cancelled += 1
            return Completion("", "cancelled")
        if self.error is not None:
            raise self.error
        timings = {"prefill": 10.0, "decode": 20.0}
        text = "other" if options.banned else self.text
        return Completion(text, "end", self.replace_after, timings, 7, 2, 4)

    def describe(self) -> ModelInfo:
        return ModelInfo("model-of-ours", "cpu", "int8", 1, context=512)

    def close(self) -> None: ...


class Found:
    """An index that knows one text."""

    def check_completion(self, _before: str, text: str, _after: str, **_more: Any) -> list[Match]:
        return [MATCH] if text == "x + 1" else []


class Served:
    """An endpoint, and somebody who asks it."""

    def __init__(self, endpoint: Endpoint, model: Model, port: int) -> None:
        self.endpoint, self.model, self.port = endpoint, model, port

    @property
    def waiting(self) -> int:
        """How many wait for what is being computed."""
        work = self.endpoint._work
        return 0 if work is None else work.n_waiting

    async def opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(web.LOOPBACK, self.port)

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        status, _, told = await self.said(path, json.dumps(body).encode(), **headers)
        return status, json.loads(told)

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        status, _, told = await self.said(path, None, **headers)
        return status, json.loads(told)

    async def said(
        self, path: str, body: bytes | None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        reader, writer = await self.opened()
        writer.write(self.request(path, body, **headers))
        try:
            return await answer_of(reader)
        finally:
            writer.close()

    def request(self, path: str, body: bytes | None, **headers: str) -> bytes:
        named = {"Host": f"127.0.0.1:{self.port}", **headers}
        if body is not None:
            named |= {"Content-Length": str(len(body)), "Content-Type": "application/json"}
        told = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
        return f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\n{told}\r\n".encode() + (
            body or b""
        )


async def until(happened: Callable[[], object]) -> None:
    """The model runs on a thread; the test's own time limit ends a vain wait."""
    for _ in iter(happened, True):
        if happened():
            return
        await asyncio.sleep(0.001)


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], str]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return int(first.split()[1]), headers, body.decode()


@asynccontextmanager
async def serving(mode: str = "warn", **settings: Any) -> AsyncIterator[Served]:
    model = Model()
    engine = EngineThread(lambda: model, lambda _state: None)
    session = Session(
        Documents(),
        engine,
        LookupThread("candidates"),
        LookupThread("lookups"),
        settings=Settings(attribution=AttributionSettings(mode=mode), **settings),
        index=Index("ready", Found()),  # type: ignore[arg-type]
    )
    engine.start()
    try:
        endpoint = Endpoint(session, clock=lambda: 5.0)
        async with endpoint.listening(0) as port:
            yield Served(endpoint, model, port)
    finally:
        engine.close()


LLAMA_VIM = {
    "input_prefix": "import math\n\n",
    "input_suffix": "\nprint(1)\n",
    "input_extra": [{"text": "a\n", "time": [1, 2], "filename": "b.py"}],
    "prompt": "y = ",
    "n_predict": 128,
    "stop": [],
    "n_indent": 0,
    "top_k": 40,
    "top_p": 0.9,
    "stream": False,
    "samplers": ["top_k", "top_p", "infill"],
    "cache_prompt": True,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 250,
    "response_fields": ["content", "timings/prompt_n", "timings/predicted_ms", "tokens_cached"],
}
GAP = Gap("import math\n\ny = ", "\nprint(1)\n")
