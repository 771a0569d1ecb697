"""What was decided about flagged texts after reading both sides, kept by what the lines say.

A verdict is `copy` (one was made from the other, or both from a third), `idiom` (what many write alike)
or `false` (they have nothing to do with each other). What nobody has read counts as `unread`. A verdict is
found again for the same package, on either side, when most lines of the shorter of the two passages are hashed in it:
matches begin and end a little elsewhere whenever the matcher changes.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERDICTS = ("copy", "idiom", "false")
UNREAD = "unread"
FILE = Path(__file__).with_name("adjudications.json")
OTHERS = Path(__file__).with_name(
    "read.json"
)  # of packages beside the corpus and the held-out ones
_SAME = 0.6  # share of the lines of the shorter passage
_LEAST = 2  # characters of a line that says something


@dataclass(frozen=True, slots=True)
class Read:
    """A passage that was read beside its source."""

    at: str  # package and path
    lines: frozenset[str]
    source: str  # package
    verdict: str
    reason: str


def line_hashes(text: str) -> frozenset[str]:
    """Short hashes of the lines that are not blank, whatever their layout."""
    bare = (re.sub(r"\s+", " ", line).strip() for line in text.splitlines())
    return frozenset(
        hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()[:6]
        for line in bare
        if len(line) > _LEAST
    )


def read(path: Path = FILE) -> list[Read]:
    """What was read. ValueError names what is no verdict."""
    found = []
    for entry in json.loads(path.read_text(encoding="utf-8")):
        if entry["verdict"] not in VERDICTS or not entry["reason"]:
            raise ValueError(f"{path}: {entry['at']} needs one of {VERDICTS} and a reason")
        lines = frozenset(entry["lines"].split())
        found.append(Read(entry["at"], lines, entry["source"], entry["verdict"], entry["reason"]))
    return found


def verdict_on(text: str, package: str, source: str, known: Sequence[Read]) -> str:
    """The verdict on a passage of a package that was matched with another: as those two were read, or else the passage."""
    lines = line_hashes(text)
    alike = [
        each
        for each in known
        if _are_the_same(lines, each.lines)
        and (each.source == source or each.at.startswith(f"{package}/"))
    ]
    nearest = max(
        alike,
        key=lambda each: (each.source == source, len(lines & each.lines) / len(lines | each.lines)),
        default=None,
    )
    return nearest.verdict if nearest else UNREAD


def is_known_copy(text: str, package: str, known: Iterable[Read]) -> bool:
    """Whether a passage of a package was read to be a copy, of whatever package."""
    there = [each for each in known if each.verdict == "copy" and each.at.startswith(f"{package}/")]
    lines = line_hashes(text) if there else frozenset()
    return any(_are_the_same(lines, each.lines) for each in there)


def _are_the_same(lines: frozenset[str], others: frozenset[str]) -> bool:
    shorter = min(len(lines), len(others))
    return bool(shorter) and len(lines & others) >= _SAME * shorter


def precision(verdicts: Iterable[str]) -> dict[str, Any]:
    """How many warnings are about copies: unread ones count as wrong, and are counted."""
    every = list(verdicts)
    counts = {name: every.count(name) for name in (*VERDICTS, UNREAD)}
    share = round(counts["copy"] / len(every), 4) if every else None
    return {"warnings": len(every), **counts, "adjudicated": share}
