"""What llama.cpp calls the weights of the architectures that can be written as GGUF."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.api import ModelUnavailable
from engine.shape import Shape, shape_of
from trainer.release.source import ReleaseError

Describe = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Placed:
    """One tensor of the file: where it comes from and what is done to it."""

    name: str  # in the file
    source: str  # in the checkpoint
    heads: int = 0  # rotate the rows of so many heads from halves to pairs; 0: leave them
    exact: bool = False  # float32 whatever the type of the file


@dataclass(frozen=True, slots=True)
class Architecture:
    """How one checkpoint is laid out in a file of llama.cpp's."""

    name: str
    describe: Describe  # adds the keys to a gguf.GGUFWriter
    tensors: tuple[Placed, ...]
    context: int


def architecture_of(name: str, config: Mapping[str, Any], names: frozenset[str]) -> Architecture:
    """The layout for a class of transformers; `names` are the weights there are.

    ReleaseError for what llama.cpp, or this writer, would not run as transformers does.
    """
    makers = {"LlamaForCausalLM": _llama, "GPTBigCodeForCausalLM": _starcoder}
    if name not in makers:
        raise ReleaseError(
            f"GGUF is written for {' and '.join(makers)}, not for {name}: leave --gguf out"
        )
    made = makers[name](config, names)
    missing = [each.source for each in made.tensors if each.source not in names]
    if missing:
        raise ReleaseError(f"the weights lack {missing[0]}: copy the whole checkpoint folder")
    left = names - {each.source for each in made.tensors} - _unneeded(names)
    if left:
        raise ReleaseError(
            f"{min(left)} has no place in a GGUF file of {made.name}: leave --gguf out"
        )
    return made


def _unneeded(names: frozenset[str]) -> frozenset[str]:
    """Weights that follow from others: a head that is tied, tables of angles, masks."""
    tables = {each for each in names if each.endswith((".rotary_emb.inv_freq", ".attn.bias"))}
    return frozenset({"lm_head.weight", *tables})


def _llama(config: Mapping[str, Any], names: frozenset[str]) -> Architecture:
    try:
        shape = shape_of(config)
    except ModelUnavailable as error:
        raise ReleaseError(str(error)) from error

    def describe(writer: Any) -> None:
        writer.add_context_length(shape.positions)
        writer.add_embedding_length(shape.hidden)
        writer.add_block_count(shape.layers)
        writer.add_feed_forward_length(shape.intermediate)
        writer.add_head_count(shape.heads)
        writer.add_head_count_kv(shape.kv_heads)
        writer.add_key_length(shape.head_dim)
        writer.add_value_length(shape.head_dim)
        writer.add_layer_norm_rms_eps(shape.norm_eps)
        writer.add_rope_dimension_count(shape.head_dim)
        writer.add_rope_freq_base(shape.rope_theta)
        if shape.rope_factor != 1:
            import gguf

            writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            writer.add_rope_scaling_factor(shape.rope_factor)

    return Architecture(
        name="llama",
        describe=describe,
        tensors=tuple(_llama_tensors(shape, names)),
        context=shape.positions,
    )


def _llama_tensors(shape: Shape, names: frozenset[str]) -> Iterator[Placed]:
    yield Placed("token_embd.weight", "model.embed_tokens.weight")
    yield Placed("output_norm.weight", "model.norm.weight")
    if not shape.tied:
        yield Placed("output.weight", "lm_head.weight")
    parts = (
        ("attn_norm", "input_layernorm", 0),
        ("attn_q", "self_attn.q_proj", shape.heads),
        ("attn_k", "self_attn.k_proj", shape.kv_heads),
        ("attn_v", "self_attn.v_proj", 0),
        ("attn_output", "self_attn.o_proj", 0),
        ("ffn_norm", "post_attention_layernorm", 0),
        ("ffn_gate", "mlp.gate_proj", 0),
        ("ffn_up", "mlp.up_proj", 0),
        ("ffn_down", "mlp.down_proj", 0),
    )
    for layer in range(shape.layers):
        for theirs, ours, heads in parts:
            at = f"model.layers.{layer}.{ours}"
            yield Placed(f"blk.{layer}.{theirs}.weight", f"{at}.weight", heads)
            if f"{at}.bias" in names:
                yield Placed(f"blk.{layer}.{theirs}.bias", f"{at}.bias", heads)


# llama.cpp's starcoder has the tanh form of GELU; "gelu" is what StarCoder's own configuration
# says, and what is computed by that form there.
_GELUS = ("gelu", "gelu_pytorch_tanh", "gelu_new")


def _starcoder(config: Mapping[str, Any], names: frozenset[str]) -> Architecture:
    if not config.get("multi_query", True):
        raise ReleaseError("llama.cpp runs GPTBigCode with one key/value head: leave --gguf out")
    if config.get("activation_function", "gelu_pytorch_tanh") not in _GELUS:
        raise ReleaseError(
            f"llama.cpp runs GPTBigCode with GELU, not {config['activation_function']!r}: "
            "leave --gguf out"
        )
    if not config.get("scale_attn_weights", True):
        raise ReleaseError("llama.cpp scales attention, this model does not: leave --gguf out")
    try:
        hidden, layers = int(config["n_embd"]), int(config["n_layer"])
        heads, context = int(config["n_head"]), int(config["n_positions"])
        inner = int(config.get("n_inner") or 4 * hidden)
        eps = float(config.get("layer_norm_epsilon", 1e-5))
    except (KeyError, TypeError, ValueError) as error:
        raise ReleaseError(f"config.json lacks a usable {error}: export the model again") from error

    def describe(writer: Any) -> None:
        writer.add_context_length(context)
        writer.add_embedding_length(hidden)
        writer.add_block_count(layers)
        writer.add_feed_forward_length(inner)
        writer.add_head_count(heads)
        writer.add_head_count_kv(1)
        writer.add_layer_norm_eps(eps)

    return Architecture(
        name="starcoder",
        describe=describe,
        tensors=tuple(
            _starcoder_tensors(layers, tied=bool(config.get("tie_word_embeddings", True)))
        ),
        context=context,
    )


def _starcoder_tensors(layers: int, *, tied: bool) -> Iterator[Placed]:
    yield Placed("token_embd.weight", "transformer.wte.weight")
    yield Placed("position_embd.weight", "transformer.wpe.weight", exact=True)
    if not tied:
        yield Placed("output.weight", "lm_head.weight")
    parts = [("output_norm", "ln_f")]
    for layer in range(layers):
        at, blk = f"h.{layer}.", f"blk.{layer}."
        parts += [
            (f"{blk}attn_norm", f"{at}ln_1"),
            (f"{blk}attn_qkv", f"{at}attn.c_attn"),
            (f"{blk}attn_output", f"{at}attn.c_proj"),
            (f"{blk}ffn_norm", f"{at}ln_2"),
            (f"{blk}ffn_up", f"{at}mlp.c_fc"),
            (f"{blk}ffn_down", f"{at}mlp.c_proj"),
        ]
    for theirs, ours in parts:
        for kind in ("weight", "bias"):
            yield Placed(f"{theirs}.{kind}", f"transformer.{ours}.{kind}")
