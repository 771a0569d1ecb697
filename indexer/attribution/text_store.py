"""What belongs to each file of an index, its text or its tokens: Zstandard blocks of whole files in one file."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import zstandard

from indexer.attribution.catalogue import mapped

TEXT, TOKENS = "text", "tokens"  # which of the two a store holds is its name
BLOCK_BYTES = 1 << 15  # twice that is 1% of the corpus smaller, and takes twice as long to open
_LEVEL = 6  # past it every level costs half as much time again for a fiftieth of the size
_LARGEST = 1 << 31  # bytes that a whole block may say it inflates to
_CACHED_BLOCKS = 256


@dataclass(frozen=True, slots=True)
class Packed:
    """Files as blocks: where each file lies, and the compressed blocks."""

    blocks: list[bytes]
    block_of: list[int]  # per file, counted from this pack's first block
    offset_of: list[int]  # per file, in bytes of the inflated block
    size_of: list[int]  # per file, in bytes


class Packer:
    """Packs files as they come: consecutive ones share a block until it holds BLOCK_BYTES."""

    def __init__(self) -> None:
        self._packed = Packed([], [], [], [])
        self._pending: list[bytes] = []
        self._filled = 0
        self._compressor = zstandard.ZstdCompressor(_LEVEL)

    def add(self, data: bytes) -> None:
        self._packed.block_of.append(len(self._packed.blocks))
        self._packed.offset_of.append(self._filled)
        self._packed.size_of.append(len(data))
        self._pending.append(data)
        self._filled += len(data)
        if self._filled >= BLOCK_BYTES:
            self._close()

    def _close(self) -> None:
        self._packed.blocks.append(self._compressor.compress(b"".join(self._pending)))
        self._pending, self._filled = [], 0

    def finish(self) -> Packed:
        if self._pending:
            self._close()
        return self._packed


class DamagedBlock(Exception):
    """A block cannot be inflated, or does not hold what it should."""


class BlockStore:
    """Reads files by place. Safe to share between threads."""

    def __init__(self, folder: Path, name: str) -> None:
        self._data = mapped(folder / f"{name}.blocks", np.dtype(np.uint8))
        self._ends = np.fromfile(folder / f"{name}.ends", np.uint64)
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._own = threading.local()  # a decompressor serves one thread

    def read(self, block: int, offset: int, size: int) -> bytes:
        """Raises DamagedBlock."""
        data = self._block(block)[offset : offset + size]
        if len(data) != size:
            raise DamagedBlock(f"block {block} is too short")
        return data

    def _block(self, number: int) -> bytes:
        with self._lock:
            found = self._cache.get(number)
            if found is not None:
                self._cache.move_to_end(number)
                return found
        start = int(self._ends[number - 1]) if number else 0
        try:
            inflated = self._inflated(self._data[start : int(self._ends[number])].tobytes())
        except zstandard.ZstdError as error:
            raise DamagedBlock(f"block {number}: {error}") from error
        with self._lock:
            self._cache[number] = inflated
            if len(self._cache) > _CACHED_BLOCKS:
                self._cache.popitem(last=False)
        return inflated

    def _inflated(self, data: bytes) -> bytes:
        """A block as it was. Raises ZstdError, also of one that says that it is larger than any."""
        if zstandard.frame_content_size(data) > _LARGEST:
            raise zstandard.ZstdError("too large")
        try:
            decompressor = self._own.decompressor
        except AttributeError:
            decompressor = self._own.decompressor = zstandard.ZstdDecompressor()
        inflated: bytes = decompressor.decompress(data)
        return inflated


def write_ends(folder: Path, name: str, sizes: npt.NDArray[np.uint64]) -> None:
    """Where each block ends in the file of blocks, from the blocks' sizes."""
    np.cumsum(sizes, dtype=np.uint64).tofile(folder / f"{name}.ends")
