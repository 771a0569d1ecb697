"""Attention for one sequence, given to transformers: no key is copied for each head, none unseen is read."""

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 -- its usual name
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

NAME = "footnote"

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

    The mask is true where a key is seen; without one, all are.
    """
    if query.shape[0] != 1 or any(others.get(each) is not None for each in _UNKNOWN):
        raise ValueError(f"{type(module).__name__} needs more than this attention has")
    _, heads, n, dim = query.shape
    kv = key.shape[1]
    scale = dim**-0.5 if scaling is None else scaling
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
    """transformers' own, always spelled out for several queries: cached keys stand before them."""
    others["allow_is_causal_skip"] = q_length == 1 and others.get("allow_is_causal_skip", True)
    mask: torch.Tensor | None = sdpa_mask(q_length=q_length, **others)
    return mask
