"""The corpus text, so that a match can be aligned and shown: zlib blocks of whole files in one file."""

import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

BLOCK_BYTES = 1 << 16
_LEVEL = 5  # past it every level costs a third more time for a hundredth of the size
_CACHED_BLOCKS = 64


@dataclass(frozen=True, slots=True)
class Packed:
    """Texts as blocks: where each text lies, and the compressed blocks."""

    blocks: list[bytes]
    block_of: list[int]  # per text, counted from this pack's first block
    offset_of: list[int]  # per text, in bytes of the inflated block
    size_of: list[int]  # per text, in bytes


def pack(texts: list[str]) -> Packed:
    """Consecutive texts share a block until it holds BLOCK_BYTES."""
    packed = Packed([], [], [], [])
    pending: list[bytes] = []
    filled = 0
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        packed.block_of.append(len(packed.blocks))
        packed.offset_of.append(filled)
        packed.size_of.append(len(data))
        pending.append(data)
        filled += len(data)
        if filled >= BLOCK_BYTES:
            packed.blocks.append(zlib.compress(b"".join(pending), _LEVEL))
            pending, filled = [], 0
    if pending:
        packed.blocks.append(zlib.compress(b"".join(pending), _LEVEL))
    return packed


class TextStore:
    """Reads texts by place. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        path = folder / "text.blocks"
        self._data = (
            np.memmap(path, np.uint8, mode="r") if path.stat().st_size else np.zeros(0, np.uint8)
        )
        self._ends = np.fromfile(folder / "text.ends", np.uint64)
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def text(self, block: int, offset: int, size: int) -> str:
        return self._block(block)[offset : offset + size].decode("utf-8", "surrogatepass")

    def _block(self, number: int) -> bytes:
        with self._lock:
            found = self._cache.get(number)
            if found is not None:
                self._cache.move_to_end(number)
                return found
        start = int(self._ends[number - 1]) if number else 0
        inflated = zlib.decompress(self._data[start : int(self._ends[number])].tobytes())
        with self._lock:
            self._cache[number] = inflated
            if len(self._cache) > _CACHED_BLOCKS:
                self._cache.popitem(last=False)
        return inflated


def write_ends(folder: Path, sizes: npt.NDArray[np.uint64]) -> None:
    """Where each block ends in `text.blocks`, from the blocks' sizes."""
    np.cumsum(sizes, dtype=np.uint64).tofile(folder / "text.ends")
