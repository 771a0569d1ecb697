"""Low-rank adapters (LoRA, Hu et al. 2021): a few weights beside the frozen ones, merged at the end."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.model import Network

_SCALE = 2.0  # alpha / rank: the usual two
_BASE, _DOWN, _UP = ".base.weight", ".down_adapter", ".up_adapter"


class Adapted(nn.Module):
    """A frozen product and a trained one through `rank` numbers, which starts at nothing."""

    def __init__(self, base: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base
        device, dtype = base.weight.device, base.weight.dtype
        start = torch.randn(rank, base.in_features, generator=generator) / base.in_features**0.5
        self.down_adapter = nn.Parameter(start.to(device, dtype))
        self.up_adapter = nn.Parameter(
            torch.zeros(base.out_features, rank, device=device, dtype=dtype)
        )

    def forward(self, states: Tensor) -> Tensor:
        inner = functional.linear(states, self.down_adapter)
        out: Tensor = self.base(states) + _SCALE * functional.linear(inner, self.up_adapter)
        return out


def adapt(network: Network, rank: int, *, seed: int) -> None:
    """Freeze the network and put an adapter beside every product of its blocks, in place."""
    network.requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(seed)
    for block in network.blocks:
        for parent in list(block.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(parent, name, Adapted(child, rank, generator))


def merged(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the names of the plain network, adapters added into what they stood beside."""
    out: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if name.endswith((_DOWN, _UP)):
            continue
        if not name.endswith(".base.weight"):
            out[name.replace(".base.", ".")] = weight
            continue
        stem = name.removesuffix(_BASE)
        step = weights[stem + _UP].float() @ weights[stem + _DOWN].float()
        out[f"{stem}.weight"] = (weight.float() + _SCALE * step).to(weight.dtype)
    return out
