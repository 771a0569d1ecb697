"""Weights as int8 with one scale per output channel, and how much that changes the model.

Every matrix W [rows, columns] becomes int8 Q and a float32 scale s [rows], the largest magnitude
of each row over 127: W is about Q * s. Vectors (gains, biases) stay as they are. The tensor of
the scales has the name of its matrix and "_scale"; engine.checkpoint.read_tensors puts both
together again, so the engine runs such a folder by its path.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.checkpoint import INT8_ROWS, SCALE

STEM = "int8"  # of the files; a name that transformers does not take for floats
RECORD: Mapping[str, Any] = {
    "method": INT8_ROWS,
    "what": "every tensor of two dimensions; the others are floating-point",
    "value": f"int8 times the float32 scale of its row, in the tensor of the same name + {SCALE!r}",
    "symmetric": True,
    "bits": 8,
}


def quantize(tensor: Any) -> tuple[Any, Any]:
    """int8 values [rows, columns] and float32 scales [rows] of a matrix."""
    import torch

    rows = tensor.float()
    scale = rows.abs().amax(dim=1) / 127
    divisor = torch.where(scale > 0, scale, torch.ones_like(scale))[:, None]
    return (rows / divisor).round().clamp(-127, 127).to(torch.int8), scale


def quantized(tensors: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The tensors as they are stored: int8 and scales for matrices, the rest untouched."""
    out = {}
    for name, tensor in tensors:
        if tensor.dim() == 2:
            out[name], out[name + SCALE] = quantize(tensor)
        else:
            out[name] = tensor
    return out
