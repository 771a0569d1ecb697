"""What machines can do: the bfloat16 rates that MFU and plans are reckoned with."""

import time
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Hardware:
    """One accelerator. `flops` is the publisher's dense bfloat16 peak, `share` what training gets."""

    name: str
    flops: float  # per second
    memory: float  # bytes
    share: float  # of the peak that a well-kept trainer reaches (model FLOPs utilisation)
    mark: str = ""  # what its device name contains


# Peaks: NVIDIA's data sheets, dense, without sparsity. Shares are assumptions for a plan, not
# measurements of ours: on A100 what StarCoder got (the FLOPs of trainer.planning over the paper's
# 320,256 GPU hours), on H100 and H200 what the fastest open trainers log at width 768.
HARDWARE = (
    Hardware("H200", 989e12, 141e9, 0.40, "H200"),
    Hardware("H100 80GB", 989e12, 80e9, 0.40, "H100"),
    Hardware("A100 80GB", 312e12, 80e9, 0.31, "A100"),
    Hardware("L40S", 362e12, 48e9, 0.35, "L40S"),
    Hardware("RTX 4090", 165e12, 24e9, 0.40, "4090"),
)


def peak(device: torch.device) -> tuple[float, str]:
    """FLOP a second that MFU is a share of, and whose figure that is.

    For a card in the table the publisher's; elsewhere the rate of one large bfloat16 product,
    measured here and now: about half a second.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for each in HARDWARE:
            if each.mark in name:
                return each.flops, f"{each.name}'s published bfloat16 peak"
    dtype = torch.float32 if device.type == "mps" else torch.bfloat16
    return _product_rate(device, dtype), f"a {dtype} product measured on this {device.type}"


def _product_rate(device: torch.device, dtype: torch.dtype, size: int = 1536) -> float:
    left = torch.randn(size, size, device=device, dtype=dtype)
    best = 0.0
    deadline = time.perf_counter() + 0.5
    while time.perf_counter() < deadline:
        began = time.perf_counter()
        out = left @ left
        _wait(device, out)
        best = max(best, 2.0 * size**3 / (time.perf_counter() - began))
    return best


def _wait(device: torch.device, out: Any) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type != "cpu":
        out[0, 0].item()


def memory_peak(device: torch.device) -> int:
    """Most bytes that this process has held: of the accelerator's memory, or resident."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    import resource
    import sys

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def device_name(device: torch.device) -> str:
    """What the record of a run calls the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
