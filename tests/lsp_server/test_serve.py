"""`footnote serve` in this process: what it sets before it serves."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lsp_server.commands import serve

if TYPE_CHECKING:
    import pytest


def test_no_thread_keeps_the_others_waiting_for_milliseconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = sys.getswitchinterval()
    seen: list[float] = []

    def served(_options: object) -> int:
        seen.append(sys.getswitchinterval())
        return 0

    monkeypatch.setattr(serve, "_serve", served)
    try:
        assert serve.main([]) == 0
    finally:
        sys.setswitchinterval(before)

    assert seen[0] < 0.001
