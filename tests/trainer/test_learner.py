"""The chunked loss of the tied head is the plain one; so are its gradients."""

import pytest
import torch
from torch.nn import functional

from trainer.config import ModelRecipe, load_recipe
from trainer.learner import Learner, lower
from trainer.model import build


@pytest.mark.parametrize("chunk", [7, 64, 1000])
def test_chunked_head_loss_equals_cross_entropy(chunk):
    torch.manual_seed(0)
    model = build(load_recipe("tiny").model)
    tokens = torch.randint(0, 512, (2, 40))
    labels = torch.randint(0, 512, (2, 40))
    labels[0, ::3] = -100

    logits = model.hidden(tokens) @ model.head.T
    expected = functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    wanted = torch.autograd.grad(expected, model.head)[0]
    loss = Learner(model, chunk=chunk)(tokens, labels)
    got = torch.autograd.grad(loss, model.head)[0]

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


def test_micro_batches_weigh_each_label_alike():
    learner = Learner(build(load_recipe("tiny").model), chunk=64)
    tokens = torch.randint(5, 512, (4, 30))
    labels = torch.randint(5, 512, (4, 30))
    labels[0, 3:] = -100
    weight = 1 / (labels >= 0).sum()

    parts = [learner(tokens[i : i + 1], labels[i : i + 1], weight) for i in range(4)]

    torch.testing.assert_close(sum(parts), learner(tokens, labels))


def test_every_block_starts_as_the_identity():
    model = build(ModelRecipe(vocabulary=64, hidden=16, layers=2, heads=1, head_dim=16))
    for block in model.blocks:
        assert not block.out.weight.any()
        assert not block.down.weight.any()


def test_lowering_keeps_the_rotary_angles():
    model = build(load_recipe("tiny").model)
    lower(model, torch.bfloat16)
    cos, sin = model._angles(16, torch.device("cpu"))

    assert model.head.dtype == torch.bfloat16
    assert cos.dtype == sin.dtype == torch.float32
