"""A folder to a model of transformers' in its place: on the accelerator, or on the CPU."""

import math
import os
from importlib.util import find_spec
from typing import Any

import torch

from engine.api import ModelUnavailable
from engine.checkpoint import Checkpoint, read_tensors
from engine.devices import CPU, CUDA, memory
from engine.linears import Kernel, choose_kernel
from engine.recording import CudaGraphs
from engine.transformers_model import TransformersModel

_INNER = ("intermediate_size", "n_inner", "ffn_dim")
_LARGEST = 4096  # a side of the matrix that kernels are timed on: larger ones behave alike
_SPARE = 0.85  # of the accelerator's free memory, for the weights alone


def load_transformers(
    checkpoint: Checkpoint, *, dtype: str = "auto", device: str = CPU
) -> TransformersModel:
    """The model in a folder; ModelUnavailable with the reason and a remedy.

    Nothing is asked of any network and nothing is run that a folder brings along. RuntimeError
    where torch does not have the device.
    """
    if device != CPU and not _is_there(device):
        raise RuntimeError(f"torch {torch.__version__} finds no {device} here")
    net, kernel = _opened(checkpoint, dtype, device)
    cards = {each.device for each in net.parameters()}
    record = CudaGraphs() if device == CUDA and len(cards) == 1 else None
    model = TransformersModel(
        net, positions=checkpoint.shape.positions, kernel=kernel, record=record
    )
    if len(cards) > 1:
        model.note = f"its steps are not recorded: it is spread over {len(cards)} devices"
    model.prefer_recorded_blocks()
    return model


def _opened(checkpoint: Checkpoint, dtype: str, device: str) -> tuple[Any, Kernel | None]:
    """A PreTrainedModel and, on the CPU, how to multiply by its matrices."""
    _stay_here()
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = checkpoint.folder
    safely: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config: Any = AutoConfig.from_pretrained(folder, **safely)
        precision, kernel = _precision(checkpoint, config, dtype, device)
        safely |= {"config": config, "dtype": precision, "output_loading_info": True}
        loading: Any = AutoModelForCausalLM
        if _is_ours(checkpoint):
            safely["state_dict"] = dict(read_tensors(checkpoint))
            with torch.device("meta"):
                kind: Any = type(loading.from_config(config))
            net, report = kind.from_pretrained(None, **safely)
        else:
            safely |= {"use_safetensors": True} | _spread(checkpoint, precision, device)
            net, report = loading.from_pretrained(folder, **safely)
        if device != CPU and "device_map" not in safely:
            net = net.to(device)
    except (ModelUnavailable, MemoryError):
        raise
    except Exception as error:  # the libraries under it raise whatever they like
        first = str(error).strip().split("\n", 1)[0]
        raise ModelUnavailable(
            f"transformers cannot load the model in {folder} ({first}): copy the folder again, or "
            "choose another model"
        ) from error
    if missing := sorted(report["missing_keys"]):
        # transformers would go on with random numbers in their place.
        raise ModelUnavailable(f"the weights lack {missing[0]}: copy the whole checkpoint folder")
    return net.eval(), kernel


def _stay_here() -> None:
    """Whatever asks the hub for a file gets an error at once, whoever imported it before."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from huggingface_hub import constants
    from transformers.utils import logging

    constants.HF_HUB_OFFLINE = True
    voice: Any = logging
    voice.set_verbosity_error()
    voice.disable_progress_bar()


def _is_there(device: str) -> bool:
    return torch.cuda.is_available() if device == CUDA else torch.backends.mps.is_available()


def _precision(
    checkpoint: Checkpoint, config: Any, dtype: str, device: str
) -> tuple[torch.dtype, Kernel | None]:
    """What weights are stored as: on a card bfloat16 if it has it, on the CPU what is faster there."""
    if device != CPU:
        has = device != CUDA or torch.cuda.is_bf16_supported(including_emulation=False)
        half = torch.bfloat16 if has or dtype == "bfloat16" else torch.float16
        return (torch.float32 if dtype == "float32" else half), None
    text = config.get_text_config(decoder=True)
    hidden = int(text.hidden_size)
    inner = next(
        (int(size) for name in _INNER if isinstance(size := getattr(text, name, None), int)),
        4 * hidden,
    )
    if dtype == "auto" and 4 * _numbers(checkpoint) > _SPARE * memory():
        dtype = "bfloat16"  # slower perhaps, but it fits
    kernel = choose_kernel(min(inner, _LARGEST), min(hidden, _LARGEST), dtype)
    return kernel.dtype, kernel


def _spread(checkpoint: Checkpoint, precision: torch.dtype, device: str) -> dict[str, Any]:
    """How transformers places a model that is larger than one accelerator; empty otherwise."""
    if device != CUDA:
        return {}
    free, _ = torch.cuda.mem_get_info()
    if _numbers(checkpoint) * precision.itemsize <= _SPARE * free:
        return {}
    if find_spec("accelerate") is None:
        raise ModelUnavailable(
            f"the model in {checkpoint.folder} is larger than the accelerator's free memory: "
            "pip install accelerate to spread it, or choose a smaller model"
        )
    return {"device_map": "auto"}


def _numbers(checkpoint: Checkpoint) -> int:
    """How many the weights are, by the heads of their files."""
    from safetensors import safe_open

    count = 0
    for path in checkpoint.weights:
        with safe_open(path, framework="pt") as tensors:
            names = tensors.keys()
            count += sum(math.prod(tensors.get_slice(name).get_shape()) for name in names)
    return count


def _is_ours(checkpoint: Checkpoint) -> bool:
    """Whether the weights have names that transformers does not look for: our rows of int8."""
    return not all(path.name.startswith("model") for path in checkpoint.weights)
