"""Which tokens the keys and values in memory belong to, so that a keystroke pays for its change.

A completion is the same to the last bit whether its prompt was cached or not. Where a row's scores
depend on the rows that run with it, prompts are computed in blocks that begin at multiples of the
block size, and only whole blocks of prompts are kept: a block's keys and values then depend on
nothing but the tokens up to its end. Recomputing the rest, at most one block, is the price. Where
they do not, every token is kept, those that were written too.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from engine.prefixes import common_prefix

Kept = TypeVar("Kept")

BLOCK = 64  # tokens: little enough to recompute at each keystroke, and to cancel between two
LONG_BLOCK = 128  # where nothing is recomputed: as much as may run between two looks at the clock


class PrefixCache:
    """The ledger of one sequence; the tensors themselves are the model's."""

    def __init__(self, *, is_exact: bool = False) -> None:
        self._tokens: list[int] = []
        self._grain = 1 if is_exact else BLOCK
        self.block = LONG_BLOCK if is_exact else BLOCK

    def common(self, prompt: list[int]) -> int:
        """How many tokens of the prompt need not be computed again.

        At least the prompt's last token is left to compute, for its scores are wanted.
        """
        kept = min(common_prefix(self._tokens, prompt), len(prompt) - 1)
        return kept // self._grain * self._grain

    def rewind(self, prompt: list[int]) -> int:
        """Keep what the prompt shares with the ledger and forget the rest; returns its length."""
        kept = self.common(prompt)
        del self._tokens[kept:]
        return kept

    def store(self, tokens: Sequence[int]) -> None:
        """Note that these tokens were computed behind those noted; an open block is not kept."""
        if len(tokens) % self._grain == 0:
            self._tokens += tokens


class Shelf(Generic[Kept]):
    """Several sequences, so that going back to another file does not start from nothing.

    What is kept of one is whatever `make` makes; the least recently used gives way.
    """

    def __init__(self, make: Callable[[], Kept], most: int, *, is_exact: bool) -> None:
        self._make, self._most, self._is_exact = make, most, is_exact
        self._held: list[tuple[PrefixCache, Kept]] = []  # the last one used stands last

    def take(self, prompt: list[int]) -> tuple[PrefixCache, Kept]:
        """The ledger and the keep of the sequence that has most in common with a prompt.

        A new one for a prompt that begins like none of them.
        """
        common, place = max(
            ((ledger.common(prompt), place) for place, (ledger, _) in enumerate(self._held)),
            default=(0, 0),
        )
        if common < BLOCK and len(self._held) < self._most:
            found = (PrefixCache(is_exact=self._is_exact), self._make())
        else:
            found = self._held.pop(place if common >= BLOCK else 0)
        self._held.append(found)
        return found


def blocks(
    prompt: Sequence[int], start: int, size: int = BLOCK
) -> Iterator[tuple[int, Sequence[int]]]:
    """Position and tokens of the blocks of a prompt from `start` on."""
    for position in range(start, len(prompt), size):
        yield position, prompt[position : position + size]
