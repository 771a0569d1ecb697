"""Tokens of a text that has hardly changed: only from the line before the change on are they made anew.

A vocabulary cuts text into words first, from left to right, and each word into tokens by itself.
What it decides about a word depends on the word and on what touches it: the words of lines that end
well before the first changed character are those of the last time.
"""

from dataclasses import dataclass

from engine.prefixes import common_prefix
from engine.tokenizer import Vocabulary

_MOST = 12  # texts remembered: both sides of the cursor in some files
_LEAST = 512  # characters that make it worth while


@dataclass(frozen=True, slots=True)
class _Known:
    text: str
    ids: list[int]
    starts: list[int]  # of the tokens, in characters
    cuts: list[int]  # tokens that begin a line and a word


class Retokenizer:
    """Encodes texts whose beginning it may have seen. Serves one thread at a time."""

    def __init__(self, tokenizer: Vocabulary) -> None:
        self._tokenizer = tokenizer
        self._known: list[_Known] = []  # the last one used stands last
        self._last: tuple[str, list[int]] = ("", [])

    def encode(self, text: str) -> list[int]:
        """As `Tokenizer.encode`, of a text that is often the last one once more, such as a path."""
        if text != self._last[0]:
            self._last = (text, self._tokenizer.encode(text))
        return self._last[1].copy()

    def encode_with_starts(self, text: str) -> tuple[list[int], list[int]]:
        """As `Tokenizer.encode_with_starts`, of a text that `clean` leaves as it is."""
        if not self._tokenizer.is_local or len(text) < _LEAST:
            return self._tokenizer.encode_with_starts(text)
        beginning = text[:_LEAST]
        common, place = max(
            (
                (common_prefix(each.text, text), place)
                for place, each in enumerate(self._known)
                if each.text.startswith(beginning)
            ),
            default=(0, 0),
        )
        if common:
            known = self._known.pop(place)
        else:
            del self._known[: max(0, len(self._known) + 1 - _MOST)]
            known, common = _Known("", [], [], []), 0
        found = (
            known if common == len(text) == len(known.text) else self._again(known, text, common)
        )
        self._known.append(found)
        return found.ids.copy(), found.starts.copy()

    def _again(self, known: _Known, text: str, common: int) -> _Known:
        """The text, of which so many characters are those of the known one."""
        # A line with something in it must lie between what is kept and the change.
        line = text.rfind("\n", 0, len(text[: max(0, common - 1)].rstrip()))
        kept = next((each for each in reversed(known.cuts) if known.starts[each] < line), 0)
        start = known.starts[kept] if kept else 0
        rest = text[start:]
        ids, starts, words = self._tokenizer.encode_words(rest)
        cuts = [
            kept + place
            for place in range(1, len(ids))
            if words[place] != words[place - 1]
            and "\n" in rest[starts[place] - 1 : starts[place] + 1]
        ]
        return _Known(
            text,
            known.ids[:kept] + ids,
            known.starts[:kept] + [start + each for each in starts],
            [each for each in known.cuts if each <= kept] + cuts,
        )
