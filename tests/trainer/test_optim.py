"""The schedule and the float32 masters."""

from dataclasses import replace

import pytest
import torch

from trainer.config import ModelRecipe, OptimRecipe
from trainer.learner import Learner, build
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
    return updater, updater.step(share)


def test_updates_too_small_for_bfloat16_are_not_lost():
    model = small_model(torch.bfloat16)
    before = model.get_input_embeddings().weight.clone()
    updater, _ = one_step(model, OPTIM, 1e-5)

    master = updater.masters["model.embed_tokens.weight"]
    assert torch.equal(model.get_input_embeddings().weight, before)
    assert not torch.equal(master, before.float())


def test_clipping_bounds_the_gradients_norm():
    one = small_model(torch.float32)
    _, norm = one_step(one, OPTIM, 0.0)
    other = small_model(torch.float32)
    updater = Updater(other, replace(OPTIM, clip=norm / 4))
    tokens = torch.arange(32).reshape(2, 16)
    Learner(other, chunk=16)(tokens, tokens).backward()
    seen = {}
    for optimizer, _ in updater.optimizers:
        optimizer.register_step_pre_hook(
            lambda opt, *_: seen.update(
                {id(w): w.grad.clone() for g in opt.param_groups for w in g["params"]}
            )
        )
    updater.step(0.0)

    total = torch.linalg.vector_norm(torch.stack([g.norm() for g in seen.values()]))
    assert float(total) == pytest.approx(norm / 4, rel=1e-3)


def test_a_restored_updater_uses_the_recipes_numbers():
    model = small_model(torch.float32)
    updater, _ = one_step(model, OPTIM, 1.0)
    other = Updater(small_model(torch.float32), replace(OPTIM, matrix_decay=0.5))
    other.restore(updater.state())

    assert other.optimizers[0][0].param_groups[0]["weight_decay"] == 0.5
    assert torch.equal(
        other.masters["model.embed_tokens.weight"], updater.masters["model.embed_tokens.weight"]
    )
