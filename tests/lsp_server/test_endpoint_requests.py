"""What is no request, or one that must not be answered: told so, and nothing dies of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.endpoint import LLAMA_VIM, Served, answer_of


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
