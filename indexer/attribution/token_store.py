"""A file as its tokens, without its text: enough to align with it, two bytes a token before compression.

A token's code tells its kind and some bits of its exact id, most of names, which a renaming is read from. That
confuses single tokens but no row of six, and rows are what alignment asks for. Ids are made whole again from
those of the text that is compared; what has the same code counts as the same token on both sides.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from indexer.attribution.fingerprints import mix
from indexer.attribution.tokens import (
    ARGUMENT,
    NAME,
    NAME_ID,
    NUMBER,
    NUMBER_ID,
    STRING,
    STRING_ID,
    Ids,
    Tokens,
)

Codes = npt.NDArray[np.uint16]

_KINDS = 32
# How many codes there are for each kind, with an abstract id of its own and where that is the exact one.
_WIDTHS: Ids = np.full(2 * _KINDS, 225, np.uint64)
_WIDTHS[[2 * NAME, 2 * NAME + 1, 2 * ARGUMENT, 2 * ARGUMENT + 1]] = 13_000
_FIRST = np.cumsum(_WIDTHS) - _WIDTHS
_VARIETY = np.repeat(np.arange(2 * _KINDS, dtype=np.uint8), _WIDTHS.astype(np.intp))  # of each code
# For each code an id that no token has, for what the text that is compared does not contain.
_UNKNOWN: Ids = mix(np.arange(len(_VARIETY), dtype=np.uint64) + np.uint64(1))
_ABSTRACT: Ids = np.full(_KINDS, NAME_ID, np.uint64)
_ABSTRACT[NUMBER], _ABSTRACT[STRING] = NUMBER_ID, STRING_ID


def encode(tokens: Tokens) -> bytes:
    """The tokens of a file as bytes."""
    steps = np.diff(tokens.lines, prepend=0).clip(0, 0xFFFF).astype(np.uint16)
    # High and low bytes apart: the steps from line to line are nearly all 0 or 1, which costs nothing then.
    lines = np.concatenate([steps & 255, steps >> 8]).astype(np.uint8)
    return codes_of(tokens).tobytes() + lines.tobytes()


def codes_of(tokens: Tokens) -> Codes:
    variety = tokens.kinds.astype(np.intp) * 2 + (tokens.abstract == tokens.exact)
    codes: Codes = (_FIRST[variety] + tokens.exact % _WIDTHS[variety]).astype(np.uint16)
    return codes


def decode(data: bytes) -> tuple[Codes, npt.NDArray[np.int32]]:
    """The codes of a file's tokens and the lines they are on."""
    count = len(data) // 4
    codes = np.frombuffer(data, np.uint16, count)
    low, high = np.frombuffer(data, np.uint8, 2 * count, 2 * count).reshape(2, count)
    steps = low.astype(np.int32) + (high.astype(np.int32) << 8)
    return codes, np.cumsum(steps, dtype=np.int32)


def ids_like(tokens: Tokens) -> Ids:
    """For every code the exact id it stands for, as far as these tokens have it."""
    ids = _UNKNOWN.copy()
    ids[codes_of(tokens)] = tokens.exact
    return ids


def as_coded(tokens: Tokens, ids: Ids) -> Tokens:
    """The tokens that the ids were made like, with one id for those of one code."""
    exact = ids[codes_of(tokens)]
    abstract = np.where(tokens.abstract == tokens.exact, exact, tokens.abstract)
    return replace(tokens, exact=exact, abstract=abstract)


def tokens_of(codes: Codes, lines: npt.NDArray[np.int32], ids: Ids) -> Tokens:
    """Tokens again, with ids that can be compared with those they were made like."""
    exact = ids[codes]
    variety = _VARIETY[codes]
    kinds = (variety >> 1).astype(np.uint8)
    return Tokens(
        exact=exact,
        abstract=np.where(variety & 1 == 1, exact, _ABSTRACT[kinds]),
        lines=lines,
        kinds=kinds,
        sizes=np.ones(len(codes), np.uint8),
    )
