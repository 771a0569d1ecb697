"""Scores to tokens; pure functions of tensors."""

from collections.abc import Collection, Sequence

import torch


def greedy(logits: torch.Tensor, forbidden: Collection[int] = ()) -> int:
    """The best-scored token of [vocabulary] that is not forbidden; the least id among equals."""
    if forbidden:
        logits = logits.clone()
        logits[list(forbidden)] = -torch.inf
    return int(logits.argmax())


def beginnings(pieces: Sequence[str], texts: Collection[str]) -> frozenset[int]:
    """Tokens that a text could begin with, however it is split: forbid them and it cannot come.

    `pieces` is the text of every token. Empty pieces (special tokens) begin nothing.
    """
    return frozenset(
        token
        for token, piece in enumerate(pieces)
        for text in texts
        if piece and text and (text.startswith(piece) or piece.startswith(text))
    )
