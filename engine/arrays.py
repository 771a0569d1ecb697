"""Reads safetensors with numpy alone, bfloat16 included: a process that needs no torch starts faster."""

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.api import ModelUnavailable
from engine.checkpoint import SCALE, Checkpoint
from engine.shape import Shape

Floats = NDArray[np.float32]

_HEADER = struct.Struct("<Q")
_LARGEST_HEADER = 100_000_000  # bytes; safetensors' own limit
_READ: dict[str, tuple[str, Callable[[NDArray[np.generic]], Floats]]] = {
    "F32": ("<f4", lambda raw: raw.astype(np.float32)),
    "F16": ("<f2", lambda raw: raw.astype(np.float32)),
    # The upper half of a float32.
    "BF16": ("<u2", lambda raw: (raw.astype(np.uint32) << 16).view(np.float32)),
    "I8": ("i1", lambda raw: raw.astype(np.float32)),
}


def read_arrays(checkpoint: Checkpoint) -> Iterator[tuple[str, Floats]]:
    """Name and values of every weight in float32, one after the other.

    ModelUnavailable when a file is not what its header says, or stores numbers of another kind.
    """
    for path in checkpoint.weights:
        try:
            yield from _read(path)
        except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
            raise ModelUnavailable(
                f"{path} is damaged ({error}): copy the folder again or reinstall Footnote"
            ) from error


def weight(arrays: Mapping[str, Floats], name: str, *size: int) -> Floats:
    """The weight of a name; ModelUnavailable when it is missing or of another size."""
    array = arrays.get(name)
    if array is None:
        raise ModelUnavailable(f"the weights lack {name}: copy the whole checkpoint folder")
    if array.shape != size:
        raise ModelUnavailable(
            f"{name} is {list(array.shape)}, config.json says {list(size)}: "
            "weights and configuration are of different models"
        )
    return array


def rotary_tables(shape: Shape) -> tuple[Floats, Floats]:
    """Cosine and sine of each position's angles (Su et al. 2021), [positions, head_dim / 2]."""
    dim = shape.head_dim
    speeds = 1.0 / shape.rope_theta ** (np.arange(0, dim, 2, dtype=np.float64) / dim)
    angles = np.arange(shape.positions)[:, None] * (speeds / shape.rope_factor)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _read(path: Path) -> Iterator[tuple[str, Floats]]:
    with path.open("rb") as stream:
        (size,) = _HEADER.unpack(stream.read(_HEADER.size))
        if size > _LARGEST_HEADER:
            raise ValueError("its header is too long")
        header = json.loads(stream.read(size))
    header.pop("__metadata__", None)
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=_HEADER.size + size)
    for name in sorted(header):
        if name.removesuffix(SCALE) in header.keys() - {name}:
            continue
        values = _values(header[name], data)
        if name + SCALE in header:
            values *= _values(header[name + SCALE], data)[:, None]
        yield name, values


def _values(entry: dict[str, object], data: NDArray[np.uint8]) -> Floats:
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if kind not in _READ:
        raise ValueError(f"numbers of the kind {kind} are not known")
    stored, to_floats = _READ[str(kind)]
    assert isinstance(shape, list)
    assert isinstance(offsets, list)
    start, end = offsets
    if not 0 <= start <= end <= len(data):
        raise ValueError("it ends before its last weight")
    return to_floats(data[start:end].view(stored)).reshape(shape)
