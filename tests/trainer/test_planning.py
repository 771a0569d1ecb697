"""What is said before a run is what the run turns out to be."""

import pytest
import torch

from trainer.config import RECIPES, load_recipe
from trainer.hardware import HARDWARE, peak
from trainer.model import build
from trainer.planning import cards_needed, describe, flops_per_token, memory, parameters

NAMES = sorted(each.stem for each in RECIPES.glob("*.toml"))
PUBLISHED = {"starcoder-1b": 1.1e9, "starcoder-3b": 3.0e9, "starcoder-7b": 7.3e9, "starcoder-15b": 15.5e9}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_built_and_counted_without_memory(name):
    recipe = load_recipe(name)
    network = build(recipe.model, device="meta")
    counted = sum(each.numel() for each in dict(network.named_parameters()).values())

    assert parameters(recipe.model) == counted
    assert describe(recipe).startswith(f"recipe {name}: ")


@pytest.mark.parametrize(("name", "count"), PUBLISHED.items())
def test_starcoders_sizes_are_the_published_ones(name, count):
    recipe = load_recipe(name)

    assert parameters(recipe.model) == pytest.approx(count, rel=0.04)
    assert recipe.run.steps * recipe.data.rows * recipe.data.context == pytest.approx(
        1.05e12, rel=0.01
    )


def test_flops_are_those_of_a_counted_run():
    """A forward pass, counted by torch product by product, thrice: the backward pass is two more.

    Torch does not count the CPU's attention, so its term is left out on our side too.
    """
    from torch.utils.flop_counter import FlopCounterMode

    model = load_recipe("tiny").model
    network, context = build(model), 128
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        hidden = network.hidden(torch.zeros(1, context, dtype=torch.long))
        hidden @ network.head.T
    attention = 6 * model.layers * model.heads * model.head_dim * context

    assert flops_per_token(model, context) - attention == pytest.approx(
        3 * counter.get_total_flops() / context, rel=0.01
    )


def test_sharding_divides_what_is_kept():
    recipe = load_recipe("starcoder-15b")
    one, many = memory(recipe, 1), memory(recipe, 64)

    assert many.states == pytest.approx(one.states / 64)
    assert many.total < one.total / 10
    assert cards_needed(recipe, HARDWARE[1]) > 1


def test_a_machine_without_a_table_row_is_measured():
    rate, whose = peak(torch.device("cpu"))

    assert rate > 1e8
    assert "measured" in whose
