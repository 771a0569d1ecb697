"""llama.cpp as the library inside the package xllamacpp, called by ctypes: no server, no socket.

The package's own Python interface is a server only; what a keystroke needs is in the C interface
that its extension exports. Structures pass by value there, so their layout is tried before use.
"""

import ctypes
import logging
import os
from collections import deque
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engine.api import ModelUnavailable

REMEDY = "install Footnote with its extra llama-cpp, or pip install xllamacpp beside it"
TRIED = "2026.10.11549"  # the version of xllamacpp whose layout this is
DENSE_ATTENTION = 0  # the fused one rounds a row otherwise when it runs alone
_WARNING = 3  # of its five levels
_WORDS = 12  # lines of its log that are kept for an error message
_int, _uint, _float, _pointer = ctypes.c_int32, ctypes.c_uint32, ctypes.c_float, ctypes.c_void_p
_flag = ctypes.c_bool
_LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, _pointer)
_log = logging.getLogger(__name__)


class ModelWishes(ctypes.Structure):
    """llama_model_params, and room behind it for what later versions add."""

    _fields_ = (
        ("devices", _pointer), ("buffers", _pointer), ("n_gpu_layers", _int),
        ("split_mode", _int), ("load_mode", _int), ("lazy_mode", _int), ("main_gpu", _int),
        ("tensor_split", _pointer), ("progress", _pointer), ("progress_data", _pointer),
        ("overrides", _pointer), ("vocab_only", _flag), ("check_tensors", _flag),
        ("use_extra_buffers", _flag), ("no_host", _flag), ("no_alloc", _flag), ("load_mtp", _flag),
        ("spare", ctypes.c_uint8 * 256),
    )  # fmt: skip


class ContextWishes(ctypes.Structure):
    """llama_context_params, and room behind it."""

    _fields_ = (
        ("n_ctx", _uint), ("n_batch", _uint), ("n_ubatch", _uint), ("n_seq_max", _uint),
        ("n_rs_seq", _uint), ("n_outputs_max", _uint), ("n_outputs_max_per_seq", _uint),
        ("n_threads", _int), ("n_threads_batch", _int), ("context_type", _int),
        ("rope_scaling_type", _int), ("pooling_type", _int), ("attention_type", _int),
        ("flash_attention", _int), ("rope_base", _float), ("rope_scale", _float),
        ("yarn_ext_factor", _float), ("yarn_attn_factor", _float), ("yarn_beta_fast", _float),
        ("yarn_beta_slow", _float), ("yarn_orig_ctx", _uint), ("defrag_threshold", _float),
        ("evaluated", _pointer), ("evaluated_data", _pointer), ("type_k", _int), ("type_v", _int),
        ("pointers", _pointer * 3), ("embeddings", _flag), ("offload_kqv", _flag),
        ("no_perf", _flag), ("op_offload", _flag), ("swa_full", _flag), ("kv_unified", _flag),
        ("samplers", _pointer), ("n_samplers", ctypes.c_size_t), ("other", _pointer),
        ("spare", ctypes.c_uint8 * 256),
    )  # fmt: skip


class Batch(ctypes.Structure):
    """llama_batch: tokens, their places, and which of their scores are wanted."""

    _fields_ = (
        ("n_tokens", _int), ("tokens", ctypes.POINTER(_int)), ("embeddings", _pointer),
        ("places", ctypes.POINTER(_int)), ("n_sequences", ctypes.POINTER(_int)),
        ("sequences", ctypes.POINTER(ctypes.POINTER(_int))),
        ("wanted", ctypes.POINTER(ctypes.c_int8)),
    )  # fmt: skip


class Override(ctypes.Structure):
    """llama_model_kv_override of a boolean: what the file says of a key does not count."""

    _fields_ = (
        ("kind", ctypes.c_int), ("key", ctypes.c_char * 128), ("value", ctypes.c_uint64 * 16),
    )  # fmt: skip


