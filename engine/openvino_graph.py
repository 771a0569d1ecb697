"""A Llama's forward pass as an OpenVINO graph with int8 weights, built from the arrays themselves.

The attention is written as one with a growing cache, the form in which OpenVINO's own pass
recognises it and puts paged attention in its place (Kwon et al. 2023, arXiv 2309.06180).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.arrays import Floats, rotary_tables, weight
from engine.openvino_runtime import op, ov
from engine.shape import Shape

_LEAST = np.float32(-65504.0)  # the lowest float16


def build(shape: Shape, arrays: Mapping[str, Floats]) -> ov.Model:
    """The graph: input_ids, position_ids and a cache to the scores of the chosen `rows`.

    ModelUnavailable when a weight is missing or of another size.
    """
    return _Builder(shape, arrays).model()


class _Builder:
    def __init__(self, shape: Shape, arrays: Mapping[str, Floats]) -> None:
        self._shape = shape
        self._arrays = {name.removeprefix("model."): each for name, each in arrays.items()}
        self._ids = _parameter("input_ids", [-1, -1], np.int64)
        self._positions = _parameter("position_ids", [-1, -1], np.int64)
        self._mask = _parameter("attention_mask", [-1, -1], np.int64)
        self._beams = _parameter("beam_idx", [-1], np.int32)
        sizes = op.shape_of(self._ids)
        self._batch = op.gather(sizes, _ints([0]), _ints(0))
        self._length = op.gather(sizes, _ints([1]), _ints(0))
        self._assigned: list[Any] = []

    def model(self) -> ov.Model:
        shape = self._shape
        size = (shape.vocabulary, shape.hidden)
        table = self._weight("embed_tokens.weight", *size)
        hidden = op.gather(_int8(table), self._ids, _ints(0))
        turns = self._turns()
        mask = self._causal()
        for number in range(shape.layers):
            hidden = self._layer(hidden, f"layers.{number}.", turns, mask)
        head = table if shape.tied else self._weight("lm_head.weight", *size)
        rows = _parameter("rows", [-1], np.int64)
        # Scores of the rows that are asked for only: the head is a third of a small model's work.
        flat = op.reshape(hidden, _ints([-1, shape.hidden]), special_zero=False)
        scores = op.matmul(
            self._normed(op.gather(flat, rows, _ints(0)), "norm.weight"),
            _int8(head),
            transpose_a=False,
            transpose_b=True,
        )
        result = op.result(scores)
        result.output(0).set_names({"scores"})
        inputs = [self._ids, self._positions, self._mask, self._beams, rows]
        return ov.Model([result], self._assigned, inputs, "llama")

    def _layer(self, hidden: Any, at: str, turns: tuple[Any, Any], mask: Any) -> Any:
        shape = self._shape
        attention, mlp = f"{at}self_attn.", f"{at}mlp."
        wide, narrow = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        normed = self._normed(hidden, f"{at}input_layernorm.weight")
        queries, keys, values = (
            self._heads(self._linear(normed, f"{attention}{name}_proj", size, shape.hidden), count)
            for name, size, count in (
                ("q", wide, shape.heads), ("k", narrow, shape.kv_heads), ("v", narrow, shape.kv_heads),
            )
        )  # fmt: skip
        queries, keys = _turned(queries, turns), _turned(keys, turns)
        keys, values = self._kept(f"{at}key", keys), self._kept(f"{at}value", values)
        seen = op.scaled_dot_product_attention(
            queries, self._repeated(keys), self._repeated(values), mask
        )
        joined = op.reshape(
            op.transpose(seen, _ints([0, 2, 1, 3])), _ints([0, 0, wide]), special_zero=True
        )
        hidden = op.add(hidden, self._linear(joined, f"{attention}o_proj", shape.hidden, wide))
        normed = self._normed(hidden, f"{at}post_attention_layernorm.weight")
        inner = shape.intermediate
        gate, up = (
            self._linear(normed, f"{mlp}{name}_proj", inner, shape.hidden)
            for name in ("gate", "up")
        )
        down = self._linear(op.multiply(op.swish(gate), up), f"{mlp}down_proj", shape.hidden, inner)
        return op.add(hidden, down)

    def _weight(self, name: str, *size: int) -> Floats:
        return weight(self._arrays, name, *size)

    def _linear(self, rows: Any, name: str, outputs: int, inputs: int) -> Any:
        product = op.matmul(
            rows,
            _int8(self._weight(f"{name}.weight", outputs, inputs)),
            transpose_a=False,
            transpose_b=True,
        )
        if f"{name}.bias" not in self._arrays:
            return product
        return op.add(product, op.constant(self._weight(f"{name}.bias", outputs)))

    def _normed(self, rows: Any, name: str) -> Any:
        gain = self._weight(name, self._shape.hidden)
        square = op.reduce_mean(op.power(rows, _floats(2.0)), _ints([-1]), keep_dims=True)
        root = op.sqrt(op.add(square, _floats(self._shape.norm_eps)))
        scaled = op.multiply(rows, op.divide(_floats(1.0), root))
        return op.multiply(scaled, op.constant(gain))

    def _heads(self, rows: Any, count: int) -> Any:
        """[batch, length, count * dim] to [batch, count, length, dim]."""
        split = op.reshape(rows, _ints([0, 0, count, self._shape.head_dim]), special_zero=True)
        return op.transpose(split, _ints([0, 2, 1, 3]))

    def _repeated(self, kept: Any) -> Any:
        """Each key/value head once for every query head of its group."""
        shape = self._shape
        group = shape.heads // shape.kv_heads
        size = op.concat(
            [self._batch, _ints([shape.kv_heads]), _ints([group]), _ints([1]), _ints([shape.head_dim])],
            0,
        )  # fmt: skip
        wide = op.broadcast(op.unsqueeze(kept, _ints(2)), size, "bidirectional")
        return op.reshape(wide, _ints([0, shape.heads, -1, shape.head_dim]), special_zero=True)

    def _kept(self, name: str, new: Any) -> Any:
        """All keys or values so far, the new ones last."""
        shape = self._shape
        empty = op.broadcast(
            _floats(0.0),
            op.concat(
                [self._batch, _ints([shape.kv_heads]), _ints([0]), _ints([shape.head_dim])], 0
            ),
        )
        info = ov.op.util.VariableInfo()
        info.data_shape = ov.PartialShape([-1, shape.kv_heads, -1, shape.head_dim])
        info.data_type = ov.Type.f32
        info.variable_id = name
        variable = ov.op.util.Variable(info)
        past = op.gather(op.read_value(empty, variable), self._beams, _ints(0))
        both = op.concat([past, new], 2)
        self._assigned.append(op.assign(both, variable))
        return both

    def _turns(self) -> tuple[Any, Any]:
        """Cosine and sine of each position, [batch, 1, length, dim].

        Looked up, not computed: where the plugin works in bfloat16, positions would be rounded to
        eight bits before their cosine is taken.
        """
        cosines, sines = (
            op.unsqueeze(
                op.gather(
                    op.constant(np.concatenate([table, table], axis=1)), self._positions, _ints(0)
                ),
                _ints(1),
            )
            for table in rotary_tables(self._shape)
        )
        return cosines, sines

    def _causal(self) -> Any:
        """Minus infinity, nearly, where a query would see a later key."""
        total = op.squeeze(op.gather(op.shape_of(self._mask), _ints([1]), _ints(0)), _ints(0))
        first = op.subtract(total, op.squeeze(self._length, _ints(0)))
        keys = op.unsqueeze(op.range(_ints(0), total, _ints(1), "i64"), _ints(0))
        queries = op.unsqueeze(op.range(first, total, _ints(1), "i64"), _ints(1))
        mask = op.select(op.greater(keys, queries), op.constant(_LEAST), _floats(0.0))
        return op.unsqueeze(op.unsqueeze(mask, _ints(0)), _ints(0))


def _parameter(name: str, size: list[int], kind: type[np.generic]) -> Any:
    found = op.parameter(size, kind, name=name)
    found.output(0).set_names({name})
    return found


def _ints(value: int | list[int]) -> Any:
    return op.constant(np.array(value, dtype=np.int64))


def _floats(value: float) -> Any:
    return op.constant(np.array(value, dtype=np.float32))


def _int8(weight: Floats) -> Any:
    """A matrix of [outputs, inputs] as int8 with a scale per row, which the plugin keeps as it is."""
    scale = np.maximum(np.abs(weight).max(axis=1, keepdims=True) / 127.0, 1e-8)
    whole = np.clip(np.rint(weight / scale), -127, 127).astype(np.int8)
    stored = op.convert(op.constant(whole), "f16")
    return op.convert(op.multiply(stored, op.constant(scale.astype(np.float16))), "f32")


def _turned(heads: Any, turns: tuple[Any, Any]) -> Any:
    """Rotary positions (Su et al. 2021, arXiv 2104.09864), the halves of a head as the pairs."""
    first, second = op.split(heads, _ints(-1), 2).outputs()
    across = op.concat([op.negative(second), first], -1)
    return op.add(op.multiply(heads, turns[0]), op.multiply(across, turns[1]))
