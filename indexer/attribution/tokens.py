"""What a text is cut into: kinds of token, their ids, and the arrays that hold them."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint64]
Places = npt.NDArray[np.intp]
Lines = npt.NDArray[np.int32]

# Kinds of token, as native/lexer.c numbers them. DROPPED, COMMENT and PREFIX never leave the lexer.
DROPPED, COMMENT, NAME, KEPT, CALLED, NUMBER, STRING = range(7)
PREFIX, COMMA, OPEN, CLOSE, DOT, MARK, COLON, PROSE, ARGUMENT = range(7, 16)

_WORD = (1 << 64) - 1
_LENGTH, _CHUNK = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93  # odd


def bytes_id(data: bytes) -> int:
    """The exact id of the bytes of a word or mark: 64 bits, every one of which depends on every byte.

    A hash of our own, so that native/lexer.c can have the same: multiplied eight bytes at a time, then
    spread by the finaliser of SplitMix64.
    """
    value = (len(data) * _LENGTH) & _WORD
    for start in range(0, len(data), 8):
        value ^= int.from_bytes(data[start : start + 8], "little")
        value = (value * _CHUNK) & _WORD
        value ^= value >> 32
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _WORD
    return value ^ (value >> 31)


def word_id(text: str) -> int:
    """The exact id of a word or mark."""
    return bytes_id(text.encode("utf-8", "surrogatepass"))


NAME_ID, NUMBER_ID, STRING_ID = word_id("\0V"), word_id("\0N"), word_id("\0S")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text; all arrays have one entry per token."""

    exact: Ids  # N1
    abstract: Ids  # N2b
    lines: Lines  # 0-based line on which the token starts
    kinds: npt.NDArray[np.uint8]
    sizes: npt.NDArray[
        np.uint8
    ]  # how many written tokens it stands for: itself and dropped ones before it

    def __len__(self) -> int:
        return len(self.exact)

    def part(self, start: int, end: int) -> "Tokens":
        """The tokens from `start` up to `end`, as views."""
        cut = slice(start, end)
        return Tokens(
            self.exact[cut], self.abstract[cut], self.lines[cut], self.kinds[cut], self.sizes[cut]
        )

    def on_later_lines(self, lines: int) -> "Tokens":
        """The same tokens as part of a text in which this many lines come before."""
        moved = self.lines + np.int32(lines)
        return Tokens(self.exact, self.abstract, moved, self.kinds, self.sizes)


@dataclass(frozen=True, slots=True)
class Reading:
    """The tokens of a text and where each is written."""

    data: bytes  # the text in UTF-8, with unified line ends
    tokens: Tokens
    starts: npt.NDArray[np.int32]  # in bytes, likewise
    ends: npt.NDArray[np.int32]

    def part(self, start: int, end: int) -> "Reading":
        """The tokens from `start` up to `end`, in the same text."""
        return Reading(
            self.data, self.tokens.part(start, end), self.starts[start:end], self.ends[start:end]
        )

    def words(self, places: Places) -> list[str]:
        """What is written at some tokens."""
        spans = zip(self.starts[places].tolist(), self.ends[places].tolist(), strict=True)
        if self.data.isascii():
            text = self.data.decode()
            return [text[start:end] for start, end in spans]
        return [self.data[start:end].decode("utf-8", "surrogatepass") for start, end in spans]


def joined(readings: "list[Reading]") -> Reading:
    """Readings of the parts of a text, in order, as one."""
    if len(readings) == 1:
        return readings[0]
    data = b"".join(each.data for each in readings)
    lines, offset = 0, 0
    moved: list[Tokens] = []
    starts, ends = [], []
    for each in readings:
        moved.append(each.tokens.on_later_lines(lines))
        starts.append(each.starts + np.int32(offset))
        ends.append(each.ends + np.int32(offset))
        lines += each.data.count(b"\n")
        offset += len(each.data)
    columns = (
        np.concatenate([getattr(each, one.name) for each in moved]) for one in fields(Tokens)
    )
    return Reading(data, Tokens(*columns), np.concatenate(starts), np.concatenate(ends))
