"""The suite's own guard: a test that goes to the network fails."""

from __future__ import annotations

import socket

import pytest

RESERVED = "192.0.2.1"  # RFC 5737: nobody's address


def test_connecting_elsewhere_fails_the_test() -> None:
    with socket.socket() as client, pytest.raises(pytest.fail.Exception, match="network"):
        client.connect((RESERVED, 80))


def test_asking_for_an_address_elsewhere_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="network"):
        socket.create_connection(("footnote.invalid", 80))


def test_this_machine_can_be_reached() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()
