"""Which library computes: what is installed here, can run the model, and was asked for."""

import logging
import os
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from engine.api import ModelUnavailable
from engine.checkpoint import Checkpoint, read_tensors
from engine.cores import physical_cores, threads_for
from engine.devices import CPU, DEVICES, MPS, accelerator
from engine.llama_library import REMEDY, library_path
from engine.native.building import library
from engine.shape import GgufOutline, Outline, Shape

if TYPE_CHECKING:  # numpy is loaded by who loads a model
    from engine.network import Network

_log = logging.getLogger(__name__)

AUTO, NATIVE, OPENVINO, TORCH = "auto", "native", "openvino", "torch"
LLAMA_CPP = "llama_cpp"
BACKENDS = (NATIVE, OPENVINO, TORCH)  # of checkpoint folders; GGUF files have LLAMA_CPP alone
# Parameters from which an accelerator comes first until somebody has timed it: a step of ours
# takes a processor longer than a card takes to be told what to do.
_LARGE = 300_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants of the computation."""

    backend: str = AUTO
    dtype: str = AUTO  # float32 and bfloat16 are torch's; the others store int8
    threads: int = 0  # 0: what suits the machine
    device: str = AUTO  # cpu, or cuda or mps, which are torch's; llama.cpp takes what it finds

    @property
    def name(self) -> str:
        """Of a settled wish, as people read it."""
        return self.backend if self.device in (AUTO, CPU) else f"{self.backend} on {self.device}"


def installed(backend: str) -> bool:
    """Whether it can be had here. Nothing is imported."""
    if backend == NATIVE:
        return library() is not None
    return (library_path() if backend == LLAMA_CPP else find_spec(backend)) is not None


def candidates(wish: Wish, shape: Shape | Outline | None = None) -> list[Wish]:
    """Who can run a model as it is wished, each with its backend and device.

    The best guess first: the order of BACKENDS is that of their speed wherever it was measured
    (docs/decisions), and a card comes first for a large model, and for one that only transformers
    runs. A precision that only torch has decides for torch. ModelUnavailable says what to install.
    """
    if wish.device not in (AUTO, *DEVICES):
        raise ModelUnavailable(
            f"no device is called {wish.device!r}: use {', '.join(DEVICES)} or auto"
        )
    if isinstance(shape, GgufOutline):
        return [_for_gguf(wish)]
    if wish.backend == AUTO:
        able = BACKENDS if wish.dtype == AUTO and not isinstance(shape, Outline) else (TORCH,)
        on_cpu = [each for each in able if each == TORCH or installed(each)]
    else:
        _must_be_able(wish, shape)
        on_cpu = [wish.backend]
    found = [replace(wish, backend=each, device=CPU) for each in on_cpu]
    if on_cpu[-1] == TORCH and wish.device != CPU and (card := _card(wish)):
        place = len(found) if card == MPS else 0 if _wants_a_card(shape) else len(found) - 1
        found.insert(place, replace(wish, backend=TORCH, device=card))
    if wish.device != AUTO:
        found = [each for each in found if each.device == wish.device]
    if not found:
        raise ModelUnavailable(f"only torch runs on {wish.device}: use the backend torch or auto")
    return found


def chosen(wish: Wish, shape: Shape | Outline | None = None) -> str:
    """The backend that a wish leads to where nothing was timed."""
    return candidates(wish, shape)[0].backend


def _must_be_able(wish: Wish, shape: Shape | Outline | None) -> None:
    known = (*BACKENDS, LLAMA_CPP)
    if wish.backend not in known:
        raise ModelUnavailable(
            f"no backend is called {wish.backend!r}: use {', '.join(known)} or auto"
        )
    if wish.backend == LLAMA_CPP and shape is not None:
        raise ModelUnavailable(f"{LLAMA_CPP} runs GGUF files: name one, or use auto for a folder")
    if not installed(wish.backend):
        if wish.backend == NATIVE:
            raise ModelUnavailable(
                "the native kernels were not built for this processor: install a C compiler and "
                "then Footnote again"
            )
        remedy = REMEDY if wish.backend == LLAMA_CPP else f"pip install {wish.backend}"
        raise ModelUnavailable(f"{wish.backend} is not installed: {remedy}")
    if wish.backend == LLAMA_CPP:
        return
    if wish.backend != TORCH and wish.dtype != AUTO:
        raise ModelUnavailable(
            f"{wish.backend} runs int8 weights, not {wish.dtype}: use torch for that"
        )
    if wish.backend != TORCH and isinstance(shape, Outline):
        raise ModelUnavailable(f"{wish.backend} cannot run it ({shape.why}): use torch or auto")


def _for_gguf(wish: Wish) -> Wish:
    if wish.backend not in (AUTO, LLAMA_CPP):
        raise ModelUnavailable(
            f"{wish.backend} runs checkpoint folders, not GGUF files: use {LLAMA_CPP} or auto"
        )
    if wish.dtype != AUTO:
        raise ModelUnavailable(
            f"a GGUF file is computed as it is stored, not in {wish.dtype}: leave the precision out"
        )
    return replace(wish, backend=LLAMA_CPP)


def _card(wish: Wish) -> str:
    """The accelerator to try: what was asked for, or what seems to be there."""
    return wish.device if wish.device != AUTO else accelerator()


def _wants_a_card(shape: Shape | Outline | None) -> bool:
    return isinstance(shape, Outline) or (shape is not None and shape.parameters >= _LARGE)


def network_of(
    checkpoint: Checkpoint, wish: Wish, preferred: Wish | None = None
) -> tuple[str, "Network[Any]"]:
    """Read the weights into the chosen backend; its name beside it.

    Where nobody asked for a backend and one fails, the next is taken; `preferred` is tried first.
    ModelUnavailable when the weights do not fit the shape.
    """
    order = candidates(wish, checkpoint.shape)
    if preferred in order:
        order.remove(preferred)
        order.insert(0, preferred)
    for place, each in enumerate(order, 1):
        try:
            return each.backend, _MAKERS[each.backend](checkpoint, each)
        except (ImportError, OSError, RuntimeError) as error:
            if place == len(order):
                raise ModelUnavailable(f"{each.name} cannot run the model here: {error}") from error
            _log.warning(
                "%s cannot run the model here (%s): the next one is tried", each.name, error
            )
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
    if isinstance(checkpoint.shape, Outline) or wish.device != CPU:
        from engine.transformers_loading import load_transformers

        return load_transformers(checkpoint, dtype=wish.dtype, device=wish.device)
    from engine.model import Model

    return Model(checkpoint.shape, read_tensors(checkpoint), dtype=wish.dtype)


def _llama_cpp(checkpoint: Checkpoint, wish: Wish) -> "Network[Any]":
    from engine.llama_model import LlamaModel

    threads = _threads(wish)
    return LlamaModel(checkpoint.weights, threads=threads, offload=wish.device != CPU)


def _whole(checkpoint: Checkpoint) -> Shape:
    assert isinstance(checkpoint.shape, Shape)
    return checkpoint.shape


_MAKERS = {NATIVE: _native, OPENVINO: _openvino, TORCH: _torch, LLAMA_CPP: _llama_cpp}
