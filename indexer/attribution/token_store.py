"""A file as its tokens, without its text: enough to align with it, two bytes a token before compression.

Of a token's exact id ten bits are kept, beside its kind. That tells hardly any two files' tokens apart for
good, but in a row of six it does, and a row is what alignment asks for. Ids are made whole again from those
of the text that is compared: what has the same ten bits and the same kind counts as the same token.
"""

import numpy as np
import numpy.typing as npt

from indexer.attribution.fingerprints import mix
from indexer.attribution.tokens import NAME_ID, NUMBER, NUMBER_ID, STRING, STRING_ID, Ids, Tokens

Codes = npt.NDArray[np.uint16]

_BITS = 10
_KINDS = 1 << (15 - _BITS)
# For each code an id that no token has, for what the text that is compared does not contain.
_UNKNOWN: Ids = mix(np.arange(1 << 16, dtype=np.uint64) + np.uint64(1))
_ABSTRACT: Ids = np.full(_KINDS, NAME_ID, np.uint64)
_ABSTRACT[NUMBER], _ABSTRACT[STRING] = NUMBER_ID, STRING_ID


def encode(tokens: Tokens) -> bytes:
    """The tokens of a file as bytes."""
    steps = np.diff(tokens.lines, prepend=0).clip(0, 0xFFFF).astype(np.uint16)
    # High and low bytes apart: the steps from line to line are nearly all 0 or 1, which costs nothing then.
    lines = np.concatenate([steps & 255, steps >> 8]).astype(np.uint8)
    return codes_of(tokens).tobytes() + lines.tobytes()


def codes_of(tokens: Tokens) -> Codes:
    """Kind, whether the abstract id is the exact one, and the top bits of the exact id."""
    own = tokens.abstract == tokens.exact
    head = (tokens.kinds.astype(np.uint16) << 1 | own) << _BITS
    codes: Codes = head | (tokens.exact >> np.uint64(64 - _BITS)).astype(np.uint16)
    return codes


def decode(data: bytes) -> tuple[Codes, npt.NDArray[np.int32]]:
    """The codes of a file's tokens and the lines they are on."""
    count = len(data) // 4
    codes = np.frombuffer(data, np.uint16, count)
    low, high = np.frombuffer(data, np.uint8, 2 * count, 2 * count).reshape(2, count)
    steps = low.astype(np.int32) + (high.astype(np.int32) << 8)
    return codes, np.cumsum(steps, dtype=np.int32)


def ids_like(tokens: Tokens) -> Ids:
    """For every code the exact id it stands for, as far as these tokens have it: uint64[65536]."""
    ids = _UNKNOWN.copy()
    ids[codes_of(tokens)] = tokens.exact
    return ids


def tokens_of(codes: Codes, lines: npt.NDArray[np.int32], ids: Ids) -> Tokens:
    """Tokens again, with ids that can be compared with those they were made like."""
    exact = ids[codes]
    kinds = (codes >> (_BITS + 1)).astype(np.uint8)
    own = (codes >> _BITS & 1).astype(bool)
    return Tokens(
        exact=exact,
        abstract=np.where(own, exact, _ABSTRACT[kinds]),
        lines=lines,
        kinds=kinds,
        sizes=np.ones(len(codes), np.uint8),
    )
