"""The model on our own kernels: int8 weights, keys and values in numpy arrays, no library beside it."""

import ctypes
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Floats, rotary_tables, weight
from engine.cuts import ANYWHERE
from engine.network import Scores
from engine.shape import Shape

_BATCH = 128  # tokens that the kernels take at a time
_WIDEST = 256  # head that they take

# The numbers by which kernel.c knows the weights.
_TABLE, _HEAD, _GAIN, _COSINES, _SINES = range(5)
_QKV, _OUT, _GATE_UP, _DOWN, _ATTENTION_GAIN, _MLP_GAIN = range(5, 11)
_BIAS = {_QKV: 11, _OUT: 12, _GATE_UP: 13, _DOWN: 14}


class NativeKeyValues:
    """The keys and values of one sequence, as kernel.c lays them out."""

    def __init__(self, shape: Shape, capacity: int, lanes: int) -> None:
        self.capacity = capacity
        self.held = -(-capacity // (2 * lanes)) * 2 * lanes
        size = (shape.layers, shape.kv_heads, self.held)
        self.keys = np.zeros((*size, shape.head_dim), np.float16)
        self.values = np.zeros((*size, -(-shape.head_dim // (2 * lanes)) * 2 * lanes), np.float16)


class NativeModel:
    """The weights of one model, packed for this processor."""

    device = "cpu"
    note = ""
    dtype = "int8"
    is_exact = True  # by construction, see kernel.c
    cuts = ANYWHERE

    def __init__(
        self,
        shape: Shape,
        arrays: Iterable[tuple[str, Floats]],
        *,
        library: Path,
        threads: int = 1,
    ) -> None:
        """Pack the weights; ModelUnavailable when one is missing or of the wrong size.

        RuntimeError for a shape that the kernels do not take.
        """
        if shape.head_dim > _WIDEST:
            raise RuntimeError(f"its kernels take heads of {_WIDEST}, not of {shape.head_dim}")
        self.shape = shape
        self._library = _open(library)
        self._lanes = int(self._library.footnote_lanes())
        sizes = np.array(
            [
                shape.vocabulary, shape.hidden, shape.layers, shape.heads, shape.kv_heads,
                shape.head_dim, shape.intermediate, shape.positions,
            ],
            np.int64,
        )  # fmt: skip
        self._model = self._library.footnote_new(_place(sizes), shape.norm_eps, threads)
        if not self._model:
            raise MemoryError("no memory for the model")
        self.parameters = self._load(dict(arrays))
        panel = int(self._library.footnote_panel())
        self._certainty = (ctypes.c_double * 2)()
        self._width = -(-shape.vocabulary // panel) * panel

    def __del__(self) -> None:
        if getattr(self, "_model", None):
            self._library.footnote_free(self._model)
            self._model = None

    def _load(self, arrays: dict[str, Floats]) -> int:
        shape = self.shape
        weights = {name.removeprefix("model."): each for name, each in arrays.items()}
        if shape.tied:
            weights.pop("lm_head.weight", None)
        count = sum(each.size for each in weights.values())

        def named(name: str, *size: int) -> Floats:
            return weight(weights, name, *size)

        self._take(_TABLE, 0, named("embed_tokens.weight", shape.vocabulary, shape.hidden))
        if not shape.tied:
            self._take(_HEAD, 0, named("lm_head.weight", shape.vocabulary, shape.hidden))
        self._take(_GAIN, 0, named("norm.weight", shape.hidden))
        for name, table in zip((_COSINES, _SINES), rotary_tables(shape), strict=True):
            self._take(name, 0, table.ravel())
        wide, narrow = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        inner, hidden = shape.intermediate, shape.hidden
        for number in range(shape.layers):
            at = f"layers.{number}."
            self._take(_ATTENTION_GAIN, number, named(f"{at}input_layernorm.weight", hidden))
            self._take(_MLP_GAIN, number, named(f"{at}post_attention_layernorm.weight", hidden))
            for name, inputs, parts in (
                (_QKV, hidden, (("self_attn.q", wide), ("self_attn.k", narrow), ("self_attn.v", narrow))),
                (_OUT, wide, (("self_attn.o", hidden),)),
                (_GATE_UP, hidden, (("mlp.gate", inner), ("mlp.up", inner))),
                (_DOWN, inner, (("mlp.down", hidden),)),
            ):  # fmt: skip
                rows = [named(f"{at}{part}_proj.weight", size, inputs) for part, size in parts]
                self._take(name, number, np.concatenate(rows))
                if any(f"{at}{part}_proj.bias" in weights for part, _ in parts):
                    biases = [
                        weights.get(f"{at}{part}_proj.bias", np.zeros(size, np.float32))
                        for part, size in parts
                    ]
                    self._take(_BIAS[name], number, np.concatenate(biases))
        return count

    def _take(self, name: int, number: int, array: Floats) -> None:
        held = np.ascontiguousarray(array, np.float32)
        rows, columns = held.shape if held.ndim == 2 else (len(held), 1)
        if self._library.footnote_take(self._model, name, number, _place(held), rows, columns):
            raise MemoryError("no memory for the weights")

    def new_cache(self, capacity: int) -> NativeKeyValues:
        """Room for `capacity` tokens."""
        return NativeKeyValues(self.shape, capacity, self._lanes)

    def scores(
        self, tokens: Sequence[int], position: int, cache: NativeKeyValues, wanted: int = 1
    ) -> Scores:
        """As engine.network.Network has it."""
        if position + len(tokens) > cache.capacity:
            raise ValueError(
                f"{position + len(tokens)} tokens do not fit a cache of {cache.capacity}"
            )
        ids = np.array(tokens, np.int64)
        found = np.empty((wanted, self._width), np.float32)
        place = 0
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            left = len(ids) - start - len(part)
            here = max(0, min(len(part), wanted - left))
            if self._library.footnote_run(
                self._model, _place(part), len(part), position + start, _place(cache.keys),
                _place(cache.values), cache.held, here, _place(found[place:]),
            ):  # fmt: skip
                raise ValueError("a token that the model does not have, or a place beyond its end")
            place += here
        return found[:wanted, : self.shape.vocabulary]

    def certainty(self, scores: Scores, token: int) -> tuple[float, float]:
        """As engine.sampling.certainty."""
        held = np.ascontiguousarray(scores, np.float32)
        self._library.footnote_certainty(
            _place(held), held.size, token, ctypes.byref(self._certainty)
        )
        return self._certainty[0], self._certainty[1]


def _place(array: "np.ndarray[Any, Any]") -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _open(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    whole, pointer = ctypes.c_int64, ctypes.c_void_p
    library.footnote_lanes.restype = library.footnote_panel.restype = whole
    library.footnote_new.argtypes = [pointer, ctypes.c_double, ctypes.c_int]
    library.footnote_new.restype = pointer
    library.footnote_free.argtypes = [pointer]
    library.footnote_free.restype = None
    library.footnote_take.argtypes = [pointer, ctypes.c_int, whole, pointer, whole, whole]
    library.footnote_certainty.argtypes = [pointer, whole, whole, pointer]
    library.footnote_certainty.restype = None
    library.footnote_run.argtypes = [
        pointer, pointer, whole, whole, pointer, pointer, whole, whole, pointer,
    ]  # fmt: skip
    return library
