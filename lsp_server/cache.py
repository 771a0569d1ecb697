"""Suggestions already made: typing along one, or deleting back to it, asks no model."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer import Match

_SUFFIX = 256  # characters after the cursor that must be the same
_WINDOW = 1024  # characters before it


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text for the cursor, with what the attribution index says about it."""

    id: str
    text: str
    replace_after: int = 0  # characters after the cursor that it replaces
    matches: tuple[Match, ...] = ()
    checked: bool = False  # the index has answered


@dataclass(slots=True)
class _Entry:
    context: tuple[str, str]  # the document's URI and what follows the cursor
    length: int  # of all text before the cursor when it was made
    window: str  # the end of that text
    made_at: float
    suggestion: Suggestion


class SuggestionCache:
    """At most `size` suggestions of the last `seconds`, in memory only.

    An entry fits when the text before the cursor is the entry's own text plus a beginning of its
    suggestion, and the text after the cursor is the same. A scan over the entries costs some
    twenty microseconds at this size, so there is no tree.
    """

    def __init__(
        self,
        size: int = 200,
        seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, suggestion: Suggestion, *, uri: str, prefix: str, suffix: str) -> None:
        self._entries[suggestion.id] = _Entry(
            (uri, suffix[:_SUFFIX]),
            len(prefix),
            prefix[-_WINDOW:],
            self._clock(),
            suggestion,
        )
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def find(self, *, uri: str, prefix: str, suffix: str) -> Suggestion | None:
        """What remains of a suggestion that the text before the cursor agrees with."""
        context = (uri, suffix[:_SUFFIX])
        oldest = self._clock() - self._seconds
        for key, entry in reversed(self._entries.items()):
            typed = len(prefix) - entry.length
            if (
                entry.context == context
                and entry.made_at >= oldest
                and 0 <= typed < len(entry.suggestion.text)
                and prefix.startswith(entry.window, entry.length - len(entry.window))
                and entry.suggestion.text.startswith(prefix[entry.length :])
                and entry.suggestion.text[typed:].strip()
            ):
                self._entries.move_to_end(key)
                return replace(entry.suggestion, text=entry.suggestion.text[typed:])
        return None

    def judge(self, key: str, matches: tuple[Match, ...]) -> None:
        """Keep a verdict that came after the suggestion was shown."""
        if (entry := self._entries.get(key)) is not None:
            entry.suggestion = replace(entry.suggestion, matches=matches, checked=True)

    def drop(self, key: str) -> None:
        self._entries.pop(key, None)

    def clear(self) -> None:
        self._entries.clear()
