"""An endpoint for programs that speak HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.endpoint import Served, serving


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served
