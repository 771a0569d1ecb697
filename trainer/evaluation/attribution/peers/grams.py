"""Hashes of runs of characters and of words, and the choice among them that winnowing makes."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xxhash

Hashes = npt.NDArray[np.uint64]

_SHORTEST = 3  # characters of a term
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_INVERSE = pow(_BASE, -1, 1 << 64)
# Words, rules of at least four equal marks, single marks: the lexemes of Copilot's client.
_LEXEME = re.compile(r"\w+|={4,}|-{4,}|#{4,}|/{4,}|\*{4,}|[^\w\s]")


def lexemes(text: str) -> list[str]:
    return _LEXEME.findall(text)


def is_term(word: str) -> bool:
    """Whether a word is one that rankings go by: a name, not a number or a mark."""
    return len(word) >= _SHORTEST and (word[0].isalpha() or word[0] == "_")


class _Hashes(dict[str, int]):
    """Hashes of words, made when first asked for; the lowest bit says whether it is a term."""

    def __missing__(self, word: str) -> int:
        value = xxhash.xxh64_intdigest(word.encode("utf-8", "surrogatepass"))
        self[word] = value = value & ~1 | is_term(word)
        return value


_KNOWN = _Hashes()


def word_hashes(words: Sequence[str]) -> Hashes:
    return np.fromiter(map(_KNOWN.__getitem__, words), np.uint64, len(words))


def characters(text: str) -> Hashes:
    """The text as numbers, one a character."""
    data = text.encode("utf-32-le", "surrogatepass")
    return np.frombuffer(data, np.uint32).astype(np.uint64)


def rolling(values: Hashes, width: int) -> Hashes:
    """The hash of every run of `width` values."""
    if len(values) < width:
        return np.zeros(0, np.uint64)
    powers, inverses = _powers(len(values))
    sums = np.zeros(len(values) + 1, np.uint64)
    np.cumsum((values + np.uint64(1)) * powers, out=sums[1:])
    found = (sums[width:] - sums[:-width]) * inverses[: len(values) - width + 1]
    return _mixed(found)


def _mixed(hashes: Hashes) -> Hashes:
    """Spreads every bit: winnowing takes the smallest, and the lowest bits of a sum are weak."""
    for shift, factor in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53)):
        hashes = (hashes ^ (hashes >> np.uint64(shift))) * np.uint64(factor)
    return hashes ^ (hashes >> np.uint64(33))


_tables: list[tuple[Hashes, Hashes]] = []


def _powers(length: int) -> tuple[Hashes, Hashes]:
    if not _tables or len(_tables[0][0]) < length:
        size = max(1 << 16, 1 << (length - 1).bit_length())
        _tables[:] = [(_series(_BASE, size), _series(_INVERSE, size))]
    powers, inverses = _tables[0]
    return powers[:length], inverses[:length]


def _series(base: int, size: int) -> Hashes:
    factors = np.full(size, base, np.uint64)
    factors[0] = 1
    return np.multiply.accumulate(factors)


def winnowed(hashes: Hashes, window: int) -> Hashes:
    """The smallest hash of every `window` neighbours, each place once."""
    if len(hashes) == 0:
        return hashes
    if len(hashes) <= window:
        return np.array([hashes.min()], np.uint64)
    blocks = -(-len(hashes) // window)
    padded = np.full(blocks * window, np.iinfo(np.uint64).max, np.uint64)
    padded[: len(hashes)] = hashes
    square = padded.reshape(blocks, window)
    forward = np.minimum.accumulate(square, axis=1).ravel()
    backward = np.minimum.accumulate(square[:, ::-1], axis=1)[:, ::-1].ravel()
    count = len(hashes) - window + 1
    smallest: Hashes = np.minimum(backward[:count], forward[window - 1 : window - 1 + count])
    return smallest[np.r_[True, smallest[1:] != smallest[:-1]]]
