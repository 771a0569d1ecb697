"""Which library computes: what is installed here, can run the model, and was asked for."""

import logging
import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from engine.api import ModelUnavailable
from engine.checkpoint import Checkpoint, read_tensors
from engine.cores import physical_cores, threads_for

if TYPE_CHECKING:  # numpy is loaded by who loads a model
    from engine.network import Network

_log = logging.getLogger(__name__)

AUTO, TORCH, OPENVINO = "auto", "torch", "openvino"
BACKENDS = (TORCH, OPENVINO)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants of the computation."""

    backend: str = AUTO
    dtype: str = AUTO  # float32 and bfloat16 are torch's; OpenVINO stores int8
    threads: int = 0  # 0: what suits the machine


def installed(backend: str) -> bool:
    """Whether the library is there. It is not imported."""
    return find_spec(backend) is not None


def chosen(wish: Wish) -> str:
    """The backend that a wish leads to; ModelUnavailable says what to install.

    OpenVINO where it is installed: on every processor measured it answered sooner than torch and
    took less memory (docs/decisions). A precision that only torch has decides for torch.
    """
    if wish.backend == AUTO:
        return OPENVINO if wish.dtype == AUTO and installed(OPENVINO) else TORCH
    if wish.backend not in BACKENDS:
        raise ModelUnavailable(
            f"no backend is called {wish.backend!r}: use {', '.join(BACKENDS)} or auto"
        )
    if not installed(wish.backend):
        raise ModelUnavailable(f"{wish.backend} is not installed: pip install {wish.backend}")
    if wish.backend == OPENVINO and wish.dtype != AUTO:
        raise ModelUnavailable(f"OpenVINO runs int8 weights, not {wish.dtype}: use torch for that")
    return wish.backend


def network_of(checkpoint: Checkpoint, wish: Wish) -> tuple[str, "Network[Any]"]:
    """Read the weights into the chosen backend; its name beside it.

    Where nobody asked for a backend and OpenVINO fails, torch is taken. ModelUnavailable when the
    weights do not fit the shape.
    """
    backend = chosen(wish)
    threads = wish.threads or threads_for(os.environ, physical_cores())
    if backend == OPENVINO:
        try:
            from engine.arrays import read_arrays
            from engine.openvino_model import OpenVinoModel

            return OPENVINO, OpenVinoModel(
                checkpoint.shape, read_arrays(checkpoint), threads=threads
            )
        except (ImportError, RuntimeError) as error:
            if wish.backend == OPENVINO:
                raise ModelUnavailable(f"OpenVINO cannot run the model here: {error}") from error
            _log.warning("OpenVINO cannot run the model here (%s): torch does", error)
    import torch

    from engine.model import Model

    torch.set_num_threads(threads)
    return TORCH, Model(checkpoint.shape, read_tensors(checkpoint), dtype=wish.dtype)
