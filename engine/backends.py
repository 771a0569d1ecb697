"""Which library computes: what is installed here, can run the model, and was asked for."""

import logging
import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from engine.api import ModelUnavailable
from engine.checkpoint import Checkpoint, read_tensors
from engine.cores import physical_cores, threads_for
from engine.native.building import library
from engine.shape import Outline, Shape

if TYPE_CHECKING:  # numpy is loaded by who loads a model
    from engine.network import Network

_log = logging.getLogger(__name__)

AUTO, NATIVE, OPENVINO, TORCH = "auto", "native", "openvino", "torch"
BACKENDS = (NATIVE, OPENVINO, TORCH)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants of the computation."""

    backend: str = AUTO
    dtype: str = AUTO  # float32 and bfloat16 are torch's; the others store int8
    threads: int = 0  # 0: what suits the machine


def installed(backend: str) -> bool:
    """Whether it can be had here. Nothing is imported."""
    return library() is not None if backend == NATIVE else find_spec(backend) is not None


def chosen(wish: Wish, shape: Shape | Outline | None = None) -> str:
    """The backend that a wish leads to; ModelUnavailable says what to install.

    The order of BACKENDS is that of their speed wherever it was measured (docs/decisions). A
    precision that only torch has decides for torch, and so does a model that only transformers
    runs.
    """
    if wish.backend == AUTO:
        able = BACKENDS if wish.dtype == AUTO and not isinstance(shape, Outline) else ()
        return next((each for each in able if installed(each)), TORCH)
    if wish.backend not in BACKENDS:
        raise ModelUnavailable(
            f"no backend is called {wish.backend!r}: use {', '.join(BACKENDS)} or auto"
        )
    if not installed(wish.backend):
        if wish.backend == NATIVE:
            raise ModelUnavailable(
                "the native kernels were not built for this processor: install a C compiler and "
                "then Footnote again"
            )
        raise ModelUnavailable(f"{wish.backend} is not installed: pip install {wish.backend}")
    if wish.backend != TORCH and wish.dtype != AUTO:
        raise ModelUnavailable(
            f"{wish.backend} runs int8 weights, not {wish.dtype}: use torch for that"
        )
    if wish.backend != TORCH and isinstance(shape, Outline):
        raise ModelUnavailable(f"{wish.backend} cannot run it ({shape.why}): use torch or auto")
    return wish.backend


def network_of(checkpoint: Checkpoint, wish: Wish) -> tuple[str, "Network[Any]"]:
    """Read the weights into the chosen backend; its name beside it.

    Where nobody asked for a backend and one fails, the next is taken. ModelUnavailable when the
    weights do not fit the shape.
    """
    first = chosen(wish, checkpoint.shape)
    for backend in BACKENDS[BACKENDS.index(first) :]:
        if backend != first and not installed(backend):
            continue
        try:
            return backend, _MAKERS[backend](checkpoint, wish)
        except (ImportError, OSError, RuntimeError) as error:
            if wish.backend != AUTO:
                raise ModelUnavailable(f"{backend} cannot run the model here: {error}") from error
            if backend == BACKENDS[-1]:
                raise
            _log.warning("%s cannot run the model here (%s): the next one is tried", backend, error)
    raise AssertionError("torch is always there")


def _threads(wish: Wish, *, spare: int = 1) -> int:
    return wish.threads or threads_for(os.environ, physical_cores(), spare=spare)


def _native(checkpoint: Checkpoint, wish: Wish) -> "Network[Any]":
    from engine.arrays import read_arrays
    from engine.native_model import NativeModel

    path = library()
    assert path is not None
    threads = _threads(wish, spare=0)
    return NativeModel(_whole(checkpoint), read_arrays(checkpoint), library=path, threads=threads)


def _openvino(checkpoint: Checkpoint, wish: Wish) -> "Network[Any]":
    from engine.arrays import read_arrays
    from engine.openvino_model import OpenVinoModel

    return OpenVinoModel(_whole(checkpoint), read_arrays(checkpoint), threads=_threads(wish))


def _torch(checkpoint: Checkpoint, wish: Wish) -> "Network[Any]":
    import torch

    torch.set_num_threads(_threads(wish))
    if isinstance(checkpoint.shape, Outline):
        from engine.transformers_loading import load_transformers

        return load_transformers(checkpoint, dtype=wish.dtype)
    from engine.model import Model

    return Model(checkpoint.shape, read_tensors(checkpoint), dtype=wish.dtype)


def _whole(checkpoint: Checkpoint) -> Shape:
    assert isinstance(checkpoint.shape, Shape)
    return checkpoint.shape


_MAKERS = {NATIVE: _native, OPENVINO: _openvino, TORCH: _torch}
