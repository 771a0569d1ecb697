"""Why was there a suggestion, or none: the last 50 requests, step by step, without their text."""

from __future__ import annotations

import itertools
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from lsp_server.reasons import in_words

KEPT = 50


@dataclass(slots=True)
class Entry:
    """One request. Holds lengths and names of things, never what anybody wrote."""

    id: str
    file: str
    language: str
    line: int  # from 1
    trigger: str  # invoked or automatic
    started: float = field(default_factory=time.monotonic)
    outcome: str = "running"  # shown, nothing, cancelled
    reason: str = ""
    total_ms: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)

    def note(self, **details: Any) -> None:
        self.details.update(details)

    def end(self, outcome: str, reason: str = "") -> None:
        self.outcome = outcome
        self.reason = reason
        self.total_ms = round((time.monotonic() - self.started) * 1000, 1)


class Trace:
    """A ring of entries, newest last."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._numbers = itertools.count(1)

    def begin(self, *, file: str, language: str, line: int, trigger: str) -> Entry:
        entry = self.unlisted(file=file, language=language, line=line, trigger=trigger)
        self._entries.append(entry)
        return entry

    def unlisted(self, *, file: str, language: str, line: int, trigger: str) -> Entry:
        """For what nobody asked: it has a number of its own, and no place in the ring."""
        return Entry(f"s{next(self._numbers)}", file, language, line, trigger)

    def accepted(self, key: str) -> None:
        """Note it at the request that made the suggestion, and at those that showed it again."""
        for entry in self._entries:
            if key.split(".")[0] == entry.id or entry.details.get("suggestion") == key:
                entry.note(accepted=True)

    def newest_first(self) -> list[dict[str, Any]]:
        """Plain values, ready for JSON."""
        plain = []
        for entry in reversed(self._entries):
            values = asdict(entry)
            del values["started"]
            # Before the details, which are for who asks further.
            details = values.pop("details")
            plain.append({**values, "why": in_words(entry.reason), "details": details})
        return plain
