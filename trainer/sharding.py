"""A tensor that may lie in parts on several processes (FSDP2 shards rows): whole, and one's part."""

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


def whole(tensor: Tensor) -> Tensor:
    """All of it; every process must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gathered(tensor: Tensor, *, keep: bool) -> Tensor:
    """All of it on the CPU where `keep`, nothing elsewhere; every process must ask.

    What is saved goes through the memory of one process, not of every process of a machine.
    """
    full = whole(tensor.detach())
    return full.cpu() if keep else torch.empty(0, dtype=full.dtype)


def local(tensor: Tensor) -> Tensor:
    """What this process holds, sharing memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def own_part(full: Tensor, like: Tensor) -> Tensor:
    """What this process holds of `full` where `like` is sharded by rows, else all of it."""
    if not isinstance(like, DTensor):
        return full
    rank, count = like.device_mesh.get_local_rank(), like.device_mesh.size()
    parts = full.chunk(count)
    return parts[rank] if rank < len(parts) else full[:0]


@torch.no_grad()
def fill(target: Tensor, full: Tensor) -> None:
    """Copy `full` into what this process holds of `target`; ValueError when the shapes differ."""
    if target.shape != full.shape:
        raise ValueError(f"a weight is {tuple(target.shape)}, the checkpoint's {tuple(full.shape)}")
    mine = local(target)
    mine.copy_(own_part(full, target).to(mine.device))
