"""The schedule and the float32 masters."""

from dataclasses import replace

import pytest
import torch

from trainer.config import ModelRecipe, OptimRecipe
from trainer.learner import Learner
from trainer.model import build
from trainer.optim import Updater, rate

OPTIM = OptimRecipe(warmup_steps=10, stable=0.4, floor=0.02)


def test_the_rate_warms_up_stays_and_cools_down():
    assert rate(0.0, 0, OPTIM) == pytest.approx(0.1)
    assert rate(0.1, 9, OPTIM) == 1.0
    assert rate(0.4, 500, OPTIM) == 1.0
    assert rate(0.7, 500, OPTIM) == pytest.approx(0.51)
    assert rate(1.0, 500, OPTIM) == pytest.approx(0.02)
    assert rate(1.3, 500, OPTIM) == pytest.approx(0.02)


def small_model(dtype):
    torch.manual_seed(0)
    recipe = ModelRecipe(vocabulary=64, hidden=16, layers=1, heads=1, head_dim=16, intermediate=32)
    return build(recipe).to(dtype)


def one_step(model, recipe, share):
    updater = Updater(model, recipe)
    tokens = torch.arange(32).reshape(2, 16)
    Learner(model, chunk=16)(tokens, tokens).backward()
    updater.collect()
    norm = updater.norm()
    updater.step(share, norm)
    return updater, norm


def test_updates_too_small_for_bfloat16_are_not_lost():
    model = small_model(torch.bfloat16)
    before = model.head.clone()
    updater, _ = one_step(model, OPTIM, 1e-5)

    master = updater.masters["embed.weight"]
    assert torch.equal(model.head, before)
    assert not torch.equal(master, before.float())


def test_clipping_bounds_the_gradients_norm():
    one = small_model(torch.float32)
    _, norm = one_step(one, OPTIM, 0.0)
    other = small_model(torch.float32)
    updater = Updater(other, replace(OPTIM, clip=norm / 4))
    tokens = torch.arange(32).reshape(2, 16)
    Learner(other, chunk=16)(tokens, tokens).backward()
    updater.collect()
    grads = [master.grad for master in updater.masters.values()]
    updater.step(0.0, norm)

    total = torch.linalg.vector_norm(torch.stack([each.norm() for each in grads]))
    assert float(total) == pytest.approx(norm / 4, rel=1e-3)


def test_a_restored_updater_uses_the_recipes_numbers():
    model = small_model(torch.float32)
    updater, _ = one_step(model, OPTIM, 1.0)
    other = Updater(small_model(torch.float32), replace(OPTIM, matrix_decay=0.5))
    other.restore(updater.state())

    assert other.muon.decay == 0.5
    assert torch.equal(other.masters["embed.weight"], updater.masters["embed.weight"])


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_a_restored_updater_takes_the_same_next_step(kind):
    recipe = replace(OPTIM, kind=kind)
    model = small_model(torch.float32)
    updater, _ = one_step(model, recipe, 1.0)
    other = Updater(small_model(torch.float32), recipe)
    other.restore(updater.state())
    for each in (updater, other):
        for master in each.masters.values():
            master.grad = torch.full_like(master, 0.1)
        each.step(1.0, each.norm())

    assert all(torch.equal(updater.masters[n], other.masters[n]) for n in updater.masters)


def test_adamw_alone_moves_everything_and_decays_matrices_only():
    updater = Updater(small_model(torch.float32), replace(OPTIM, kind="adamw"))
    decays = {
        name: group["weight_decay"]
        for group in updater.adamw.param_groups
        for name, master in updater.masters.items()
        if any(master is each for each in group["params"])
    }

    assert updater.muon is None
    assert decays.keys() == updater.masters.keys()
    assert decays["blocks.0.qkv.weight"] == 0.1
    assert decays["norm.weight"] == 0.0


def test_a_state_of_another_model_is_refused():
    updater = Updater(small_model(torch.float32), OPTIM)
    state = updater.state()
    del state["momentum/blocks.0.qkv.weight"]

    with pytest.raises(ValueError, match=r"momentum of blocks\.0\.qkv"):
        updater.restore(state)


def test_the_cosine_falls_from_one_to_the_floor():
    cosine = replace(OPTIM, schedule="cosine", warmup_steps=0, floor=0.1)

    assert [rate(each, 9, cosine) for each in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.55, 0.1])


def test_a_process_that_saves_nothing_keeps_nothing():
    model = torch.nn.Linear(4, 4)
    updater = Updater(model, OPTIM)

    kept, dropped = updater.state(), updater.state(keep=False)

    assert kept.keys() == dropped.keys()
    assert sum(each.numel() for each in dropped.values()) == 0
