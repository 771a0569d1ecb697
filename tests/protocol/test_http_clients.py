"""What programs that speak HTTP send, byte by byte, and what each of them reads in the answer of the real process.

Written down from their source: llama.vim 0.1 (which tests/editor runs), llama.vscode 0.0.63, minuet-ai of August
2026 and Zed's provider for OpenAI-compatible servers.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

import pytest

from tests.protocol.test_http import alone

BEFORE, LINE, AFTER = "import math\n\n", "radius = ", "\nprint(radius)\n"
SAID = "2 * math.pi"
RULES = [{"prefix": r"radius = $", "text": SAID}]
CURL = {"User-Agent": "curl/8.14.1", "Accept": "*/*", "Content-Type": "application/json"}
GAP = {"input_prefix": BEFORE, "input_suffix": AFTER, "prompt": LINE}
OTHERS = [{"text": "def area(r):\n", "time": [1759, 213], "filename": "shapes.py"}]
TOP = {"top_k": 40, "samplers": ["top_k", "top_p", "infill"], "cache_prompt": True, "stream": False}
TIMINGS = [
    f"{part}_{name}"
    for part in ("prompt", "predicted")
    for name in ("n", "ms", "per_token_ms", "per_second")
]


@dataclass(frozen=True)
class Program:
    """One request of it, and how it reads the answer: the text it would insert."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    read: Callable[[str], str]


def llama_vim(answer: str) -> str:
    assert re.search(r'"content"\s*:"', answer), "it drops what does not look like that"
    told = json.loads(answer)
    for name in TIMINGS:
        assert isinstance(told[f"timings/{name}"], int | float)
    assert isinstance(told["tokens_cached"], int)
    assert told["truncated"] is False
    return str(told["content"])


def llama_vscode(answer: str) -> str:
    told = json.loads(answer)
    assert all(isinstance(told["timings"][name], int | float) for name in TIMINGS)
    assert told["tokens_cached"] >= 0
    assert told["truncated"] is False
    return str(told["content"])


def minuet(answer: str) -> str:
    """Every line that is JSON behind its `data:`; `error` anywhere is shown to the person."""
    assert "error" not in answer
    text = ""
    for line in answer.split("\n"):
        try:
            text += json.loads(line.removeprefix("data:"))["choices"][0]["text"]
        except json.JSONDecodeError:
            continue
    return text


def zed(answer: str) -> str:
    """Fields that lack, or are of another type, make it give up."""
    told = json.loads(answer)
    assert {name: type(told[name]) for name in ("id", "object", "created", "model")} == {
        "id": str, "object": str, "created": int, "model": str,
    }  # fmt: skip
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert type(told["usage"][name]) is int
    (choice,) = told["choices"]
    assert choice["finish_reason"] in {"stop", "length"}
    return str(choice["text"])


PROGRAMS = {
    "llama.vim": Program(
        "/infill",
        {
            **GAP, **TOP, "id_slot": 0, "input_extra": OTHERS, "n_predict": 128, "stop": [], "n_cmpl": 1,
            "n_indent": 0, "top_p": 0.90, "t_max_prompt_ms": 500, "t_max_predict_ms": 250,
            "response_fields": ["content", *(f"timings/{name}" for name in TIMINGS), "truncated", "tokens_cached"],
        },
        CURL,
        llama_vim,
    ),
    "llama.vscode": Program(
        "/infill",
        {
            **GAP, **TOP, "input_extra": OTHERS, "n_predict": 128, "top_p": 0.99, "n_indent": 0,
            "t_max_prompt_ms": 500, "t_max_predict_ms": 2500,
        },
        {
            "Accept": "application/json, text/plain, */*", "Content-Type": "application/json",
            "User-Agent": "axios/1.13.2", "Accept-Encoding": "gzip, compress, deflate, br", "Connection": "keep-alive",
        },
        llama_vscode,
    ),
    "minuet": Program(
        "/v1/completions",
        {
            "model": "footnote", "stream": True, "suffix": AFTER,
            "prompt": f"# language: python\n# indentation: use 4 spaces for a tab\n{BEFORE}{LINE}",
        },
        {**CURL, "Accept": "application/json", "Authorization": "Bearer xterm-256color"},
        minuet,
    ),
    "minuet, for llama.cpp": Program(
        "/v1/completions",
        {
            "model": "PLACEHOLDER", "stream": True, "max_tokens": 56, "top_p": 0.9,
            "prompt": f"<|fim_prefix|>{BEFORE}{LINE}<|fim_suffix|>{AFTER}<|fim_middle|>",
        },
        {**CURL, "Accept": "application/json", "Authorization": "Bearer xterm-256color"},
        minuet,
    ),
    "Zed": Program(
        "/v1/completions",
        {
            "model": "footnote", "max_tokens": 64,
            "prompt": f"<|fim_prefix|>{BEFORE}{LINE}<|fim_suffix|>{AFTER}<|fim_middle|>",
            "stop": ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"],
        },
        {"content-type": "application/json", "user-agent": "Zed", "accept": "*/*"},
        zed,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("endpoint")
    (folder / "script.json").write_text(json.dumps({"rules": RULES}))
    model = f"scripted:{folder / 'script.json'}"
    with alone(folder / "settings.json", model=model) as (_process, port):
        yield port


def asked(program: Program, port: int, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    headers = {"Host": f"127.0.0.1:{port}", **program.headers, "Content-Length": str(len(content))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {program.path} HTTP/1.1\r\n{head}\r\n".encode() + content


def answer(connection: socket.socket) -> str:
    reply = HTTPResponse(connection)
    reply.begin()
    assert reply.status == 200
    assert not reply.will_close
    text = reply.read().decode()
    reply.close()
    return text


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_reads_what_it_needs_and_may_ask_again_on_the_same_connection(
    port: int, name: str
) -> None:
    program = PROGRAMS[name]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(2):
            connection.sendall(asked(program, port, program.body))
            assert program.read(answer(connection)) == SAID


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_bears_that_nothing_is_suggested(port: int, name: str) -> None:
    program = PROGRAMS[name]
    body = {**program.body, "prompt": program.body["prompt"].replace(LINE, "height = ")}
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(asked(program, port, body))
        assert program.read(answer(connection)) == ""


def test_what_llama_vim_sends_ahead_is_answered_at_once(port: int) -> None:
    ahead = {
        **PROGRAMS["llama.vim"].body, "input_prefix": "", "input_suffix": "", "prompt": "",
        "n_predict": 0, "temperature": 0.0, "samplers": [], "response_fields": [""],
        "t_max_prompt_ms": 1, "t_max_predict_ms": 1,
    }  # fmt: skip
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(asked(PROGRAMS["llama.vim"], port, ahead))
        assert json.loads(answer(connection))["footnote"]["stop_reason"] == "gated:empty"


@pytest.mark.parametrize("name", ["llama.vim", "minuet"])
def test_curl_waits_to_be_invited_where_a_body_is_long(port: int, name: str) -> None:
    program = PROGRAMS[name]
    long = {"prompt": "# so much\n" * 200_000 + LINE}
    whole = asked(program, port, {**program.body, **long})
    head, _, content = whole.partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(content)
        assert program.read(answer(connection)) == SAID
