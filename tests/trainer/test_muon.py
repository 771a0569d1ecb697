"""Muon moves a matrix as torch's does; a fused one as its parts."""

import pytest
import torch

from trainer.muon import Muon, orthogonal


def moved_by_torch(start, grads):
    weight = torch.nn.Parameter(start.clone())
    muon = torch.optim.Muon(
        [weight], lr=0.02, weight_decay=0.1, momentum=0.95, adjust_lr_fn="original"
    )
    for grad in grads:
        weight.grad = grad.clone()
        muon.step()
    return weight.detach()


@pytest.mark.parametrize("shape", [(96, 32), (32, 96), (48, 48)])
def test_it_is_torchs(shape):
    torch.manual_seed(0)
    start, grads = torch.randn(shape), [torch.randn(shape) for _ in range(4)]
    weight = start.clone()
    muon = Muon({"one": weight}, {}, momentum=0.95, decay=0.1)
    for grad in grads:
        weight.grad = grad.clone()
        muon.step(0.02)

    torch.testing.assert_close(weight, moved_by_torch(start, grads), atol=1e-3, rtol=0)


def test_a_fused_matrix_moves_as_its_parts():
    torch.manual_seed(0)
    rows = (64, 32, 32)
    start, grads = torch.randn(128, 64), [torch.randn(128, 64) for _ in range(3)]
    fused = start.clone()
    muon = Muon({"qkv": fused}, {"qkv": rows}, momentum=0.95, decay=0.1)
    for grad in grads:
        fused.grad = grad.clone()
        muon.step(0.02)
    parts = [
        moved_by_torch(part, [grad.split(rows)[number] for grad in grads])
        for number, part in enumerate(start.split(rows))
    ]

    torch.testing.assert_close(fused, torch.cat(parts), atol=1e-3, rtol=0)


def test_singular_values_end_near_one():
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(3, 40, 80)).float())

    assert values.min() > 0.5
    assert values.max() < 1.4
