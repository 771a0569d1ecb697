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


@dataclass(frozen=True, slots=True)
class Made:
    """A suggestion and its place."""

    uri: str
    offset: int  # characters of the document before it
    suggestion: Suggestion
    replaced: str  # what stood behind the cursor and was replaced by it


@dataclass(slots=True)
class _Entry:
    context: tuple[str, str]  # the document's URI and what follows the cursor
    length: int  # of all text before the cursor when it was made
    window: str  # the end of that text
    made_at: float
    suggestion: Suggestion
    group: str  # the first of the suggestions that were made together
    rank: int  # among them, from 0
    n_sought: int  # how many were wanted when they were made
    end: int  # the length of the text before the cursor once all of it is typed


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

    def put(
        self,
        suggestion: Suggestion,
        *others: Suggestion,
        uri: str,
        prefix: str,
        suffix: str,
        n_sought: int = 1,
    ) -> None:
        """Keep suggestions that were made together, the best first; `n_sought` were wanted."""
        for rank, each in enumerate((suggestion, *others)):
            self._entries[each.id] = _Entry(
                (uri, suffix[:_SUFFIX]),
                len(prefix),
                prefix[-_WINDOW:],
                self._clock(),
                each,
                suggestion.id,
                rank,
                n_sought,
                len(prefix) + len(each.text),
            )
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def find(self, *, uri: str, prefix: str, suffix: str) -> Suggestion | None:
        """What remains of a suggestion that the text before the cursor agrees with."""
        return next(iter(self.find_all(uri=uri, prefix=prefix, suffix=suffix)), None)

    def find_all(
        self, *, uri: str, prefix: str, suffix: str, n_wanted: int = 1
    ) -> tuple[Suggestion, ...]:
        """What remains of the suggestions made together last, the best first.

        None where fewer than `n_wanted` were sought: there may be more.
        """
        context = (uri, suffix[:_SUFFIX])
        oldest = self._clock() - self._seconds
        length = len(prefix)
        fitting = {
            key: entry
            for key, entry in self._entries.items()
            # First what tells most of them apart, and costs least.
            if entry.length <= length < entry.end
            and entry.context == context
            and entry.made_at >= oldest
            and entry.n_sought >= n_wanted
            and _remains(entry, prefix)
        }
        if not fitting:
            return ()
        group = next(reversed(fitting.values())).group
        found = {key: entry for key, entry in fitting.items() if entry.group == group}
        for key in found:
            self._entries.move_to_end(key)
        best_first = sorted(found.values(), key=lambda entry: entry.rank)
        return tuple(
            replace(entry.suggestion, text=_remains(entry, prefix)) for entry in best_first
        )

    def taken(self, *, uri: str, prefix: str) -> Suggestion | None:
        """The suggestion that the text before the cursor ends with, all of it."""
        return next(
            (
                entry.suggestion
                for entry in reversed(self._entries.values())
                if entry.context[0] == uri
                and entry.length + len(entry.suggestion.text) == len(prefix)
                and prefix.endswith(entry.suggestion.text)
            ),
            None,
        )

    def made(self, key: str) -> Made | None:
        """A suggestion as it was made, whatever has been typed since."""
        if (entry := self._entries.get(key)) is None:
            return None
        uri, suffix = entry.context
        return Made(uri, entry.length, entry.suggestion, suffix[: entry.suggestion.replace_after])

    def judge(self, key: str, matches: tuple[Match, ...]) -> None:
        """Keep a verdict that came after the suggestion was shown."""
        if (entry := self._entries.get(key)) is not None:
            entry.suggestion = replace(entry.suggestion, matches=matches, checked=True)

    def drop(self, key: str) -> None:
        self._entries.pop(key, None)

    def forget(self, uri: str) -> None:
        """The document is closed: nothing of it is kept."""
        for key in [key for key, entry in self._entries.items() if entry.context[0] == uri]:
            del self._entries[key]

    def clear(self) -> None:
        self._entries.clear()


def _remains(entry: _Entry, prefix: str) -> str:
    """The rest of a suggestion behind a prefix of its length; empty where it does not fit or says nothing."""
    text, typed = entry.suggestion.text, len(prefix) - entry.length
    if (
        prefix.startswith(entry.window, entry.length - len(entry.window))
        and text.startswith(prefix[entry.length :])
        and text[typed:].strip()
    ):
        return text[typed:]
    return ""
