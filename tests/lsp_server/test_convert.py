"""Positions at the edge: which encoding is chosen."""

from __future__ import annotations

import pytest

from lsp_server.convert import preferred_encoding


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["utf-8", "utf-16"], "utf-16"),
        (["utf-8", "utf-32"], "utf-8"),
        (["utf-32"], "utf-32"),
        (["utf-7", "utf-8"], "utf-8"),
        (["utf-7"], "utf-16"),
        ([], "utf-16"),
        (None, "utf-16"),
    ],
)
def test_utf_16_is_preferred_whenever_it_is_offered(offered: list[str] | None, chosen: str) -> None:
    assert preferred_encoding(offered) == chosen
