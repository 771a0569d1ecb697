"""A Llama's forward pass for one sequence on the CPU; keys and values live in memory set aside.

Weights are fused (query, key and value in one matrix; gate and up in one) and take in what is
constant: the norms' gains and the 1/sqrt(head_dim) of attention (Vaswani et al. 2017). Rotary
positions (Su et al. 2021, arXiv 2104.09864) are one complex product, for which the rows of the
query and key matrices are reordered so that the two halves of a pair are neighbours.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 -- its usual name

from engine.api import ModelUnavailable
from engine.cuts import COARSE
from engine.linears import Kernel, Linear, choose_kernel, make_linear
from engine.network import Scores
from engine.sampling import certainty
from engine.shape import Shape

# The libraries below make a kernel for every number of rows and keys that they meet, and keep it:
# half a megabyte and half a millisecond each. So there are few such numbers.
_ROWS, _KEYS = 16, 64


@dataclass(frozen=True, slots=True)
class _Layer:
    qkv: Linear  # [n, hidden] to [n, (heads + 2 * kv_heads) * head_dim]
    out: Linear
    gate_up: Linear  # [n, hidden] to [n, 2 * intermediate]
    down: Linear


class KeyValues:
    """The keys and values of one sequence: [layers, 2, kv_heads, capacity, head_dim]."""

    def __init__(self, shape: Shape, capacity: int, dtype: torch.dtype) -> None:
        self.capacity = capacity
        held = _rounded(capacity + _ROWS, _KEYS)
        self.data = torch.zeros(shape.layers, 2, shape.kv_heads, held, shape.head_dim, dtype=dtype)


class Model:
    """The weights of one model, ready to run."""

    def __init__(
        self, shape: Shape, tensors: Iterable[tuple[str, torch.Tensor]], *, dtype: str = "auto"
    ) -> None:
        """Take the weights in; ModelUnavailable when one is missing or of the wrong size.

        `dtype` is float32, bfloat16, or auto: whichever this CPU is clearly faster with.
        """
        self.shape = shape
        self.kernel = choose_kernel(2 * shape.intermediate, shape.hidden, dtype)
        weights = _Weights(shape, dict(tensors))
        self.parameters = weights.count
        with torch.inference_mode():
            self._embedding = weights.embedding(self.kernel.dtype)
            self._layers = [_layer(weights, i, self.kernel) for i in range(shape.layers)]
            self._head = _head(weights, self._embedding, self.kernel)
        self._turns = torch.zeros(0, 1, shape.head_dim // 2, dtype=torch.complex64)

    def new_cache(self, capacity: int) -> KeyValues:
        """Room for `capacity` tokens."""
        return KeyValues(self.shape, capacity, self.kernel.dtype)

    @torch.inference_mode()
    def feed(self, tokens: Sequence[int], position: int, cache: KeyValues) -> torch.Tensor:
        """Run tokens that stand at `position` and after it; their keys and values are stored.

        Returns the hidden states, [tokens, hidden]; what the cache holds before `position` is
        read, what it holds behind is overwritten.
        """
        n = len(tokens)
        if position + n > cache.capacity:
            raise ValueError(f"{position + n} tokens do not fit a cache of {cache.capacity}")
        rows, keys, mask = n, position + n, None
        if n > 1:
            rows, keys = _rounded(n, _ROWS), _rounded(position + _rounded(n, _ROWS), _KEYS)
            mask = self._mask(rows, position, keys)
        ids = torch.tensor([*tokens, *[tokens[-1]] * (rows - n)], dtype=torch.long)
        hidden = F.embedding(ids, self._embedding)
        here = slice(position, position + rows)
        turns = self._turns_to(here.stop)[here]
        size = (self.shape.hidden,)
        for number, layer in enumerate(self._layers):
            stored = cache.data[number, :, :, :keys]  # [2, kv_heads, keys, head_dim]
            qkv = layer.qkv(F.rms_norm(hidden, size, None, self.shape.norm_eps))
            queries = self._store(qkv, stored[:, :, here], turns)
            hidden = hidden + layer.out(self._attend(queries, stored, mask))
            both = layer.gate_up(F.rms_norm(hidden, size, None, self.shape.norm_eps))
            gate, up = both.chunk(2, dim=-1)
            hidden = hidden + layer.down(F.silu(gate) * up)
        return hidden[:n]

    device = "cpu"
    note = ""
    is_exact = False  # torch's products round differently for every number of rows
    cuts = COARSE

    @property
    def dtype(self) -> str:
        return str(self.kernel.dtype).removeprefix("torch.")

    @torch.inference_mode()
    def scores(
        self, tokens: Sequence[int], position: int, cache: KeyValues, wanted: int = 1
    ) -> Scores:
        """As engine.network.Network has it: the head only for the rows that are wanted."""
        hidden = self.feed(tokens, position, cache)
        found: Scores = self.logits(hidden[len(tokens) - wanted :]).float().numpy()
        return found

    def certainty(self, scores: Scores, token: int) -> tuple[float, float]:
        return certainty(scores, token)

    @torch.inference_mode()
    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores of what comes next, [rows, vocabulary], from hidden states, [rows, hidden]."""
        return self._head(F.rms_norm(hidden, (self.shape.hidden,), None, self.shape.norm_eps))

    def _store(self, qkv: torch.Tensor, here: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
        """Keep the new keys and values; returns the queries, [kv_heads, rows * group, head_dim]."""
        shape = self.shape
        n, dim, kv = qkv.shape[0], shape.head_dim, shape.kv_heads
        rotated = (shape.heads + kv) * dim
        pairs = qkv[:, :rotated].float().view(n, shape.heads + kv, dim // 2, 2)
        turned = torch.view_as_real(torch.view_as_complex(pairs) * turns).flatten(2)
        here[0] = turned[:, shape.heads :].transpose(0, 1)
        here[1] = qkv[:, rotated:].view(n, kv, dim).transpose(0, 1)
        # With one key/value head this is a view, no copy.
        queries = turned[:, : shape.heads].to(qkv.dtype).view(n, kv, shape.heads // kv, dim)
        return queries.transpose(0, 1).reshape(kv, -1, dim)

    def _attend(
        self, queries: torch.Tensor, stored: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Each query looks at the keys that the mask leaves it; the queries of a group are rows."""
        keys, values = stored[0][None], stored[1][None]
        seen = F.scaled_dot_product_attention(
            queries[None], keys, values, attn_mask=mask, scale=1.0
        )
        kv, wide = self.shape.kv_heads, self.shape.heads * self.shape.head_dim
        n = queries.shape[1] * kv // self.shape.heads
        return seen.view(kv, n, -1).transpose(0, 1).reshape(n, wide)

    def _mask(self, rows: int, position: int, keys: int) -> torch.Tensor:
        """Minus infinity where a query would see a later key: [rows * group, keys]."""
        mask = torch.full((rows, keys), -math.inf).triu_(position + 1)
        group = self.shape.heads // self.shape.kv_heads
        return mask.repeat_interleave(group, dim=0).to(self.kernel.dtype)

    def _turns_to(self, end: int) -> torch.Tensor:
        """The rotations of positions 0 to end and beyond: [positions, 1, head_dim / 2]."""
        if len(self._turns) < end:
            self._turns = _turns(self.shape, max(1024, 2 * end))
        return self._turns[:end]


def _rounded(count: int, step: int) -> int:
    return -(-count // step) * step


def _turns(shape: Shape, positions: int) -> torch.Tensor:
    dim = shape.head_dim
    speeds = 1.0 / shape.rope_theta ** (torch.arange(0, dim, 2).float() / dim)
    angles = torch.arange(positions).float()[:, None] / shape.rope_factor * speeds
    return torch.polar(torch.ones_like(angles), angles)[:, None]


class _Weights:
    """Tensors by their usual names; each is let go of as it is taken."""

    def __init__(self, shape: Shape, tensors: dict[str, torch.Tensor]) -> None:
        self.shape = shape
        self._tensors = {name.removeprefix("model."): each for name, each in tensors.items()}
        if shape.tied:
            self._tensors.pop("lm_head.weight", None)
        self.count = sum(each.numel() for each in self._tensors.values())

    def take(self, name: str, *size: int) -> torch.Tensor:
        """A weight in float32, for exact arithmetic on it before it is stored."""
        return self.stored(name, *size).float()

    def stored(self, name: str, *size: int) -> torch.Tensor:
        """A weight as the file has it; ModelUnavailable when it is not there or of another size."""
        tensor = self._tensors.pop(name, None)
        if tensor is None:
            raise ModelUnavailable(f"the weights lack {name}: copy the whole checkpoint folder")
        if tuple(tensor.shape) != size:
            raise ModelUnavailable(
                f"{name} is {list(tensor.shape)}, config.json says {list(size)}: "
                "weights and configuration are of different models"
            )
        return tensor

    def bias(self, name: str, size: int) -> torch.Tensor:
        """A bias, or zeros where the model has none."""
        return self.take(name, size) if name in self._tensors else torch.zeros(size)

    def has(self, name: str) -> bool:
        return name in self._tensors

    def embedding(self, dtype: torch.dtype) -> torch.Tensor:
        """[vocabulary, hidden], in memory of its own: the file may go."""
        size = (self.shape.vocabulary, self.shape.hidden)
        return self.stored("embed_tokens.weight", *size).to(dtype, copy=True)


def _layer(weights: _Weights, number: int, kernel: Kernel) -> _Layer:
    shape, at = weights.shape, f"layers.{number}."
    wide, narrow = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    attention, mlp = at + "self_attn.", at + "mlp."
    biased = weights.has(attention + "q_proj.bias")
    rows, offsets = [], []
    for name, size in (("q", wide), ("k", narrow), ("v", narrow)):
        row = weights.take(f"{attention}{name}_proj.weight", size, shape.hidden)
        offset = weights.bias(f"{attention}{name}_proj.bias", size)
        if name == "q":
            row, offset = row / math.sqrt(shape.head_dim), offset / math.sqrt(shape.head_dim)
        rows.append(row if name == "v" else _pairs_together(row, shape.head_dim))
        offsets.append(offset if name == "v" else _pairs_together(offset, shape.head_dim))
    gain = weights.take(at + "input_layernorm.weight", shape.hidden)
    qkv = make_linear(torch.cat(rows) * gain, torch.cat(offsets) if biased else None, kernel)
    out = _linear(weights, attention + "o_proj", shape.hidden, wide, kernel)
    gain = weights.take(at + "post_attention_layernorm.weight", shape.hidden)
    inner = shape.intermediate
    gate_up = make_linear(
        torch.cat(
            [
                weights.take(f"{mlp}{name}_proj.weight", inner, shape.hidden)
                for name in ("gate", "up")
            ]
        )
        * gain,
        torch.cat([weights.bias(f"{mlp}{name}_proj.bias", inner) for name in ("gate", "up")])
        if weights.has(mlp + "gate_proj.bias")
        else None,
        kernel,
    )
    down = _linear(weights, mlp + "down_proj", shape.hidden, inner, kernel)
    return _Layer(qkv, out, gate_up, down)


def _linear(weights: _Weights, name: str, outputs: int, inputs: int, kernel: Kernel) -> Linear:
    weight = weights.take(f"{name}.weight", outputs, inputs)
    bias = weights.take(f"{name}.bias", outputs) if weights.has(f"{name}.bias") else None
    return make_linear(weight, bias, kernel)


def _head(weights: _Weights, embedding: torch.Tensor, kernel: Kernel) -> Linear:
    shape = weights.shape
    gain = weights.take("norm.weight", shape.hidden)
    if shape.tied and not kernel.packed:
        # One copy of the largest matrix: the gain is applied to the rows instead.
        table, scale = embedding, gain.to(kernel.dtype)
        return lambda rows: F.linear(rows * scale, table)
    weight = embedding
    if not shape.tied:
        weight = weights.stored("lm_head.weight", shape.vocabulary, shape.hidden)
    gained = torch.empty(weight.shape, dtype=kernel.dtype)
    for start in range(0, shape.vocabulary, 1024):  # whole it would be the peak of our memory
        part = slice(start, start + 1024)
        gained[part] = weight[part].float() * gain
    return make_linear(gained, None, kernel)


def _pairs_together(rows: torch.Tensor, head_dim: int) -> torch.Tensor:
    """Reorder each head's rows from (i, i + head_dim / 2) pairs to neighbours."""
    heads = rows.view(-1, 2, head_dim // 2, *rows.shape[1:])
    return heads.transpose(1, 2).reshape(rows.shape)