_BOOLEAN = 2  # the kind of an Override
# What the defaults of the layout above are; another layout has something else in most places.
_MODEL_DEFAULTS = {
    "devices": None, "n_gpu_layers": -1, "split_mode": 1, "load_mode": -1, "main_gpu": 0,
    "overrides": None, "vocab_only": False, "check_tensors": False, "use_extra_buffers": True,
}  # fmt: skip
_CONTEXT_DEFAULTS = {
    "n_ctx": 512, "n_batch": 2048, "n_ubatch": 512, "n_seq_max": 1, "n_outputs_max": 0,
    "n_outputs_max_per_seq": 1, "n_threads": 4, "n_threads_batch": 4, "rope_scaling_type": -1,
    "flash_attention": -1, "rope_base": 0.0, "yarn_beta_slow": -1.0, "defrag_threshold": -1.0,
    "evaluated": None, "type_k": 1, "type_v": 1, "embeddings": False, "offload_kqv": True,
    "op_offload": True, "swa_full": True, "kv_unified": False, "samplers": None, "n_samplers": 0,
}  # fmt: skip
# Name, result, arguments: of the two hundred functions those that a keystroke needs.
_FUNCTIONS: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("llama_backend_init", None, ()),
    ("llama_log_set", None, (_LOG, _pointer)),
    ("llama_model_default_params", ModelWishes, ()),
    ("llama_context_default_params", ContextWishes, ()),
    ("llama_model_load_from_file", _pointer, (ctypes.c_char_p, ModelWishes)),
    ("llama_model_free", None, (_pointer,)),
    ("llama_model_get_vocab", _pointer, (_pointer,)),
    ("llama_model_n_params", ctypes.c_uint64, (_pointer,)),
    ("llama_model_desc", _int, (_pointer, ctypes.c_char_p, ctypes.c_size_t)),
    ("llama_model_has_encoder", _flag, (_pointer,)),
    ("llama_model_is_recurrent", _flag, (_pointer,)),
    ("llama_model_is_hybrid", _flag, (_pointer,)),
    ("llama_supports_gpu_offload", _flag, ()),
    ("llama_init_from_model", _pointer, (_pointer, ContextWishes)),
    ("llama_free", None, (_pointer,)),
    ("llama_get_memory", _pointer, (_pointer,)),
    ("llama_memory_seq_rm", _flag, (_pointer, _int, _int, _int)),
    ("llama_batch_init", Batch, (_int, _int, _int)),
    ("llama_batch_free", None, (Batch,)),
    ("llama_set_n_threads", None, (_pointer, _int, _int)),
    ("llama_decode", _int, (_pointer, Batch)),
    ("llama_get_logits_ith", ctypes.POINTER(_float), (_pointer, _int)),
    ("llama_tokenize", _int,
     (_pointer, ctypes.c_char_p, _int, ctypes.POINTER(_int), _int, _flag, _flag)),
    ("llama_token_to_piece", _int, (_pointer, _int, ctypes.c_char_p, _int, _int, _flag)),
    ("llama_vocab_type", _int, (_pointer,)),
    ("llama_vocab_n_tokens", _int, (_pointer,)),
    ("llama_vocab_get_text", ctypes.c_char_p, (_pointer, _int)),
    ("llama_vocab_get_attr", _int, (_pointer, _int)),
    ("llama_vocab_is_eog", _flag, (_pointer, _int)),
    ("llama_vocab_get_add_bos", _flag, (_pointer,)),
    *((f"llama_vocab_{name}", _int, (_pointer,))
      for name in ("bos", "eos", "eot", "fim_pre", "fim_suf", "fim_mid")),
)  # fmt: skip


