"""Whatever kernel is chosen multiplies rightly."""

from __future__ import annotations

import pytest
import torch

from engine import linears
from engine.linears import Kernel, choose_kernel, make_linear


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_precision_asked_for_is_the_one_chosen(dtype: str) -> None:
    kernel = choose_kernel(96, 64, dtype)

    assert kernel.dtype == getattr(torch, dtype)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "auto"])
def test_the_chosen_kernel_gives_the_product(dtype: str) -> None:
    kernel = choose_kernel(96, 64, dtype)
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(96, 64, generator=generator)
    offset = torch.randn(96, generator=generator)
    rows = torch.randn(5, 64, generator=generator).to(kernel.dtype)
    with torch.inference_mode():
        product = make_linear(weight, offset, kernel)(rows)

    expected = rows.float() @ weight.to(kernel.dtype).float().T + offset
    tolerance = 1e-4 if kernel.dtype == torch.float32 else 0.1
    assert torch.allclose(product.float(), expected, atol=tolerance, rtol=tolerance)


def test_a_packed_kernel_that_is_wrong_or_missing_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(weight: torch.Tensor, bias: torch.Tensor | None, kernel: Kernel) -> linears.Linear:
        if kernel.packed:
            raise RuntimeError("not on this processor")
        return lambda rows: rows @ weight.to(kernel.dtype).T

    monkeypatch.setattr(linears, "make_linear", refuse)
    assert not choose_kernel(96, 64).packed

    def lie(weight: torch.Tensor, bias: torch.Tensor | None, kernel: Kernel) -> linears.Linear:
        scale = 1.5 if kernel.packed else 1.0
        return lambda rows: rows @ weight.to(kernel.dtype).T * scale

    monkeypatch.setattr(linears, "make_linear", lie)
    assert not choose_kernel(96, 64).packed


@pytest.mark.parametrize(("packed_cost", "packed"), [(600.0, False), (0.95, False), (0.5, True)])
def test_a_packed_kernel_is_used_where_it_is_clearly_faster_here(
    monkeypatch: pytest.MonkeyPatch, packed_cost: float, packed: bool
) -> None:
    costs = iter([1.0, packed_cost])
    monkeypatch.setattr(linears, "_packed_is_right", lambda *_: True)
    monkeypatch.setattr(linears, "make_linear", lambda *_: None)
    monkeypatch.setattr(linears, "_cost", lambda *_: next(costs))

    assert choose_kernel(96, 64, "float32") == Kernel(torch.float32, packed=packed)
