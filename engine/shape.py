"""The measures of a model, read from its config.json: all of them for those that our own code runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from engine.api import ModelUnavailable

# Qwen2 is a Llama with biases; both differ from the others in nothing we would have to know.
_FAMILIES = ("llama", "qwen2")


@dataclass(frozen=True, slots=True)
class Shape:
    """How wide, how deep, and how positions turn. Sizes are counts of numbers, not bytes."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    positions: int  # longest text it was made for, in tokens
    norm_eps: float
    rope_theta: float
    rope_factor: float  # positions are divided by it (linear scaling); 1 for most models
    tied: bool  # the head is the embedding

    @property
    def kept(self) -> int:
        """The numbers that are kept of one token: its keys and values."""
        return 2 * self.layers * self.kv_heads * self.head_dim

    @property
    def parameters(self) -> int:
        """The numbers in its matrices."""
        attention = 2 * self.hidden * (self.heads + self.kv_heads) * self.head_dim
        layer = attention + 3 * self.hidden * self.intermediate
        return self.layers * layer + self.vocabulary * self.hidden * (1 if self.tied else 2)


@dataclass(frozen=True, slots=True)
class Outline:
    """What the engine needs to know of a model that transformers runs."""

    vocabulary: int
    positions: int
    kept: int  # as in Shape, or less where config.json does not say all of it
    why: str  # our own code cannot run it


@dataclass(frozen=True, slots=True)
class GgufOutline(Outline):
    """The same of a GGUF file, which llama.cpp runs."""


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The shape in a config.json; ModelUnavailable names what our own code cannot run."""
    if why := _foreign(config):
        raise ModelUnavailable(f"{why}: choose a checkpoint of another model")
    with _complaints():
        return _shape(config)


def measures_of(config: Mapping[str, Any]) -> Shape | Outline:
    """The shape where our own code runs the model, or the outline where transformers must.

    ModelUnavailable where a number is missing or makes no sense.
    """
    why = _foreign(config)
    with _complaints():
        return _outline(config, why) if why else _shape(config)


def _foreign(config: Mapping[str, Any]) -> str:
    """Why this is no model for our own code; empty where it is one."""
    family = config.get("model_type")
    if family not in _FAMILIES:
        return f"our own code runs {' and '.join(_FAMILIES)} models, not {family!r}"
    activation = config.get("hidden_act", "silu")
    if activation not in ("silu", "swish"):
        return f"the model wants the activation {activation!r}, our own code has only silu"
    if config.get("use_sliding_window"):
        return "the model wants sliding-window attention, which our own code lacks"
    kind = _rope_kind(config)
    if kind not in ("default", "linear"):
        return f"the model wants {kind!r} rotary positions, which our own code lacks"
    return ""


@contextmanager
def _complaints() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise ModelUnavailable(
            f"config.json lacks a usable {error}: is this a whole checkpoint folder?"
        ) from error


def _shape(config: Mapping[str, Any]) -> Shape:
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    theta, factor = _rope(config)
    shape = Shape(
        vocabulary=int(config["vocab_size"]),
        hidden=hidden,
        layers=int(config["num_hidden_layers"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        intermediate=int(config["intermediate_size"]),
        positions=int(config.get("max_position_embeddings", 2048)),
        norm_eps=float(config.get("rms_norm_eps", 1e-6)),
        rope_theta=theta,
        rope_factor=factor,
        tied=bool(config.get("tie_word_embeddings", False)),
    )
    sizes = (shape.vocabulary, hidden, shape.layers, heads, shape.kv_heads, shape.intermediate)
    if min(sizes) < 1 or heads % shape.kv_heads or shape.head_dim % 2:
        raise ValueError("shape: sizes must be positive, heads a multiple of key/value heads")
    return shape


def _rope_table(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """transformers 5 keeps all there is about rotary positions in one table, earlier ones apart."""
    table = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return table if isinstance(table, dict) else {"rope_type": table}


def _rope_kind(config: Mapping[str, Any]) -> object:
    table = _rope_table(config)
    return table.get("rope_type", table.get("type", "default"))


def _rope(config: Mapping[str, Any]) -> tuple[float, float]:
    """Base and divisor."""
    table = _rope_table(config)
    theta = table.get("rope_theta", config.get("rope_theta", 10000.0))
    factor = table.get("factor", 1.0) if _rope_kind(config) == "linear" else 1.0
    return float(theta), float(factor)


def _outline(config: Mapping[str, Any], why: str) -> Outline:
    """Of a model that also sees pictures, the part that writes."""
    text = config.get("text_config") or config

    def first(*names: str, default: int | None = None) -> int:
        found = next((text[name] for name in names if text.get(name) is not None), default)
        if found is None:
            raise KeyError(names[0])
        return int(found)

    heads = first("num_attention_heads", "n_head", "n_heads", default=1)
    hidden = first("hidden_size", "n_embd", "d_model", default=heads)
    layers = first("num_hidden_layers", "n_layer", "n_layers", default=1)
    alone = text.get("model_type") == "gpt_bigcode" and text.get("multi_query", True)
    kv_heads = 1 if alone else first("num_key_value_heads", default=heads)
    outline = Outline(
        vocabulary=first("vocab_size"),
        positions=first("max_position_embeddings", "n_positions", "max_seq_len", default=2048),
        kept=2 * layers * kv_heads * first("head_dim", default=hidden // heads),
        why=why,
    )
    if min(outline.vocabulary, outline.positions, outline.kept) < 1:
        raise ValueError("shape: sizes must be positive")
    return outline
