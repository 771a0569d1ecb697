"""What does it say that two texts share a token? The rarer it is in code at large, the more.

The table holds the words and marks that many files have. It was counted over packages of the corpus, by
`footnote eval attribution --fit`, and is the same for every index: three files of one's own do not tell what
is rare.
"""

from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.attribution.compiled_rows import heads_of, seek
from indexer.attribution.tokens import Ids

TABLE = "rarity.npz"
RAREST = 9.0  # bits, for what is not in the table
UNIT = 16  # parts of a bit that are told apart


def bits_of(ids: Ids) -> npt.NDArray[np.float64]:
    """log2 of one in how many files has the token, up to RAREST."""
    known, bits = table()
    heads = heads_of(ids)
    at = np.minimum(seek(known, heads), len(known) - 1)
    return np.where(known[at] == heads, bits[at], RAREST)


@cache
def table() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.float64]]:
    """The upper halves of the ids that many files have, in their order, and the bits of each."""
    data = files("indexer.attribution").joinpath(TABLE).read_bytes()
    with np.load(BytesIO(data), allow_pickle=False) as kept:
        return kept["heads"], kept["units"] / UNIT


def write(heads: npt.NDArray[np.uint32], bits: npt.NDArray[np.float64], to: Path) -> None:
    """Writes the table; the heads are the upper halves of ids."""
    order = np.argsort(heads)
    units = np.minimum(np.round(bits[order] * UNIT), 255).astype(np.uint8)
    np.savez_compressed(to, heads=heads[order], units=units)
