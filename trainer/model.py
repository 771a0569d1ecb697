"""The networks that learn: a Llama with fused projections, and StarCoder's GPTBigCode."""

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from trainer.config import ModelRecipe
from trainer.conversion import big_code_config
from trainer.sharding import fill

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


class Llama(nn.Module):
    """Transformers' LlamaForCausalLM with one key/value head, as few and as large products.

    Queries, keys and values come of one matrix, gate and up of another. Names and rows are put
    apart again by `trainer.conversion`, which transformers' own class loads.
    """

    def __init__(self, recipe: ModelRecipe, attend: Attend) -> None:
        super().__init__()
        self.embed = nn.Embedding(recipe.vocabulary, recipe.hidden)
        self.blocks = nn.ModuleList(Block(recipe, attend) for _ in range(recipe.layers))
        self.norm = nn.RMSNorm(recipe.hidden, recipe.norm_eps)
        self.recompute = False
        self._recipe = recipe
        self._turns: dict[tuple[int, torch.device], tuple[Tensor, Tensor]] = {}

    @property
    def head(self) -> Tensor:
        """[vocabulary, hidden]: the embedding, tied."""
        return self.embed.weight

    def hidden(self, tokens: Tensor) -> Tensor:
        """Tokens [rows, context] to hidden states [rows, context, hidden] behind the last norm."""
        states = self.embed(tokens)
        cos, sin = self._angles(tokens.shape[1], tokens.device)
        for block in self.blocks:
            if self.recompute and self.training:
                states = checkpoint(block, states, cos, sin, use_reentrant=False)
            else:
                states = block(states, cos, sin)
        normed: Tensor = self.norm(states)
        return normed

    def _angles(self, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Cosine and sine of every position, [length, head_dim / 2], float32: they need all bits."""
        key = (length, device)
        if key not in self._turns:
            dim, base = self._recipe.head_dim, self._recipe.rope_theta
            speed = 1.0 / base ** (torch.arange(0, dim, 2, device=device).float() / dim)
            turn = torch.outer(torch.arange(length, device=device).float(), speed)
            self._turns = {key: (turn.cos(), turn.sin())}
        return self._turns[key]


class Block(nn.Module):
    """Attention, then a gated feed-forward; each adds to the residual stream."""

    def __init__(self, recipe: ModelRecipe, attend: Attend) -> None:
        super().__init__()
        hidden, wide = recipe.hidden, recipe.heads * recipe.head_dim
        self.heads, self.head_dim, self.attend = recipe.heads, recipe.head_dim, attend
        self.attention_norm = nn.RMSNorm(hidden, recipe.norm_eps)
        self.qkv = nn.Linear(hidden, wide + 2 * recipe.head_dim, bias=False)
        self.out = nn.Linear(wide, hidden, bias=False)
        self.feed_norm = nn.RMSNorm(hidden, recipe.norm_eps)
        self.gate_up = nn.Linear(hidden, 2 * recipe.intermediate, bias=False)
        self.down = nn.Linear(recipe.intermediate, hidden, bias=False)

    def forward(self, states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        rows, length, _ = states.shape
        qkv = self.qkv(self.attention_norm(states))
        split = qkv.view(rows, length, self.heads + 2, self.head_dim).transpose(1, 2)
        turned = rotate(split[:, : self.heads + 1], cos, sin)  # queries and the key
        seen = self.attend(turned[:, : self.heads], turned[:, self.heads :], split[:, -1:])
        states = states + self.out(seen.transpose(1, 2).reshape(rows, length, -1))
        gate, up = self.gate_up(self.feed_norm(states)).chunk(2, dim=-1)
        fed: Tensor = states + self.down(functional.silu(gate) * up)
        return fed


def rotate(vectors: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021), halves paired as in transformers: [rows, heads, length, dim]."""
    first, second = vectors.float().chunk(2, dim=-1)
    turned = torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
    return turned.to(vectors.dtype)


def attention(choice: str, device: torch.device, dtype: torch.dtype) -> Attend:
    """Causal attention of many query heads over one key/value head.

    `choice` is "sdpa", "cudnn" or "flash" (flash-attn; both CUDA and bfloat16 only) or "auto": flash
    where it is installed, products of our own on a CPU. ValueError when what is asked for cannot be
    had.
    """
    fits = device.type == "cuda" and dtype == torch.bfloat16
    if choice in ("flash", "cudnn") and not fits:
        raise ValueError(f"run.attention = {choice} needs CUDA and bfloat16: say sdpa or auto")
    if choice == "cudnn":
        return _cudnn
    if choice != "sdpa" and fits:
        try:
            from flash_attn import flash_attn_func
        except ImportError:
            if choice == "flash":
                raise ValueError(
                    "run.attention = flash needs flash-attn: pip install 'footnote[gpu]'"
                ) from None
        else:
            return _flash(flash_attn_func)
    if device.type == "cuda":
        return _sdpa_grouped
    return _in_products if choice == "auto" and device.type == "cpu" else _sdpa_expanded


_QUERIES = 256  # positions at a time: a matrix product is large enough, and little of it is masked
_LONGEST = 2048  # beyond, what the backward pass needs of the probabilities takes too much memory


def _in_products(queries: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention as plain matrix products: all heads share a key, so they are rows of one product.

    On a CPU these run at the rate of any large product; torch's own kernel has half of it. The
    products end where the block of queries does, which leaves out most of what is not seen.
    """
    rows, heads, length, dim = queries.shape
    if length > _LONGEST:
        return _sdpa_expanded(queries, key, value)
    key, value, parts = key[:, 0], value[:, 0], []
    for start in range(0, length, _QUERIES):
        end = min(length, start + _QUERIES)
        asked = queries[:, :, start:end].reshape(rows, heads * (end - start), dim)
        scores = torch.bmm(asked, key[:, :end].mT).view(rows, heads, end - start, end)
        later = torch.ones(end - start, end, dtype=torch.bool, device=queries.device).triu(
            start + 1
        )
        seen = (scores.float() * dim**-0.5).masked_fill(later, -torch.inf).softmax(-1)
        part = torch.bmm(
            seen.to(value.dtype).view(rows, heads * (end - start), end), value[:, :end]
        )
        parts.append(part.view(rows, heads, end - start, dim))
    return torch.cat(parts, dim=2)


def _sdpa_grouped(queries: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(
        queries, key, value, is_causal=True, enable_gqa=True
    )


def _sdpa_expanded(queries: Tensor, key: Tensor, value: Tensor) -> Tensor:
    # The CPU's kernel reads a head of stride 0 as it is; grouping would copy it.
    wide = queries.shape[1]
    return functional.scaled_dot_product_attention(
        queries, key.expand(-1, wide, -1, -1), value.expand(-1, wide, -1, -1), is_causal=True
    )


def _cudnn(queries: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Torch's way to cuDNN's kernel; it refuses what that kernel cannot do."""
    with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
        return _sdpa_expanded(queries, key, value)


def _flash(kernel: Any) -> Attend:
    def attend(queries: Tensor, key: Tensor, value: Tensor) -> Tensor:
        seen: Tensor = kernel(
            *(each.transpose(1, 2) for each in (queries, key, value)), causal=True
        )
        return seen.transpose(1, 2)

    return attend


class BigCode(nn.Module):
    """Transformers' GPTBigCodeForCausalLM: StarCoder's learned positions, biases and dropout."""

    def __init__(self, recipe: ModelRecipe) -> None:
        super().__init__()
        from transformers import GPTBigCodeForCausalLM

        self.inner: Any = GPTBigCodeForCausalLM(big_code_config(recipe))
        self.recompute = self._recomputes = False

    @property
    def blocks(self) -> nn.ModuleList:
        blocks: nn.ModuleList = self.inner.transformer.h
        return blocks

    @property
    def head(self) -> Tensor:
        weight: Tensor = self.inner.lm_head.weight
        return weight

    def hidden(self, tokens: Tensor) -> Tensor:
        """Tokens [rows, context] to hidden states [rows, context, hidden] behind the last norm."""
        if self.recompute and self.training and not self._recomputes:
            name = "activation_checkpointing_enable"  # since transformers 5.2x
            enable = getattr(self.inner, name, None) or self.inner.gradient_checkpointing_enable
            enable({"use_reentrant": False})
            self._recomputes = True
        states: Tensor = self.inner.transformer(input_ids=tokens, use_cache=False)[0]
        return states


Network = Llama | BigCode


def build(
    recipe: ModelRecipe, attend: Attend = _sdpa_expanded, *, device: str = "cpu", seed: int = 0
) -> Network:
    """The network in float32, initialised; on "meta" without memory, for `initialise` later."""
    with torch.device(device):
        network = Llama(recipe, attend) if recipe.family == "llama" else BigCode(recipe)
    if device != "meta":
        initialise(network, recipe, seed=seed)
    return network


@torch.no_grad()
def initialise(network: Network, recipe: ModelRecipe, *, seed: int) -> None:
    """Fill the weights, each from a generator of its own: sharded or whole, they are the same.

    The projections of a Llama that write into the residual stream start at zero, so that every
    block starts as the identity; StarCoder's start at init_std / sqrt(2 x layers), as Megatron's.
    """
    last = ("out.weight", "down.weight", "attn.c_proj.weight", "mlp.c_proj.weight")
    deep = 0.0 if recipe.family == "llama" else recipe.init_std / (2 * recipe.layers) ** 0.5
    for name, weight in network.named_parameters():
        if weight.ndim < 2:
            nn.init.constant_(weight, 0.0 if name.endswith("bias") else 1.0)
            continue
        digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:6], "big"))
        std = deep if name.endswith(last) else recipe.init_std
        fill(weight, torch.randn(weight.shape, generator=generator) * std)
