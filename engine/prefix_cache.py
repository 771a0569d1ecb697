"""Which tokens the keys and values in memory belong to, so that a keystroke pays for its change.

A completion is the same to the last bit whether its prompt was cached or not. Where a row's scores
depend on the rows that run with it, prompts are computed in blocks that begin at multiples of a
grain, and only whole grains of prompts are kept: their keys and values then depend on nothing but
the tokens up to their end. Recomputing the rest is the price. Where they do not, every token is
kept, those that were written too. What was computed behind the last prompt is kept beside it: see
engine.foreseen.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from engine.cuts import ANYWHERE, COARSE, Cuts
from engine.prefixes import common_prefix

if TYPE_CHECKING:  # numpy is loaded by who loads a model
    from engine.foreseen import Foreseen

Kept = TypeVar("Kept")

BLOCK = COARSE.block


class PrefixCache:
    """The ledger of one sequence; the tensors themselves are the model's."""

    def __init__(self, cuts: Cuts = COARSE) -> None:
        self._tokens: list[int] = []
        self._behind: Foreseen | None = None
        self.cuts = cuts

    def common(self, prompt: list[int]) -> int:
        """How many tokens of the prompt need not be computed again.

        At least the prompt's last token is left to compute, for its scores are wanted.
        """
        cuts = self.cuts
        kept = min(common_prefix(self._tokens, prompt), len(prompt) - cuts.least)
        return max(0, kept // cuts.grain * cuts.grain)

    def rewind(self, prompt: list[int]) -> int:
        """Keep what the prompt shares with the ledger and forget the rest; returns its length."""
        kept = self.common(prompt)
        del self._tokens[kept:]
        return kept

    def take_up(self, prompt: list[int]) -> "Foreseen | None":
        """What is known behind a prompt, if it is where the model has been last; it is given away."""
        behind, self._behind = self._behind, None
        exact = self.cuts == ANYWHERE
        found = behind and behind.taken_up(prompt, anywhere=exact)
        if found and exact:
            self._tokens = prompt.copy()
        return found

    def keep(self, behind: "Foreseen") -> None:
        """Note what is known behind a prompt. Nothing may run in this sequence but what is noted."""
        self._behind = behind

    def store(self, tokens: Sequence[int]) -> None:
        """Note that these tokens were computed behind those noted; an open grain is not kept."""
        if len(tokens) >= self.cuts.least:
            self._tokens += tokens[: len(tokens) // self.cuts.grain * self.cuts.grain]


class Shelf(Generic[Kept]):
    """Several sequences, so that going back to another file does not start from nothing.

    What is kept of one is whatever `make` makes; the least recently used gives way.
    """

    def __init__(self, make: Callable[[], Kept], most: int, cuts: Cuts = COARSE) -> None:
        self._make, self._most, self._cuts = make, most, cuts
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
            found = (PrefixCache(self._cuts), self._make())
        else:
            found = self._held.pop(place if common >= BLOCK else 0)
        self._held.append(found)
        return found


def blocks(
    prompt: Sequence[int], start: int, cuts: Cuts = COARSE
) -> Iterator[tuple[int, Sequence[int]]]:
    """Position and tokens of the blocks of a prompt from `start` on."""
    while start < len(prompt):
        end = start + cuts.block
        if 0 < len(prompt) - end < cuts.least:  # the last block would be too short
            end -= -(-cuts.least // cuts.grain) * cuts.grain
        yield start, prompt[start:end]
        start = end
