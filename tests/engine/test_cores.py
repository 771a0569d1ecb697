"""How many threads a model gets."""

from __future__ import annotations

import pytest

from engine.cores import physical_cores, threads_for


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (3, 2), (5, 4), (64, 4)])
def test_one_core_is_left_to_the_editor(cores: int, threads: int) -> None:
    assert threads_for({}, cores) == threads


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({"FOOTNOTE_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"FOOTNOTE_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3),
        ({"FOOTNOTE_THREADS": "many", "OMP_NUM_THREADS": "0"}, 4),
    ],
)
def test_the_environment_decides_where_it_says_a_number(
    environment: dict[str, str], threads: int
) -> None:
    assert threads_for(environment, 8) == threads


def test_this_machine_has_a_core() -> None:
    assert physical_cores() >= 1
