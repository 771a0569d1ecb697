"""Matrix products on this CPU: which precision and which kernel, decided by a short timing.

The packed kernels are private to torch: each is checked against plain torch before it is used.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 -- its usual name

Linear = Callable[[torch.Tensor], torch.Tensor]  # [rows, inputs] to [rows, outputs]

# The rows of a decoding step and of a block of a prompt.
_STEP, _BLOCK = 1, 64
# What a kernel must gain to replace a plainer one; well above noise, so that two processes on
# one machine decide alike.
_GAIN = 1.2
# What bfloat16 must gain over float32 to be worth its rounding.
_BFLOAT16_GAIN = 1.5


@dataclass(frozen=True, slots=True)
class Kernel:
    """How matrices are stored and multiplied."""

    dtype: torch.dtype
    packed: bool


def make_linear(weight: torch.Tensor, bias: torch.Tensor | None, kernel: Kernel) -> Linear:
    """The product with a weight of [outputs, inputs]; the weight is converted or packed here."""
    converted = weight.to(kernel.dtype).contiguous()
    offset = None if bias is None else bias.to(kernel.dtype)
    if not kernel.packed:
        return lambda rows: F.linear(rows, converted, offset)
    packed = torch.ops.mkldnn._reorder_linear_weight(converted, _BLOCK)  # noqa: SLF001
    multiply = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001
    return lambda rows: multiply(rows, packed, offset, "none", [], "")


def choose_kernel(outputs: int, inputs: int, dtype: str = "auto") -> Kernel:
    """The fastest way to multiply by matrices of this size, in float32, bfloat16, or whichever.

    Costs a few milliseconds per choice. Without a gain that is well above noise the plainer wins.
    """
    weight = torch.empty(outputs, inputs).uniform_(
        -0.05, 0.05, generator=torch.Generator().manual_seed(0)
    )
    wanted = {"float32": (torch.float32,), "bfloat16": (torch.bfloat16,)}.get(
        dtype, (torch.float32, torch.bfloat16)
    )
    best = [_best_of_dtype(weight, each) for each in wanted]
    if len(best) == 1 or best[0][1] < best[1][1] * _BFLOAT16_GAIN:
        return best[0][0]
    return best[1][0]


def _best_of_dtype(weight: torch.Tensor, dtype: torch.dtype) -> tuple[Kernel, float]:
    plain, packed = Kernel(dtype, packed=False), Kernel(dtype, packed=True)
    cost = _cost(make_linear(weight, None, plain), weight, dtype)
    if not _packed_is_right(weight, dtype):
        return plain, cost
    packed_cost = _cost(make_linear(weight, None, packed), weight, dtype)
    return (packed, packed_cost) if packed_cost * _GAIN < cost else (plain, cost)


def _packed_is_right(weight: torch.Tensor, dtype: torch.dtype) -> bool:
    """Whether the packed kernel exists here and agrees with the plain product."""
    tolerance = 1e-4 if dtype == torch.float32 else 3e-2
    try:
        multiply = make_linear(weight, None, Kernel(dtype, packed=True))
        for rows in (_STEP, 3, _BLOCK):
            sample = _rows(rows, weight, dtype)
            if not torch.allclose(
                multiply(sample).float(),
                sample.float() @ weight.to(dtype).float().T,
                atol=tolerance,
                rtol=tolerance,
            ):
                return False
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
    return True


def _rows(count: int, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, weight.shape[1], generator=generator).to(dtype)


def _cost(multiply: Linear, weight: torch.Tensor, dtype: torch.dtype) -> float:
    """Seconds for what a keystroke multiplies: one block of its prompt and a dozen steps."""
    return 12 * _fastest(multiply, _rows(_STEP, weight, dtype)) + _fastest(
        multiply, _rows(_BLOCK, weight, dtype)
    )


def _fastest(multiply: Linear, rows: torch.Tensor, repeats: int = 9) -> float:
    """The least of several times: what others do on this machine only ever adds."""
    multiply(rows)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        multiply(rows)
        times.append(time.perf_counter() - started)
    return min(times)
