"""The chunked loss of the tied head is the plain one; so are its gradients."""

import pytest
import torch
from torch.nn import functional

from trainer.config import ModelRecipe, load_recipe
from trainer.learner import Learner, build, lower


@pytest.mark.parametrize("chunk", [7, 64, 1000])
def test_chunked_head_loss_equals_cross_entropy(chunk):
    torch.manual_seed(0)
    model = build(load_recipe("tiny").model)
    tokens = torch.randint(0, 512, (2, 40))
    labels = torch.randint(0, 512, (2, 40))
    labels[0, ::3] = -100

    expected = functional.cross_entropy(model(tokens).logits.flatten(0, 1), labels.flatten())
    wanted = torch.autograd.grad(expected, model.lm_head.weight)[0]
    loss = Learner(model, chunk=chunk)(tokens, labels)
    got = torch.autograd.grad(loss, model.lm_head.weight)[0]

    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-4)


def test_pads_change_nothing():
    torch.manual_seed(0)
    learner = Learner(build(load_recipe("tiny").model), chunk=64)
    tokens = torch.randint(5, 512, (1, 30))
    labels = torch.randint(5, 512, (1, 30))
    padded = torch.cat([tokens, torch.full((1, 10), 4)], 1)
    ignored = torch.cat([labels, torch.full((1, 10), -100)], 1)

    torch.testing.assert_close(learner(padded, ignored), learner(tokens, labels))


def test_every_block_starts_as_the_identity():
    model = build(ModelRecipe(vocabulary=64, hidden=16, layers=2, heads=1, head_dim=16))
    for layer in model.model.layers:
        assert not layer.self_attn.o_proj.weight.any()
        assert not layer.mlp.down_proj.weight.any()


def test_lowering_keeps_the_rotary_frequencies():
    model = build(load_recipe("tiny").model)
    before = model.model.rotary_emb.inv_freq.clone()

    lower(model, torch.bfloat16)

    assert model.model.embed_tokens.weight.dtype == torch.bfloat16
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert torch.equal(model.model.rotary_emb.inv_freq, before)
