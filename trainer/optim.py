"""Who updates which weight and how fast: Muon for the blocks, AdamW for the rest, one schedule."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from trainer.config import OptimRecipe


def rate(progress: float, step: int, recipe: OptimRecipe) -> float:
    """The share of the full learning rate: warm-up by steps, stable, then linear to the floor.

    `progress` is the share of the budget that is used up, in time or in steps.
    """
    warm = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
    if progress <= recipe.stable:
        return warm
    left = max(0.0, 1.0 - progress) / (1.0 - recipe.stable) if recipe.stable < 1 else 0.0
    return warm * (recipe.floor + (1.0 - recipe.floor) * left)


class Updater:
    """Float32 masters of a model's weights and the optimisers that move them.

    A bfloat16 model gets its weights from the masters after each step: its own sums would lose
    small updates. A float32 model is its own master.
    """

    def __init__(self, model: nn.Module, recipe: OptimRecipe) -> None:
        self.recipe = recipe
        self.weights = dict(model.named_parameters())
        self.masters = {
            name: weight if weight.dtype == torch.float32 else nn.Parameter(weight.detach().float())
            for name, weight in self.weights.items()
        }
        matrices = [w for name, w in self.masters.items() if w.ndim == 2 and "layers." in name]
        norms = [w for w in self.masters.values() if w.ndim < 2]
        rest = [w for name, w in self.masters.items() if w.ndim == 2 and "layers." not in name]
        self.optimizers: list[tuple[torch.optim.Optimizer, list[float]]] = [
            (
                torch.optim.Muon(
                    matrices,
                    lr=recipe.matrix_lr,
                    momentum=recipe.matrix_momentum,
                    weight_decay=recipe.matrix_decay,
                    adjust_lr_fn="original",
                ),
                [recipe.matrix_lr],
            ),
            (
                torch.optim.AdamW(
                    [
                        {"params": rest, "lr": recipe.embedding_lr},
                        {"params": norms, "lr": recipe.norm_lr},
                    ],
                    betas=(recipe.beta1, recipe.beta2),
                    eps=recipe.eps,
                    weight_decay=0.0,
                    fused=True,
                ),
                [recipe.embedding_lr, recipe.norm_lr],
            ),
        ]

    def step(self, share: float) -> float:
        """Move the masters by the gradients at `share` of the full rates; the gradient norm."""
        for name, weight in self.weights.items():
            if self.masters[name] is not weight and weight.grad is not None:
                self.masters[name].grad = weight.grad.float()
                weight.grad = None
        norm = _norm(self.masters.values())
        if self.recipe.clip and norm > self.recipe.clip:
            for master in self.masters.values():
                if master.grad is not None:
                    master.grad.mul_(self.recipe.clip / norm)
        for optimizer, full in self.optimizers:
            for group, lr in zip(optimizer.param_groups, full, strict=True):
                group["lr"] = lr * share
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.publish()
        return norm

    @torch.no_grad()
    def publish(self) -> None:
        """Copy the masters into the model."""
        for name, weight in self.weights.items():
            if self.masters[name] is not weight:
                weight.copy_(self.masters[name])

    def state(self) -> dict[str, Any]:
        return {
            "masters": {name: master.detach() for name, master in self.masters.items()},
            "optimizers": [optimizer.state_dict() for optimizer, _ in self.optimizers],
        }

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        for name, master in self.masters.items():
            master.copy_(state["masters"][name])
        for (optimizer, _), saved in zip(self.optimizers, state["optimizers"], strict=True):
            numbers = [
                {key: value for key, value in group.items() if key != "params"}
                for group in optimizer.param_groups
            ]
            optimizer.load_state_dict(saved)
            for group, ours in zip(optimizer.param_groups, numbers, strict=True):
                group.update(ours)  # the recipe's, not those of the sitting that saved
        self.publish()


def _norm(weights: Iterable[Tensor]) -> float:
    grads = [weight.grad for weight in weights if weight.grad is not None]
    return float(torch.nn.utils.get_total_norm(grads))
