"""Scores to tokens; pure functions of tensors."""

from collections.abc import Collection, Sequence

import torch


def certainty(logits: torch.Tensor, token: int, allowed: Sequence[int] = ()) -> tuple[float, float]:
    """How sure the model is of a token of [vocabulary]: its log-probability and the entropy, nats.

    Both are among `allowed` where that is given: what is known to come is no merit of the model's.
    """
    scores = (logits[list(allowed)] if allowed else logits).float()
    log_total = scores.logsumexp(0)
    spread = torch.special.entr((scores - log_total).exp()).sum()
    return float(logits[token].float() - log_total), float(spread)


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
