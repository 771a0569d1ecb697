"""Where the hits of a text lead, and where it is not worth going."""

from __future__ import annotations

import pytest

from indexer.attribution.regions import Chain

EXACT, SHAPE = False, True


@pytest.mark.parametrize(
    ("hits", "promises"),
    [
        ([(0, 10, 1, EXACT), (4, 14, 1, EXACT)], True),
        ([(0, 10, 2, EXACT), (4, 14, 3, EXACT)], False),  # as two packages write it
        ([(0, 16, 1, SHAPE), (2, 18, 1, SHAPE)], False),  # short, and a mere shape
        ([(0, 16, 1, SHAPE), (8, 24, 1, SHAPE)], True),
        ([(0, 16, 2, SHAPE), (8, 24, 2, SHAPE)], False),
        ([(0, 16, 2, SHAPE), (20, 36, 3, SHAPE)], True),  # long
        ([(0, 16, 4, SHAPE), (20, 36, 7, SHAPE)], False),  # and everybody's
        ([(0, 10, 5, EXACT), (0, 16, 5, SHAPE)], True),  # alike in either form
    ],
)
def test_what_several_packages_have_in_one_form_only_is_left(
    hits: list[tuple[int, int, int, bool]], promises: bool
) -> None:
    chain = Chain(file=0)
    for start, end, families, abstract in hits:
        chain.add(start, end, text_line=start, line=start)
        chain.count(families, abstract=abstract)

    assert chain.is_promising is promises
