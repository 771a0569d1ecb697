"""The way behind a prompt that the model has been already: its tokens, and the scores behind each.

Who types on along what was written, asks once more, or has another way taken from some word on, asks
for scores that were computed already. They are the very same numbers, so no text depends on whether
they were kept.
"""

from collections.abc import Sequence

import numpy as np

from engine.network import Scores

_MOST_BYTES = 2_000_000  # of scores that are kept: a line, in the largest vocabularies some words
_PASSED: Scores = np.empty(0, np.float32)


class Foreseen:
    """Where a text has come to behind its prompt, and what is known of its next tokens."""

    def __init__(self, prompt: list[int], scores: Scores) -> None:
        """`scores`, [vocabulary], stand behind the prompt."""
        self._prompt = prompt
        self._tokens: list[int] = []  # behind the prompt
        self._rows = [scores]  # behind the prompt, and behind each of the tokens
        self._at = 0
        self._most = max(1, _MOST_BYTES // scores.nbytes)

    @property
    def scores(self) -> Scores:
        """What may come next, [vocabulary]."""
        return self._rows[self._at]

    def follow(self, token: int) -> bool:
        """Go on to a token whose scores are known; where they are not, forget what was foreseen."""
        known = self._tokens[self._at : self._at + 1] == [token]
        if known:
            self._go()
        else:
            del self._tokens[self._at :], self._rows[self._at + 1 :]
        return known

    def extend(self, tokens: Sequence[int], scores: Scores) -> None:
        """Go on to the first of some tokens, the others are guesses. `scores`: [tokens, vocabulary]."""
        self._tokens.extend(tokens)
        self._rows.extend(scores)
        self._go()

    def _go(self) -> None:
        row = self._rows[self._at]
        if self._at >= self._most:  # so far in, nobody takes it up again
            self._rows[self._at] = _PASSED
        elif row.base is not None:  # a view would keep the rows of wrong guesses
            self._rows[self._at] = row.copy()
        self._at += 1

    def taken_up(self, prompt: list[int], *, anywhere: bool) -> "Foreseen | None":
        """The same way from the end of a prompt on; None where that is not on it.

        Unless `anywhere`, scores are those behind a prompt of just this length.
        """
        old, more = len(self._prompt), len(prompt) - len(self._prompt)
        rows = self._rows[: self._most]
        if not 0 <= more < (len(rows) if anywhere else 1):
            return None
        if prompt[:old] != self._prompt or prompt[old:] != self._tokens[:more]:
            return None
        found = Foreseen(prompt, rows[more])
        found._tokens, found._rows = self._tokens[more : len(rows) - 1], rows[more:]
        return found
