"""The suite runs offline: sockets reach this machine only, and what needs more is asked for by name."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

NETWORK = "FOOTNOTE_TEST_NETWORK"
_HERE = {"localhost", "127.0.0.1", "::1", ""}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update", action="store_true", help="rewrite the expectations of the case files"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get(NETWORK) == "1":
        return
    skip = pytest.mark.skip(reason=f"needs a package registry; {NETWORK}=1 runs it")
    for item in items:
        if item.get_closest_marker("network"):
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the corpus or the index of whoever runs it, nor do the processes it starts."""
    before = os.environ.get("FOOTNOTE_HOME")
    os.environ["FOOTNOTE_HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    if before is None:
        del os.environ["FOOTNOTE_HOME"]
    else:
        os.environ["FOOTNOTE_HOME"] = before


@pytest.fixture(autouse=True)
def offline(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every address that is not this machine's."""
    if request.node.get_closest_marker("network"):
        return
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connect_here(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in _HERE:
            pytest.fail(f"a test went to the network: {address[0]}")
        connect(self, address)

    def look_up_here(host: Any, *rest: Any, **more: Any) -> Any:
        if host is not None and host not in _HERE:
            pytest.fail(f"a test went to the network: {host}")
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)
