"""`footnote serve` in this process: what it sets before it serves."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

from lsp_server import transport
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


def test_what_the_server_is_made_of_is_set_aside_from_garbage_and_new_garbage_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[bool, bool]] = []

    def served(_protocol: object, _beside: object) -> int:
        seen.append((gc.get_freeze_count() > 10_000, gc.isenabled()))
        return 0

    monkeypatch.setattr(transport, "serve_stdio", served)
    before = sys.getswitchinterval()
    try:
        assert serve.main([]) == 0
    finally:
        sys.setswitchinterval(before)
        gc.unfreeze()

    assert seen == [(True, True)]
