"""Excerpts of other files as tokens: as many as fit, kept from one keystroke to the next."""

from collections.abc import Sequence

from engine.api import Excerpt
from engine.fim import File
from engine.tokenizer import Vocabulary, clean
from engine.window import unix_lines

PATH_TOKENS = 48
_LEAST = 16  # tokens of a text; fewer tell nothing
_MOST = 8  # contexts remembered: files that one goes back to


class Showing:
    """Remembers what it made of the last contexts. Serves one thread at a time."""

    def __init__(self, tokenizer: Vocabulary) -> None:
        self._tokenizer = tokenizer
        self._known: dict[tuple[object, int], list[File]] = {}  # the last one used stands last

    def files(self, context: Sequence[Excerpt], room: int) -> list[File]:
        """The paths and texts to show, the most telling last, whole lines of each.

        `room` is the tokens that all of them may take, their paths included.
        """
        key = (tuple(context), room)
        found = self._known.pop(key, None)
        if found is None:
            found = self._made(context, room)
            while len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]
        self._known[key] = found
        return found

    def _made(self, context: Sequence[Excerpt], room: int) -> list[File]:
        files: list[File] = []
        for each in context:
            path = self._tokenizer.encode(clean(each.path))[-PATH_TOKENS:]
            text = self._lines(each.text, room - len(path) - 2)
            if len(text) < _LEAST:
                continue
            files.append((path, text))
            room -= len(path) + len(text) + 2
        return files[::-1]

    def _lines(self, text: str, room: int) -> list[int]:
        """The tokens of whole lines from the first on, as many as fit."""
        if room < _LEAST:
            return []
        text = clean(unix_lines(text))
        ids, starts = self._tokenizer.encode_with_starts(text)
        if len(ids) <= room:
            return ids
        end = text.rfind("\n", 0, starts[room]) + 1
        return self._tokenizer.encode(text[:end])[:room]
