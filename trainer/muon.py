"""Muon (Jordan et al. 2024): the momentum of a matrix, orthogonalised, is its step."""

from collections.abc import Mapping

import torch
from torch import Tensor

from trainer.sharding import local, own_part, whole

# Coefficients of the quintic Newton-Schulz iteration: steepest at zero, singular values end near 1.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrices, about, of [count, rows, columns]; in bfloat16."""
    out = matrices.bfloat16()
    tall = out.shape[1] > out.shape[2]
    if tall:
        out = out.mT
    out = out / out.flatten(1).norm(dim=1)[:, None, None].clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        gram = out @ out.mT
        out = torch.baddbmm(out, torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C), out, beta=_A)
    return out.mT if tall else out


class Muon:
    """Moves matrices in place; the parts of fused ones are orthogonalised each for itself.

    Parts of equal shape, over all layers, go through the iteration as one batch. A sharded matrix
    is gathered for it, and each process keeps its own rows of the result.
    """

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        rows: Mapping[str, tuple[int, ...]],
        *,
        momentum: float,
        decay: float,
    ) -> None:
        """`rows` gives the rows of each part of a fused matrix, or nothing."""
        self.weights, self.rows = dict(weights), dict(rows)
        self.factor, self.decay = momentum, decay
        self.momentum = {name: torch.zeros_like(each) for name, each in self.weights.items()}

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One step by the gradients; the rate of a tall part grows with sqrt(rows / columns)."""
        moved: dict[str, list[Tensor]] = {}
        batches: dict[torch.Size, list[tuple[str, int, Tensor]]] = {}
        for name, weight in self.weights.items():
            if weight.grad is None:
                continue
            momentum = self.momentum[name].lerp_(weight.grad, 1 - self.factor)
            full = whole(weight.grad.lerp(momentum, self.factor))  # Nesterov's look ahead
            parts = torch.split(full, list(self.rows.get(name) or (len(full),)))
            moved[name] = list(parts)
            for number, part in enumerate(parts):
                batches.setdefault(part.shape, []).append((name, number, part))
        for shape, batch in batches.items():
            steps = orthogonal(torch.stack([part for _, _, part in batch]))
            scale = -lr * max(1.0, shape[0] / shape[1]) ** 0.5
            for (name, number, _), step in zip(batch, steps, strict=True):
                moved[name][number] = step * scale
        for name, steps_of in moved.items():
            weight = self.weights[name]
            mine = local(weight)
            mine.mul_(1 - lr * self.decay)
            mine.add_(own_part(torch.cat([part.to(mine.dtype) for part in steps_of]), weight))