def library_path() -> Path | None:
    """Where the library is, or None. Nothing is imported and nothing loaded."""
    try:
        found = find_spec("xllamacpp")
    except (ImportError, ValueError):
        return None
    folders = [Path(each) for each in (found.submodule_search_locations or ())] if found else []
    files = [file for each in folders for file in each.glob("xllamacpp*") if file.is_file()]
    return next((each for each in sorted(files) if each.suffix in (".so", ".pyd", ".dylib")), None)


class Llama:
    """The library, its layout tried and its log ours."""

    def __init__(self, path: Path) -> None:
        """ModelUnavailable where it cannot be loaded or is laid out otherwise."""
        self.said: deque[str] = deque(maxlen=_WORDS)
        self.call = _functions(path)
        model, context = self.model_wishes(), self.context_wishes()
        for wishes, defaults in ((model, _MODEL_DEFAULTS), (context, _CONTEXT_DEFAULTS)):
            for name, value in defaults.items():
                if getattr(wishes, name) != value:
                    raise ModelUnavailable(_other_version(f"{name} is not where it was"))
        # It is called for as long as the library is: whoever holds a model holds this.
        self._listener = _LOG(self._hear)
        self.call["llama_log_set"](self._listener, None)
        self.call["llama_backend_init"]()

    def model_wishes(self) -> ModelWishes:
        found: ModelWishes = self.call["llama_model_default_params"]()
        return found

    def context_wishes(self) -> ContextWishes:
        found: ContextWishes = self.call["llama_context_default_params"]()
        return found

    def why(self) -> str:
        """What it said last that sounds like a reason; without whatever its name is for itself."""
        spoken = [each for each in self.said if "error" in each or "fail" in each]
        line = (spoken or list(self.said) or ["it does not say why"])[0]
        return line.rpartition(": error loading model: ")[2].partition("\n")[0].strip()

    def _hear(self, level: int, text: bytes | None, _: object) -> None:
        line = (text or b"").decode("utf-8", "replace").strip()
        if level >= _WARNING and line:
            self.said.append(line)
            _log.debug("%s", line)


@cache
def llama() -> Llama:
    """The library, loaded once in a process; ModelUnavailable says what to install."""
    path = library_path()
    if path is None:
        raise ModelUnavailable(f"GGUF files are run by llama.cpp, which is not installed: {REMEDY}")
    return Llama(path)


def opened(path: Path, *, vocab_only: bool = False, offload: bool = True) -> int:
    """A model, to be freed by llama_model_free; the caller has read the head of the file.

    ModelUnavailable where llama.cpp does not know what is in it, MemoryError where it finds no room.
    """
    library = llama()
    wishes = library.model_wishes()
    wishes.vocab_only = vocab_only
    if not offload:
        wishes.n_gpu_layers = 0
    # Texts are around a gap or fill it: a blank that SentencePiece puts before them is nobody's.
    overrides = (Override * 2)(Override(_BOOLEAN, b"tokenizer.ggml.add_space_prefix"))
    wishes.overrides = ctypes.cast(overrides, _pointer)
    library.said.clear()
    model: int | None = library.call["llama_model_load_from_file"](os.fsencode(path), wishes)
    if model:
        return model
    why = library.why()
    if any(word in why for word in ("alloc", "memory")):
        raise MemoryError(why)
    raise ModelUnavailable(
        f"llama.cpp cannot load {path} ({why.replace(': ', ' ')}): copy it again, update xllamacpp, or choose another model"
    )


def _functions(path: Path) -> dict[str, Callable[..., Any]]:
    try:
        opened = ctypes.CDLL(str(path))
        found: dict[str, Callable[..., Any]] = {}
        for name, result, arguments in _FUNCTIONS:
            function = getattr(opened, name)
            function.restype, function.argtypes = result, arguments
            found[name] = function
    except (OSError, AttributeError) as error:
        raise ModelUnavailable(_other_version(str(error))) from error
    return found


def _other_version(what: str) -> str:
    return (
        f"this xllamacpp cannot be used ({what}): pip install xllamacpp=={TRIED}, which was tried "
        "on Linux"
    )
