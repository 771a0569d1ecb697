"""What people decided about flagged texts after reading both sides, kept by content.

A verdict is `copy` (one was made from the other, or both from a third), `idiom` (what many write alike)
or `false` (they have nothing to do with each other). What nobody has read counts as `unread`.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

VERDICTS = ("copy", "idiom", "false")
UNREAD = "unread"
FILE = Path(__file__).with_name("adjudications.json")


def key(text: str, source: str) -> str:
    """A hash of two passages, whatever their layout."""
    bare = "\n".join(re.sub(r"\s+", " ", each).strip() for each in (text, source))
    return hashlib.sha256(bare.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read(path: Path = FILE) -> dict[str, str]:
    """The verdict of each key. ValueError names what is none."""
    verdicts = {}
    for entry in json.loads(path.read_text(encoding="utf-8")):
        if entry["verdict"] not in VERDICTS or not entry["reason"]:
            raise ValueError(f"{path}: {entry['key']} needs one of {VERDICTS} and a reason")
        verdicts[entry["key"]] = entry["verdict"]
    return verdicts


def precision(verdicts: Iterable[str]) -> dict[str, Any]:
    """How many warnings are about copies: unread ones count as wrong, and are counted."""
    every = list(verdicts)
    counts = {name: every.count(name) for name in (*VERDICTS, UNREAD)}
    share = counts["copy"] / len(every) if every else None
    return {"warnings": len(every), **counts, "adjudicated": share and round(share, 4)}


def joined(keys: Iterable[str], verdicts: Mapping[str, str]) -> dict[str, str]:
    return {each: verdicts.get(each, UNREAD) for each in keys}
