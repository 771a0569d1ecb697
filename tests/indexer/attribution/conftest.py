"""A corpus of a few files, its index, and what the tests ask of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from indexer.attribution.builder import build_index
from indexer.attribution.index import AttributionIndex
from indexer.commands import check
from indexer.shards import write_shards
from tests.support import documents

if TYPE_CHECKING:
    from pathlib import Path

    from indexer.document import Document

CLUSTER = '''\
"""Groups points."""

import math


def distance(first, second):
    return math.hypot(first.x - second.x, first.y - second.y)


def nearest_centres(points, centres, *, limit=None, power=2):
    """For every point the nearest of the centres."""
    found = {}
    for number, point in enumerate(points):
        best, smallest = None, math.inf
        for centre in centres:
            gap = distance(point, centre) ** power
            if gap < smallest and (limit is None or gap <= limit):
                best, smallest = centre, gap
        if best is not None:
            found.setdefault(best.name, []).append((number, round(smallest, 3)))
    for members in found.values():
        members.sort(key=lambda pair: (pair[1], -pair[0]))
    if not found:
        raise ValueError(f"no centre within {limit} of any of {len(points)} points")
    return found


class Centre:
    def __init__(self, name, x, y):
        self.name = name
        self.x = x
        self.y = y
'''
QUEUE = """\
// Retries with growing pauses.
export async function retry(task, { attempts = 5, pause = 100, signal, onFailure } = {}) {
  let failure;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    if (signal && signal.aborted) {
      throw new Error('aborted before attempt ' + attempt);
    }
    try {
      return await task(attempt);
    } catch (error) {
      failure = error;
      if (onFailure) onFailure(error, attempt);
      const wait = pause * 2 ** attempt + Math.random() * pause;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  throw failure;
}
"""
LEDGER = '''\
def close_ledger(ledger, entries, *, currency, tolerance=0.005):
    """Adds the entries up and compares the sum with what the ledger says."""
    totals = {}
    for entry in entries:
        if entry.currency != currency:
            raise LookupError(f"{entry.reference} is in {entry.currency}")
        totals[entry.account] = totals.get(entry.account, 0) + entry.amount
    wrong = []
    for account, total in sorted(totals.items()):
        booked = ledger.balance(account, currency=currency)
        if abs(booked - total) > tolerance:
            wrong.append((account, booked, total))
    ledger.mark_closed(currency, differences=wrong)
    return wrong
'''
FOREIGN = '''\
"""Draws a table."""


def columns(rows):
    widths = [0] * max(map(len, rows))
    for row in rows:
        for position, cell in enumerate(row):
            widths[position] = max(widths[position], len(str(cell)))
    return widths


def draw(rows, out):
    for row in rows:
        line = "  ".join(str(cell).ljust(width) for cell, width in zip(row, columns(rows)))
        out.write(line.rstrip() + "\\n")
'''


def document(text: str, path: str, package: str, language: str = "python") -> Document:
    return documents.document(text, path, language, package)


def write_corpus(home: Path, documents: list[Document]) -> None:
    meta = {"name": "tiny", "recipe_hash": "recipe", "selection": "small"}
    write_shards(home / "corpus", documents, meta=meta)


DOCUMENTS = [
    document(CLUSTER, "grouping/cluster.py", "grouping"),
    document(QUEUE, "src/retry.js", "patience", "javascript"),
    document("import os\n" + LEDGER, "books/ledger.py", "books"),
]


@pytest.fixture(scope="session")
def built_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("attribution")
    write_corpus(home, DOCUMENTS)
    build_index(home / "corpus", home / "index", jobs=1)
    return home


@pytest.fixture(scope="session")
def index(built_home: Path) -> AttributionIndex:
    return AttributionIndex.open(built_home / "index")


@pytest.fixture
def home(built_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of the commands: the shared one, which nobody writes to."""
    monkeypatch.setenv("FOOTNOTE_HOME", str(built_home))
    monkeypatch.setattr(check, "_PATIENCE_S", math.inf)  # whatever else the machine does
    return built_home
