"""How a prompt is cut into blocks, each model as its rounding allows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where the blocks of a prompt may begin so that no row's scores depend on how it was cut."""

    grain: int  # at multiples of this
    least: int  # and with so many tokens at least, also the last block
    block: int  # tokens of a block: as many as may run between two looks at the clock


ANYWHERE = Cuts(grain=1, least=1, block=128)
# Where rows depend on those that run with them; little enough to recompute at each keystroke.
COARSE = Cuts(grain=64, least=1, block=64)
