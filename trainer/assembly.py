"""Puts a run's network together: built, filled, lowered or sharded, compiled, and what moves it."""

from functools import partial

import torch

from trainer.adapters import adapt
from trainer.config import Recipe
from trainer.conversion import rows_of
from trainer.learner import Learner, lower
from trainer.model import attention, build, initialise
from trainer.optim import Updater
from trainer.runs import Run
from trainer.starting import start_weights


def assemble(run: Run, device: torch.device) -> tuple[Learner, Updater]:
    """The learner on its device and the updater of its weights.

    Without sharding the weights are stored as the recipe's dtype, each process whole. With it
    (FSDP2) every process holds its rows of the float32 weights, block by block; that must be done
    by all processes. ValueError when the weights to start from do not fit.
    """
    recipe = run.recipe
    dtype = getattr(torch, recipe.run.dtype)
    sharded = recipe.run.sharding == "full"
    attend = attention(recipe.run.attention, device, dtype)
    where = "meta" if sharded else "cpu"
    network = build(recipe.model, attend, device=where, seed=recipe.data.seed)
    if run.start and not sharded:
        start_weights(network, recipe.model, run.start)
    if run.rank:
        adapt(network, run.rank, seed=recipe.data.seed)
    network.recompute = recipe.run.recompute
    learner = Learner(network, chunk=recipe.run.head_chunk)
    if sharded:
        _shard(learner, dtype, device)
        initialise(network, recipe.model, seed=recipe.data.seed)
        if run.start:
            start_weights(network, recipe.model, run.start)
    else:
        learner.to(device)
        lower(learner, dtype)
    if recipe.run.compile:
        learner.compile_blocks()
    return learner, Updater(network, recipe.optim, partial(rows_of, recipe=recipe.model))


def _shard(learner: Learner, dtype: torch.dtype, device: torch.device) -> None:
    """Gather a block's weights as `dtype` while it works; reduce its gradients in float32."""
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    policy = MixedPrecisionPolicy(
        param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False
    )
    for block in learner.network.blocks:
        fully_shard(block, mp_policy=policy)
    fully_shard(learner, mp_policy=policy)
    learner.to_empty(device=device)


def check_processes(recipe: Recipe, count: int, rank: int) -> None:
    """Refuse what does not work on `count` processes. ValueError says what to change."""
    if recipe.run.sharding == "full" and rank:
        raise ValueError("adapters are small: leave run.sharding = none with --lora")
    if recipe.run.sharding == "full" and count == 1 and not torch.distributed.is_initialized():
        raise ValueError(
            "run.sharding = full is for several processes: give --processes, or start it by "
            "torchrun, or say --set run.sharding=none"
        )
