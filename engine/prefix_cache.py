"""Which tokens the keys and values in memory belong to, so that a keystroke pays for its change.

Prompts are computed in blocks that begin at multiples of the block size, and only whole blocks of
prompts are kept. A block's keys and values then depend on nothing but the tokens up to its end:
a completion is the same to the last bit whether its prompt was cached or not. Recomputing the
rest, at most one block, is the price.
"""

from collections.abc import Iterator, Sequence

BLOCK = 64  # tokens: little enough to recompute at each keystroke, and to cancel between two


class PrefixCache:
    """The ledger of one sequence; the tensors themselves are the model's."""

    def __init__(self) -> None:
        self._tokens: list[int] = []

    def rewind(self, prompt: Sequence[int]) -> int:
        """Keep what the prompt shares with the ledger and forget the rest; returns its length.

        At least the prompt's last token is left to compute, for its scores are wanted.
        """
        kept = 0
        limit = min(len(self._tokens), (len(prompt) - 1) // BLOCK * BLOCK)
        while kept < limit and self._tokens[kept : kept + BLOCK] == list(
            prompt[kept : kept + BLOCK]
        ):
            kept += BLOCK
        del self._tokens[kept:]
        return kept

    def store(self, tokens: Sequence[int]) -> None:
        """Note that these tokens were computed behind those noted; an open block is not kept."""
        if len(tokens) == BLOCK:
            self._tokens += tokens


def blocks(prompt: Sequence[int], start: int) -> Iterator[tuple[int, Sequence[int]]]:
    """Position and tokens of the blocks of a prompt from `start`, a multiple of the size, on."""
    for position in range(start, len(prompt), BLOCK):
        yield position, prompt[position : position + BLOCK]
