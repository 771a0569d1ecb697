"""Which near-verbatim suggestions were accepted, where, and whose text they are: a file on this machine, without text."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsp_server.cache import Suggestion

NAME = "accepted.jsonl"
_LARGEST = 4_000_000  # bytes; then the file becomes the one before it, which is given up


def note(home: Path, suggestion: Suggestion, *, file: str, line: int) -> None:
    """Append a line for an accepted suggestion that matches. Raises OSError."""
    text = suggestion.text.encode("utf-8", "replace")
    record = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "file": file,
        "line": line,
        "fragment": hashlib.sha256(text).hexdigest(),
        "matches": [
            {
                "kind": match.kind,
                "similarity": match.rounded,
                "matched_tokens": match.matched_tokens,
                "source": asdict(match.source),
            }
            for match in suggestion.matches
        ],
    }
    home.mkdir(parents=True, exist_ok=True)
    log = home / NAME
    if log.exists() and log.stat().st_size > _LARGEST:
        log.replace(home / f"{NAME}.1")
    with log.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(record) + "\n")
