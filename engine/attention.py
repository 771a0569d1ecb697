"""Attention for one sequence, given to transformers: no key is copied for each head, none unseen is read."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 -- its usual name
from torch.nn.attention.bias import causal_lower_right
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import causal_mask_function, sdpa_mask

from engine.devices import CPU, CUDA

NAME = "footnote"

_HALF = (torch.bfloat16, torch.float16)
_QUERIES = 128  # at a time: those behind them are not seen by any of these
# What some models add to scores, and we do not: transformers' own attention does.
_UNKNOWN = ("softcap", "s_aux", "position_bias")


def register() -> None:
    """Let models be told to use it, by its name."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _mask)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Of [1, heads, n, head_dim] and [1, kv_heads, keys, head_dim]; returns [1, n, heads, head_dim].

    The mask is true where a key is seen. Without one, all that do not stand behind the query are:
    the queries are the last of the keys' places.
    """
    if query.shape[0] != 1 or any(others.get(each) is not None for each in _UNKNOWN):
        raise ValueError(f"{type(module).__name__} needs more than this attention has")
    _, heads, n, dim = query.shape
    kv = key.shape[1]
    scale = dim**-0.5 if scaling is None else scaling
    if n > 1 and attention_mask is None:
        return _causal(query, key, value, scale), None
    # The heads that share a key are rows of one product.
    if n == 1:
        seen = F.scaled_dot_product_attention(
            query.reshape(1, kv, -1, dim), key, value, attn_mask=attention_mask, scale=scale
        )
        return seen.reshape(1, 1, heads, -1), None
    grouped = query.reshape(kv, -1, n, dim)
    parts = []
    for start in range(0, n, _QUERIES):
        end = min(n, start + _QUERIES)
        last = key.shape[2] - n + end
        mask = None if attention_mask is None else attention_mask[0, 0, start:end, :last]
        parts.append(
            _part(grouped[:, :, start:end], key[0, :, :last], value[0, :, :last], mask, scale)
        )
    seen = parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)
    return seen.reshape(1, heads, n, -1).transpose(1, 2), None


def _causal(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
) -> torch.Tensor:
    """By flash-attn where it is installed, by torch's own flash kernel elsewhere."""
    flash = _flash_attn() if query.dtype in _HALF and query.device.type == CUDA else None
    if flash is not None:
        placed = (each.transpose(1, 2) for each in (query, key, value))
        seen: torch.Tensor = flash(*placed, softmax_scale=scale, causal=True)
        return seen
    group = query.shape[1] // key.shape[1]
    seen = F.scaled_dot_product_attention(
        query,
        key.repeat_interleave(group, 1),
        value.repeat_interleave(group, 1),
        attn_mask=causal_lower_right(query.shape[2], key.shape[2]),  # type: ignore[arg-type, unused-ignore]
        scale=scale,
    )
    return seen.transpose(1, 2)


@cache
def _flash_attn() -> Callable[..., torch.Tensor] | None:
    """Its function where it is installed and can be loaded."""
    try:
        from flash_attn import flash_attn_func
    except (ImportError, OSError):
        return None
    found: Callable[..., torch.Tensor] = flash_attn_func
    return found


def _part(
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
) -> torch.Tensor:
    """Of [kv_heads, group, n, head_dim] and [kv_heads, keys, head_dim]: as the queries."""
    kv, group, n, dim = queries.shape
    if queries.dtype != torch.bfloat16 or queries.device.type != "cpu":
        wide = (kv, group, *keys.shape[1:])
        return F.scaled_dot_product_attention(
            queries,
            keys[:, None].expand(wide),
            values[:, None].expand(*wide[:-1], values.shape[-1]),
            attn_mask=mask,
            scale=scale,
        )
    # torch's own kernel took up to 1.8 times as long in bfloat16 (64 queries of 16 heads, 1,536 keys).
    rows = (queries * scale).reshape(kv, group * n, dim)
    scores = torch.bmm(rows, keys.transpose(1, 2)).view(kv, group, n, -1)
    if mask is not None:
        scores.masked_fill_(~mask, -math.inf)
    shares = torch.softmax(scores, -1).view(kv, group * n, -1)
    return torch.bmm(shares, values).view(kv, group, n, -1)


def _mask(*, q_length: int, **others: Any) -> torch.Tensor | None:
    """transformers' own, spelled out for several queries on a CPU: cached keys stand before them.

    A card's kernels know themselves what is merely causal.
    """
    if (
        torch.device(others.get("device", CPU)).type != CPU
        and q_length > 1
        and others.get("mask_function") is causal_mask_function
        and others.get("attention_mask") is None
        and isinstance(others.get("q_offset"), int)
        and others.get("kv_length") == others["q_offset"] + q_length
    ):
        return None
    others["allow_is_causal_skip"] = q_length == 1 and others.get("allow_is_causal_skip", True)
    mask: torch.Tensor | None = sdpa_mask(q_length=q_length, **others)
    return mask
