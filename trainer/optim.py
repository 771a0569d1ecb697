"""Who updates which weight and how fast: Muon or AdamW for the blocks, AdamW for the rest."""

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from trainer.config import OptimRecipe
from trainer.muon import Muon
from trainer.sharding import fill, gathered, whole

_ADAM = ("exp_avg", "exp_avg_sq", "step")


def rate(progress: float, step: int, recipe: OptimRecipe) -> float:
    """The share of the full learning rate: warm-up by steps, then by the schedule to the floor.

    `progress` is the share of the budget that is used up, in time or in steps. "wsd" is stable,
    then linear (MiniCPM, arXiv 2404.06395); "cosine" is StarCoder's.
    """
    warm = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
    progress = min(1.0, progress)
    if recipe.schedule == "cosine":
        left = 0.5 * (1.0 + math.cos(math.pi * progress))
    elif progress <= recipe.stable:
        return warm
    else:
        left = (1.0 - progress) / (1.0 - recipe.stable) if recipe.stable < 1 else 0.0
    return warm * (recipe.floor + (1.0 - recipe.floor) * left)


class Updater:
    """Float32 masters of a model's weights and the optimisers that move them.

    A bfloat16 model gets its weights from the masters after each step: its own sums would lose
    small updates. A float32 model is its own master, and so are the shards of FSDP. State is kept
    by the names of the weights, whole: it can go on with any number of processes.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: OptimRecipe,
        rows: Callable[[str], tuple[int, ...]] = lambda _: (),
    ) -> None:
        """Only weights that want a gradient are moved. `rows` tells the parts of fused matrices."""
        self.recipe = recipe
        self.weights = {n: w for n, w in model.named_parameters() if w.requires_grad}
        self.masters: dict[str, Tensor] = {
            name: weight if weight.dtype == torch.float32 else nn.Parameter(weight.detach().float())
            for name, weight in self.weights.items()
        }
        inside = {n: w for n, w in self.masters.items() if w.ndim == 2 and _in_block(n)}
        outside = [w for n, w in self.masters.items() if w.ndim == 2 and not _in_block(n)]
        groups = [
            _group(outside, recipe.embedding_lr, recipe.embedding_decay),
            _group((w for w in self.masters.values() if w.ndim < 2), recipe.norm_lr, 0.0),
        ]
        self.muon: Muon | None = None
        if recipe.kind == "muon":
            self.muon = Muon(
                inside,
                {name: rows(name) for name in inside},
                momentum=recipe.matrix_momentum,
                decay=recipe.matrix_decay,
            )
        else:
            groups.append(_group(inside.values(), recipe.adamw_lr, recipe.adamw_decay))
        groups = [group for group in groups if group["params"]]
        self.adamw = torch.optim.AdamW(
            groups,
            betas=(recipe.beta1, recipe.beta2),
            eps=recipe.eps,
            fused=True,
        ) if groups else None  # fmt: skip

    def collect(self) -> None:
        """Add the gradients of a backward pass to the masters': sums in bfloat16 lose bits."""
        for name, weight in self.weights.items():
            master = self.masters[name]
            if master is weight or weight.grad is None:
                continue
            if master.grad is None:
                master.grad = weight.grad.float()
            else:
                master.grad += weight.grad
            weight.grad = None

    def norm(self) -> float:
        """The norm of all gradients that were collected."""
        grads = [each.grad for each in self.masters.values() if each.grad is not None]
        return float(whole(torch.nn.utils.get_total_norm(grads)))

    @torch.no_grad()
    def step(self, share: float, norm: float) -> None:
        """Move the masters by the collected gradients, of that norm, at `share` of the full rates."""
        if self.recipe.clip and norm > self.recipe.clip:
            for master in self.masters.values():
                if master.grad is not None:
                    master.grad.mul_(self.recipe.clip / norm)
        if self.muon:
            self.muon.step(self.recipe.matrix_lr * share)
        if self.adamw:
            for group in self.adamw.param_groups:
                group["lr"] = group["full_lr"] * share
            self.adamw.step()
        for master in self.masters.values():
            master.grad = None
        self.publish()

    @torch.no_grad()
    def publish(self) -> None:
        """Copy the masters into the model."""
        for name, weight in self.weights.items():
            if self.masters[name] is not weight:
                weight.copy_(self.masters[name])

    def state(self, *, keep: bool = True) -> dict[str, Tensor]:
        """Masters and optimiser states by name, whole and on the CPU where `keep`, else empty.

        All processes must call it.
        """
        out: dict[str, Tensor] = {}
        for name, master in self.masters.items():
            for kind, tensor in {"master": master, **self._states(name, master)}.items():
                out[f"{kind}/{name}"] = gathered(tensor, keep=keep)
        return out

    def _states(self, name: str, master: Tensor) -> dict[str, Tensor]:
        if self.muon and name in self.muon.momentum:
            return {"momentum": self.muon.momentum[name]}
        held = self.adamw.state.get(master, {}) if self.adamw else {}
        return {key: held[key] for key in _ADAM if key in held}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave; ValueError when it is of another model or optimiser."""
        for name, master in self.masters.items():
            if f"master/{name}" not in state:
                raise ValueError(f"the checkpoint has no weight {name}")
            fill(master, state[f"master/{name}"])
            if self.muon and name in self.muon.momentum:
                if f"momentum/{name}" not in state:
                    raise ValueError(f"the checkpoint has no momentum of {name}")
                fill(self.muon.momentum[name], state[f"momentum/{name}"])
            elif self.adamw and f"exp_avg/{name}" in state:
                held = self.adamw.state[master]
                for key in ("exp_avg", "exp_avg_sq"):
                    held[key] = torch.zeros_like(master)
                    fill(held[key], state[f"{key}/{name}"])
                held["step"] = state[f"step/{name}"].clone().to(master.device)
        self.publish()


def _in_block(name: str) -> bool:
    return ".blocks." in f".{name}" or ".transformer.h." in name


def _group(weights: Iterable[Tensor], lr: float, decay: float) -> dict[str, object]:
    return {"params": list(weights), "lr": lr, "full_lr": lr, "weight_decay": decay}
