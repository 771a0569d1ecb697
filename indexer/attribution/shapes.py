"""The shape of code: grams of it that are equal whatever its names are, as long as the same ones return.

A name counts by how far back it was last written; one that the gram has not had before is just some name. So
`total += each` and `count += one` have one shape, and `total += total` another.
"""

import numpy as np
import numpy.typing as npt

from indexer.attribution.compiled_rows import compiled, place
from indexer.attribution.tokens import NAME_ID, Ids

_BASE = np.uint64(0x9E3779B97F4A7C15)


def returns(ids: Ids) -> npt.NDArray[np.intp]:
    """For each id, how many before it was the same one; 0 where none was."""
    order = np.argsort(ids, kind="stable")
    back = np.zeros(len(ids), np.intp)
    same = ids[order[1:]] == ids[order[:-1]]
    back[order[1:][same]] = np.diff(order)[same]
    return back


def shape_grams(exact: Ids, abstract: Ids, k: int) -> Ids:
    """Hashes of the shapes of each `k` tokens in a row of code, by their first token."""
    rows = compiled()
    if rows is None:
        return shape_grams_by_numpy(exact, abstract, k)
    hashes = np.empty(max(0, len(abstract) - k + 1), np.uint64)
    said = rows.footnote_shapes(
        exact.tobytes(), abstract.tobytes(), len(abstract), k, NAME_ID, place(hashes)
    )
    if said < 0:
        raise MemoryError
    return hashes


def shape_grams_by_numpy(exact: Ids, abstract: Ids, k: int) -> Ids:
    """The same, where nothing was compiled."""
    count = max(0, len(abstract) - k + 1)
    back = np.where(abstract == np.uint64(NAME_ID), returns(exact), 0)
    # What stands for a name: a hash of how far back it was, as seen from inside the gram.
    seen = np.where(back > 0, _spread(back.astype(np.uint64)), abstract)
    hashes = np.zeros(count, np.uint64)
    for number in range(k):
        here = slice(number, number + count)
        inside = back[here] <= number
        hashes = hashes * _BASE + np.where(inside, seen[here], abstract[here])
    return _spread(hashes)


def _spread(values: Ids) -> Ids:
    """Every bit depends on every bit: the finaliser of SplitMix64."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
