"""The measures of a Llama-like model, read from its config.json; whatever we cannot run is refused."""

from collections.abc import Mapping
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


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The shape in a config.json; ModelUnavailable names what this engine cannot run."""
    family = config.get("model_type")
    if family not in _FAMILIES:
        raise ModelUnavailable(
            f"this engine runs {' and '.join(_FAMILIES)} models, not {family!r}: "
            "choose a checkpoint of such a model"
        )
    activation = config.get("hidden_act", "silu")
    if activation not in ("silu", "swish"):
        raise ModelUnavailable(f"the model wants the activation {activation!r}, we have only silu")
    if config.get("use_sliding_window"):
        raise ModelUnavailable("the model wants sliding-window attention, which this engine lacks")
    try:
        return _shape(config)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
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


def _rope(config: Mapping[str, Any]) -> tuple[float, float]:
    """Base and divisor; transformers 5 keeps both in one table, earlier ones apart."""
    table = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = table.get("rope_type", table.get("type", "default"))
    if kind not in ("default", "linear"):
        raise ModelUnavailable(f"the model wants {kind!r} rotary positions, which we do not have")
    theta = table.get("rope_theta", config.get("rope_theta", 10000.0))
    factor = table.get("factor", 1.0) if kind == "linear" else 1.0
    return float(theta), float(factor)
