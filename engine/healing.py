"""Half-typed words: the piece at the gap is taken back and said again, spelled as the model would.

Text is cut into tokens as it stands, so a cursor inside a word, or behind a bracket or blank that
belongs to the next word's token, leaves tokens that no whole text ever has there. The last piece
is left out of the prompt, and the first tokens must spell it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence

_LONGEST = 24  # characters; longer pieces are rulers and blobs, of which only the end is taken back
_LAST = "\U0010ffff"


class Spellings:
    """Which tokens a text can go on with. Built once per vocabulary."""

    def __init__(self, pieces: Sequence[str]) -> None:
        """`pieces` is the text of every token; halves of characters and special tokens spell nothing."""
        known = sorted(
            (piece, token) for token, piece in enumerate(pieces) if piece and "\ufffd" not in piece
        )
        self._pieces = [piece for piece, _ in known]
        self._tokens = [token for _, token in known]
        self._lengths = {token: len(piece) for piece, token in known}
        self._exact = dict(reversed(known))

    def spells(self, text: str) -> bool:
        """Whether the text can be spelled for certain: each of its characters is a token."""
        return all(character in self._exact for character in text)

    def continuing(self, owed: str) -> list[int]:
        """The tokens that the text `owed` begins with, and those that begin with it."""
        low, high = bisect_left(self._pieces, owed), bisect_right(self._pieces, owed + _LAST)
        shorter = (self._exact.get(owed[:end]) for end in range(1, len(owed)))
        return self._tokens[low:high] + [token for token in shorter if token is not None]

    def leading_into(self, owed: str, texts: Collection[str]) -> frozenset[int]:
        """Tokens that finish `owed` and begin one of the texts: forbid them and it cannot come."""
        return frozenset(
            token
            for text in texts
            if text
            for token in self.continuing(owed + text)
            if self._lengths[token] > len(owed)
        )


def taken_back(
    line_before: str, pieces_of: Callable[[str], list[str]], spellings: Spellings
) -> str:
    """The end of the line before the gap that is to be said again; empty for none.

    Of blanks only the last: the model may join it to a word, but how far to indent is decided.
    """
    end = line_before[-_LONGEST:]
    pieces = pieces_of(end)
    last = pieces[-1] if pieces else ""
    if last.isspace():
        last = last[-1]
    return last if spellings.spells(last) else ""
