"""Which passages share rare names: what votes for one place."""

from __future__ import annotations

import numpy as np

from indexer.attribution.candidates import _pairs


def test_pairs_are_different_and_in_order_in_texts_of_any_length() -> None:
    draw = np.random.default_rng(1)
    keys, numbers = draw.integers(0, 20, 200), draw.integers(0, 9, 200)
    expected = sorted(set(zip(keys.tolist(), numbers.tolist(), strict=True)))

    for scale in (1, 1 << 57):  # the latter leaves no room to pack both into one number
        first, second = _pairs(keys * scale, numbers)
        assert list(zip((first // scale).tolist(), second.tolist(), strict=True)) == expected
