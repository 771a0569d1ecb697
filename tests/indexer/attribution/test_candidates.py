"""Which passages share rare names: what votes for one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from indexer.attribution import voting
from indexer.attribution.voting import CHUNK_LINES, Speakers, together

if TYPE_CHECKING:
    import pytest


def test_votes_that_stand_alone_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    found = 0
    for begin in (0, 7, 123_456):  # where in the corpus the file begins
        for _ in range(40):
            what = draw.integers(-20, 20, 300)
            chunks = draw.integers(0, draw.integers(2, 400), 300)
            lines = (begin + CHUNK_LINES * chunks).astype(np.uint32)
            votes = Speakers(draw.integers(0, 900, 300), lines, what, 9.0 + what % 7)
            with monkeypatch.context() as all_of_them:
                all_of_them.setattr(voting, "_in_company", lambda votes: votes)
                expected = sorted(together(votes))
            assert sorted(together(votes)) == expected
            found += len(expected)
    assert found > 100
