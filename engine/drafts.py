"""Prompt lookup: what followed the last time these tokens stood together is a guess for next time.

Guesses run along with the token that is certain and are verified by the scores behind them: the
text is the same with and without (Leviathan et al. 2023, arXiv 2211.17192; here without a second
model, as Saxena's prompt lookup decoding).
"""

from array import array
from collections.abc import Sequence

_LONGEST = 6  # tokens that must have stood together; fewer where those never did
_WIDTH = array("I").itemsize  # bytes of a token


class Lookup:
    """The text so far, as bytes: they are searched faster than any index of it is made."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._text = bytearray(array("I", tokens))

    def __len__(self) -> int:
        return len(self._text) // _WIDTH

    def add(self, tokens: Sequence[int]) -> None:
        """Note what came."""
        self._text += array("I", tokens)

    def guess(self, most: int) -> list[int]:
        """Up to `most` tokens that may come next; none where the last token is new.

        No more than have stood together: the longer the run, the likelier what followed it.
        """
        if most <= 0:
            return []
        for length in range(_LONGEST, 0, -1):
            place = self._last_place_of(self._text[-length * _WIDTH :])
            if place >= 0:
                behind = place + length * _WIDTH
                return list(
                    array("I", bytes(self._text[behind : behind + min(most, length) * _WIDTH]))
                )
        return []

    def _last_place_of(self, run: bytearray) -> int:
        """Where a run of tokens stood last before the end, in bytes; -1 if it never did."""
        end = len(self._text) - _WIDTH
        while (place := self._text.rfind(run, 0, end)) > 0 and place % _WIDTH:
            end = place + len(run) - 1  # between two tokens: no place at all
        return place
