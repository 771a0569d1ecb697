"""A corpus of a few files and its index, built in a second: something to be cited."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.shards import Manifest, write_shards
from tests.support.documents import document

if TYPE_CHECKING:
    from indexer.document import Document

# Written for these tests; long enough to be recognised, with nothing in it that is common.
INTERVALS = '''\
def merge_intervals(intervals, gap=0, limit=None):
    """Join intervals that touch or lie at most `gap` apart."""
    ordered = sorted(intervals, key=lambda pair: (pair[0], -pair[1]))
    merged = []
    for start, stop in ordered:
        if stop < start:
            raise ValueError(f"interval {start}..{stop} ends before it starts")
        if merged and start - merged[-1][1] <= gap:
            previous = merged.pop()
            merged.append((previous[0], max(previous[1], stop)))
        else:
            merged.append((start, stop))
        if limit is not None and len(merged) > limit:
            widest = max(range(len(merged)), key=lambda at: merged[at][1] - merged[at][0])
            dropped = merged.pop(widest)
            if dropped[1] - dropped[0] > gap * limit:
                merged.insert(widest, (dropped[0], dropped[0] + gap))
    covered = sum(stop - start for start, stop in merged)
    longest = max((stop - start for start, stop in merged), default=0)
    return merged, covered, longest
'''

# The same with every local name changed and other line breaks.
RENAMED = """\
def join_spans(spans, slack=0, most=None):
    result = sorted(
        spans, key=lambda each: (each[0], -each[1])
    )
    done = []
    for low, high in result:
        if high < low:
            raise ValueError(f"interval {low}..{high} ends before it starts")
        if done and low - done[-1][1] <= slack:
            last = done.pop()
            done.append((last[0], max(last[1], high)))
        else:
            done.append((low, high))
        if most is not None and len(done) > most:
            big = max(range(len(done)), key=lambda i: done[i][1] - done[i][0])
            gone = done.pop(big)
            if gone[1] - gone[0] > slack * most:
                done.insert(big, (gone[0], gone[0] + slack))
    total = sum(high - low for low, high in done)
    biggest = max((high - low for low, high in done), default=0)
    return done, total, biggest
"""

UNRELATED = """\
import argparse


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    for name in parser.parse_args().names:
        print("hello", name)


if __name__ == "__main__":
    main()
"""


def documents(more: Mapping[str, str] | None = None) -> list[Document]:
    """One file that matters among others that do not, and more by path."""
    texts = {"spans/intervals.py": f'"""Intervals."""\n\n\n{INTERVALS}', **(more or {})}
    for number in range(6):
        body = "\n".join(
            f"    value_{at} = table_{number}[{at * number}] + offset_{at % 3}" for at in range(20)
        )
        texts[f"spans/other_{number}.py"] = f"def fill_{number}(table_{number}):\n{body}\n"
    return [
        document(text, path, package="spans", version="1.2", license="BSD-3-Clause")
        for path, text in texts.items()
    ]


def build_shards(home: Path, more: Mapping[str, str] | None = None) -> Manifest:
    """Corpus and an empty held-out set in a data home; returns the corpus's manifest."""
    meta = {"name": "tiny", "recipe_hash": "recipe", "selection": "full"}
    write_shards(home / "held-out", [], meta=meta)
    return write_shards(home / "corpus", documents(more), meta=meta)


def build(home: Path, more: Mapping[str, str] | None = None) -> Manifest:
    """The same with the index of the corpus."""
    from indexer.attribution.builder import build_index

    manifest = build_shards(home, more)
    build_index(home / "corpus", home / "index", jobs=1)
    return manifest
