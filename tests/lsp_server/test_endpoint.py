"""The endpoint as llama.vim, llama.vscode, minuet and Zed use it: what they send, what they read."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from engine.api import CancelToken, Completion, CompletionOptions, Gap, ModelInfo
from indexer import Match, Source
from lsp_server import web
from lsp_server.documents import Documents
from lsp_server.endpoint import Endpoint, inserted
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


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


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


async def test_llama_vim_reads_the_fields_that_it_asked_for(served: Served) -> None:
    status, told = await served.post("/infill", LLAMA_VIM)

    footnote = told.pop("footnote")
    assert status == 200
    assert told == {
        "content": "x + 1",
        "timings/prompt_n": 5,
        "timings/predicted_ms": 20.0,
        "tokens_cached": 2,
    }
    ((gap, options),) = served.model.asked
    assert gap == GAP
    assert (options.max_new_tokens, options.time_limit_ms, options.automatic) == (128, 750.0, True)
    assert footnote["ignored"] == [
        "cache_prompt",
        "input_extra",
        "n_indent",
        "samplers",
        "top_k",
        "top_p",
    ]


async def test_llama_vscode_reads_timings_and_has_a_text_read_ahead(served: Served) -> None:
    asked = {name: LLAMA_VIM[name] for name in LLAMA_VIM if name != "response_fields"}
    _, told = await served.post("/infill", asked)

    assert told["content"] == "x + 1"
    assert told["timings"]["predicted_n"] == 4
    assert told["timings"]["predicted_per_second"] == 200.0
    assert (told["stop"], told["stop_type"], told["truncated"]) == (True, "eos", False)

    status, _ = await served.post("/infill", {**asked, "n_predict": 0})
    assert status == 200
    assert served.model.asked[-1][1].max_new_tokens == 0


@pytest.mark.parametrize("n_predict", [0, 1])  # llama.vim's, llama.vscode's
async def test_other_files_sent_ahead_displace_nothing(served: Served, n_predict: int) -> None:
    served.model.slow = True
    running = asyncio.create_task(served.post("/infill", LLAMA_VIM))
    await until(lambda: served.model.asked)
    only = {"input_prefix": "", "prompt": "", "input_suffix": "", "n_predict": n_predict}
    status, told = await served.post("/infill", {**LLAMA_VIM, **only, "response_fields": [""]})
    served.model.slow = False

    assert (status, told["footnote"]["stop_reason"]) == (200, "gated:empty")
    assert (await running)[1]["content"] == "x + 1"
    assert len(served.model.asked) == 1


async def test_a_match_is_told_with_the_text(served: Served) -> None:
    _, told = await served.post("/infill", LLAMA_VIM)

    (match,) = told["footnote"]["matches"]
    assert match["source"]["package"] == "pkg"
    assert "pkg 1.0" in match["headline"]
    assert told["footnote"]["checked"] is True


@pytest.mark.parametrize(("mode", "text"), [("hide", ""), ("regenerate", "other")])
async def test_the_mode_of_attribution_holds_here_too(mode: str, text: str) -> None:
    async with serving(mode) as served:
        _, told = await served.post("/infill", LLAMA_VIM)

    assert told["content"] == text
    assert told["footnote"]["matches"] == []


async def test_minuet_reads_a_stream_of_events(served: Served) -> None:
    asked = {
        "model": "any",
        "stream": True,
        "prompt": "y = ",
        "suffix": "\nprint(1)\n",
        "max_tokens": 56,
        "top_p": 0.9,
    }
    status, headers, told = await served.said("/v1/completions", json.dumps(asked).encode())

    *events, end = [line.removeprefix("data: ") for line in told.split("\n\n") if line]
    choices = [json.loads(event)["choices"][0] for event in events]
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert [(choice["text"], choice["finish_reason"]) for choice in choices] == [
        ("x + 1", None),
        ("", "stop"),
    ]
    assert end == "[DONE]"
    assert served.model.asked[0][0] == Gap("y = ", "\nprint(1)\n")


async def test_zed_may_lay_its_prompt_out_for_another_model(served: Served) -> None:
    asked = {
        "model": "qwen2.5-coder",
        "prompt": "<|fim_prefix|>y = <|fim_suffix|>\nprint(1)\n<|fim_middle|>",
        "max_tokens": 64,
        "stop": ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"],
    }
    status, told = await served.post("/v1/completions", asked)

    assert status == 200
    assert told["id"]
    assert told["choices"][0]["text"] == "x + 1"
    assert told["model"] == "model-of-ours"
    assert served.model.asked[0][0] == Gap("y = ", "\nprint(1)\n")


async def test_a_stop_word_ends_the_text(served: Served) -> None:
    _, told = await served.post("/v1/completions", {"prompt": "y = ", "stop": " +"})

    assert told["choices"][0]["text"] == "x"
    assert told["choices"][0]["finish_reason"] == "stop"


async def test_infill_streams_too(served: Served) -> None:
    body = json.dumps({**LLAMA_VIM, "stream": True}).encode()
    _, _, told = await served.said("/infill", body)

    first, last = [json.loads(line.removeprefix("data: ")) for line in told.split("\n\n") if line]
    assert first == {"content": "x + 1", "stop": False}
    assert (last["content"], last["stop"]) == ("", True)


async def test_the_state_and_the_model_are_told(served: Served) -> None:
    await served.post("/infill", LLAMA_VIM)  # it is loaded then

    assert await served.get("/health") == (200, {"status": "ok"})
    assert (await served.get("/v1/models"))[1]["data"][0]["id"] == "model-of-ours"
    assert (await served.get("/props"))[1]["default_generation_settings"]["n_ctx"] == 512


async def test_hanging_up_stops_the_model(served: Served) -> None:
    served.model.slow = True
    reader, writer = await served.opened()
    writer.write(served.request("/infill", json.dumps(LLAMA_VIM).encode()))
    await until(lambda: served.model.asked)
    writer.close()
    await until(lambda: served.model.cancelled)
    served.model.slow = False

    assert await reader.read() == b""
    assert (await served.post("/infill", LLAMA_VIM))[1]["content"] == "x + 1"


async def test_the_newest_gap_wins_and_equal_ones_share_an_answer(served: Served) -> None:
    served.model.slow = True
    first = asyncio.create_task(served.post("/infill", LLAMA_VIM))
    await until(lambda: served.model.asked)
    typed = {**LLAMA_VIM, "prompt": "y = x"}
    newer = [asyncio.create_task(served.post("/infill", typed)) for _ in range(3)]

    status, told = await first
    assert (status, told["content"]) == (200, "")
    assert told["footnote"]["stop_reason"] == "superseded"

    await until(lambda: served.waiting == 3)
    served.model.slow = False
    answers = await asyncio.gather(*newer)
    assert [told["content"] for _, told in answers] == ["x + 1"] * 3
    assert len([gap for gap, _ in served.model.asked if gap.prefix.endswith("y = x")]) == 1


async def test_several_requests_go_over_one_connection(served: Served) -> None:
    reader, writer = await served.opened()
    for _ in range(2):
        writer.write(served.request("/infill", json.dumps(LLAMA_VIM).encode()))
        status, headers, _ = await answer_of(reader)
        assert (status, headers["connection"]) == (200, "keep-alive")
    writer.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "attacker.example:80"},
        {"Host": "127.0.0.1.attacker.example"},
        {"Host": ""},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
async def test_pages_in_a_browser_are_refused(served: Served, headers: dict[str, str]) -> None:
    status, told = await served.post("/infill", LLAMA_VIM, **headers)

    assert status == 403
    assert told["error"]["message"]
    assert served.model.asked == []


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/infill", [], "object"),
        ("/infill", {"input_prefix": "a"}, "`input_suffix` must be a string"),
        ("/infill", {**LLAMA_VIM, "n_predict": "many"}, "`n_predict` must be a number"),
        ("/infill", {**LLAMA_VIM, "stream": 1}, "`stream` must be true or false"),
        ("/infill", {**LLAMA_VIM, "response_fields": {"a": 1}}, "`response_fields`"),
        ("/infill", {**LLAMA_VIM, "footnote": 3}, "`footnote` must be an object"),
        ("/v1/completions", {"prompt": [1, 2, 3]}, "`prompt` must be a string"),
        ("/v1/completions", {"prompt": "a", "stop": [7]}, "`stop`"),
        ("/v1/completions", {"prompt": "a", "max_tokens": True}, "`max_tokens`"),
    ],
)
async def test_what_is_malformed_is_told_and_nothing_dies(
    served: Served, path: str, body: Any, said: str
) -> None:
    status, told = await served.post(path, body)

    assert status == 400
    assert said in told["error"]["message"]
    assert (await served.post("/infill", LLAMA_VIM))[0] == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\r\n\r\n", 400),
        (b"GET /health\r\n\r\n", 400),
        (b"POST /infill HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /infill HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST /infill HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST /infill HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400),
        (b"GET /" + b"a" * 40_000, 431),
        (b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"DELETE /infill HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
    ],
)
async def test_what_is_no_request_gets_an_error(served: Served, sent: bytes, status: int) -> None:
    reader, writer = await served.opened()
    writer.write(sent)
    assert (await answer_of(reader))[0] == status
    writer.close()

    assert (await served.post("/infill", LLAMA_VIM))[0] == 200


async def test_half_a_request_leaves_nothing_behind(served: Served) -> None:
    _, writer = await served.opened()
    writer.write(served.request("/infill", b"{" * 50)[:-20])
    writer.close()

    assert (await served.post("/infill", LLAMA_VIM))[0] == 200


async def test_a_body_is_invited_where_the_client_waits_for_that(served: Served) -> None:
    reader, writer = await served.opened()
    whole = served.request("/infill", json.dumps(LLAMA_VIM).encode(), Expect="100-continue")
    head, _, body = whole.partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await answer_of(reader))[0] == 200
    writer.close()


async def test_a_model_that_fails_is_an_error_without_anybodys_text(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    served.model.error = RuntimeError("import math")
    status, told = await served.post("/infill", LLAMA_VIM)

    assert status == 500
    assert "import math" not in json.dumps(told) + caplog.text


async def test_suggestions_that_are_switched_off_are_not_given_here() -> None:
    async with serving(enabled=False) as served:
        _, told = await served.post("/infill", LLAMA_VIM)

    assert told["footnote"]["stop_reason"] == "gated:off"


@pytest.mark.parametrize(
    ("known", "why"),
    [({"path": "app/.env"}, "gated:excluded"), ({"language": "markdown"}, "gated:language-off")],
)
async def test_where_a_request_says_where_it_is_the_settings_hold(
    served: Served, known: dict[str, str], why: str
) -> None:
    _, told = await served.post("/infill", {**LLAMA_VIM, "footnote": known})

    assert told["footnote"]["stop_reason"] == why
    assert served.model.asked == []


@pytest.mark.parametrize(
    ("text", "replaced", "left"),
    [("a, b)", ")", "a, b"), ("a)]", ")]", "a"), ("a):", ")", "a"), ("a", "", "a")],
)
def test_what_stands_behind_the_gap_is_not_said_again(text: str, replaced: str, left: str) -> None:
    assert inserted(Completion(text, "end", len(replaced)), replaced + "\n") == left
