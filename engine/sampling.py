"""Scores to tokens; pure functions of tensors."""

from collections.abc import Collection, Sequence

import torch


def greedy(
    logits: torch.Tensor, allowed: Sequence[int] = (), forbidden: Collection[int] = ()
) -> int:
    """The best-scored token of [vocabulary]; the least id among equals.

    Where `allowed` is given only those count, and none that is forbidden ever does. With nothing
    left to choose from the result is a forbidden token.
    """
    if not (allowed or forbidden):
        return int(logits.argmax())
    scores = torch.full_like(logits, -torch.inf) if allowed else logits.clone()
    if allowed:
        chosen = list(allowed)
        scores[chosen] = logits[chosen]
    if forbidden:
        scores[list(forbidden)] = -torch.inf
    return int(scores.argmax())
