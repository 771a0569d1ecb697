"""Exercises are recognised by their hashes alone."""

import gzip
import json

import numpy as np
import pytest

from indexer.curation import benchmarks

SOLUTION = """
def rolling_total(values, limit):
    total = 0
    for position, value in enumerate(values):
        if position >= limit and value > total:
            return position - limit
        total += value * limit
    return total
"""
TASK = "Write a function that sums the given values until the limit of positions is reached."
OTHER = "class Shelf:\n    def put(self, book):\n        self.books.append(book)\n" * 10


@pytest.fixture(scope="module")
def prints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmarks")
    rows = [
        {"text": TASK, "code": SOLUTION, "test": "never read"},
        {
            "prompt": 'def add(x, y):\n    """Add two numbers."""\n',
            "canonical_solution": "    return x + y",
        },
    ]
    with gzip.open(folder / "a.jsonl.gz", "wt") as file:
        file.write("\n".join(map(json.dumps, rows)))
    return benchmarks.build(folder, gram=10)


@pytest.mark.parametrize("text", [TASK, SOLUTION, SOLUTION.upper(), OTHER + SOLUTION + OTHER,
                                  f'"""{TASK}"""\n{OTHER}'])  # fmt: skip
def test_what_holds_an_exercise_is_found(prints, text):
    assert prints.match(text, 0.6) is not None


@pytest.mark.parametrize("text", ["", OTHER, "return x + y\n" * 20, " ".join(TASK.split()[:9]),
                                  OTHER + SOLUTION[: len(SOLUTION) // 3]])  # fmt: skip
def test_what_does_not_is_let_go(prints, text):
    assert prints.match(text, 0.6) is None


def test_fingerprints_survive_the_file(prints, tmp_path):
    benchmarks.save(prints, tmp_path / "f.npz")
    loaded = benchmarks.load(tmp_path / "f.npz")
    assert np.array_equal(loaded.hashes, prints.hashes)
    assert loaded.match(SOLUTION, 0.6) == prints.match(SOLUTION, 0.6)


def test_the_packaged_fingerprints_know_a_public_exercise():
    exercise = (
        "Check if in given list of numbers, are any two numbers closer to each other than "
        "given threshold."
    )
    assert benchmarks.packaged().match(f"# {exercise}\n{OTHER}", 0.6) is not None
    assert benchmarks.packaged().match(OTHER, 0.6) is None
