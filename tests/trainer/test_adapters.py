"""Adapters start at nothing, train alone, and merge into weights that say the same."""

import torch

from trainer.adapters import adapt, merged
from trainer.config import load_recipe
from trainer.model import build

RECIPE = load_recipe("tiny").model


def adapted(seed=1):
    network = build(RECIPE, seed=seed)
    adapt(network, 4, seed=seed)
    return network


def test_they_change_nothing_at_first_and_alone_want_gradients():
    tokens = torch.randint(0, 512, (2, 20))
    network = adapted()
    trained = {name for name, weight in network.named_parameters() if weight.requires_grad}

    torch.testing.assert_close(network.hidden(tokens), build(RECIPE, seed=1).hidden(tokens))
    assert len(trained) == 2 * 4 * RECIPE.layers
    assert all("adapter" in name for name in trained)


def test_merged_weights_say_what_the_adapted_network_says():
    tokens = torch.randint(0, 512, (2, 20))
    network = adapted()
    for name, weight in network.named_parameters():
        if "adapter" in name:
            weight.data.normal_(std=0.1)
    plain = build(RECIPE, seed=1)
    before = plain.hidden(tokens)
    plain.load_state_dict(merged(dict(network.named_parameters())))

    torch.testing.assert_close(plain.hidden(tokens), network.hidden(tokens), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(plain.hidden(tokens), before, atol=1e-3)
