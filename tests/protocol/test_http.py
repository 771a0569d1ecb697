"""The endpoint as a process: alone, and beside an editor."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lsp_server.client import SERVER, Client
from tests.support.editor import until

ASKED = {"input_prefix": "a\n", "prompt": "x = ", "input_suffix": "\n", "n_predict": 8}


@contextmanager
def alone(
    settings: Path, *more: str, model: str = "scripted:echo"
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    settings.write_text(json.dumps({"model": model}))
    process = subprocess.Popen(
        [*SERVER, "--http", "0", "--settings", str(settings), *more],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        yield process, port_of(process.stderr.readline())
    finally:
        process.kill()
        process.communicate()


def port_of(line: str) -> int:
    told = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n?", line)
    assert told is not None, line
    return int(told.group(1))


def ask(port: int, body: Any) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/infill", json.dumps(body))
    told = json.load(connection.getresponse())
    connection.close()
    return told


def test_alone_it_answers_until_it_is_interrupted(tmp_path: Path) -> None:
    with alone(tmp_path / "settings.json") as (process, port):
        told = ask(port, ASKED)  # it waits for the model
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130

    assert told["content"] == "[x = |]"
    assert told["footnote"]["checked"] is False  # the suite has no index


def test_no_other_address_of_this_machine_is_listened_on(tmp_path: Path) -> None:
    with alone(tmp_path / "settings.json") as (_process, port):
        for family, address in ((socket.AF_INET, "127.0.0.2"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as other:
                assert other.connect_ex((address, port)) != 0


@pytest.mark.parametrize("port", ["0.0.0.0:8012", "localhost", "-1", "99999999"])
def test_an_address_is_refused_in_words(port: str) -> None:
    result = subprocess.run(
        [*SERVER, f"--http={port}"], capture_output=True, text=True, check=False
    )

    assert result.returncode == 2
    assert "no other address is ever listened on" in " ".join(result.stderr.split())


def test_beside_an_editor_both_are_answered_by_one_model() -> None:
    client = Client((*SERVER, "--stdio", "--http", "0"))
    client.request(
        "initialize",
        {
            "processId": None,
            "rootUri": None,
            "capabilities": {},
            "initializationOptions": {"model": "scripted:echo"},
        },
    )
    client.notify("initialized", {})
    until(lambda: client.stderr)
    port = port_of(client.stderr[0])

    assert ask(port, ASKED)["content"] == "[x = |]"

    assert client.end() == 0
    with pytest.raises(ConnectionRefusedError):
        ask(port, ASKED)


def test_an_editor_is_served_where_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        client = Client((*SERVER, "--stdio", "--http", str(taken.getsockname()[1])))
        hello = client.request(
            "initialize", {"processId": None, "rootUri": None, "capabilities": {}}
        )
        client.notify("initialized", {})

    assert hello["serverInfo"]["name"] == "footnote"
    assert client.end() == 0
    assert "cannot listen on port" in client.stderr[0]
