"""Between our networks and transformers' classes: configuration, names, and fused matrices."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from trainer.config import ModelRecipe

_END, _PAD = 0, 4  # trainer.vocabulary puts the special tokens first


def llama_config(recipe: ModelRecipe) -> Any:
    """The LlamaConfig of a recipe."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=recipe.vocabulary,
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=1,
        head_dim=recipe.head_dim,
        max_position_embeddings=recipe.positions,
        rms_norm_eps=recipe.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": recipe.rope_theta},
        initializer_range=recipe.init_std,
        tie_word_embeddings=True,
        attention_bias=False,
        mlp_bias=False,
        attention_dropout=0.0,
        bos_token_id=None,
        eos_token_id=_END,
        pad_token_id=_PAD,
        use_cache=True,
        architectures=["LlamaForCausalLM"],
    )


def big_code_config(recipe: ModelRecipe) -> Any:
    """The GPTBigCodeConfig of a recipe: multi-query attention, GELU by tanh, as StarCoder's."""
    from transformers import GPTBigCodeConfig

    return GPTBigCodeConfig(
        vocab_size=recipe.vocabulary,
        n_positions=recipe.positions,
        n_embd=recipe.hidden,
        n_layer=recipe.layers,
        n_head=recipe.heads,
        n_inner=recipe.intermediate,
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=recipe.dropout,
        embd_pdrop=recipe.dropout,
        attn_pdrop=recipe.dropout,
        layer_norm_epsilon=recipe.norm_eps,
        initializer_range=recipe.init_std,
        multi_query=True,
        bos_token_id=_END,
        eos_token_id=_END,
        pad_token_id=_PAD,
        tie_word_embeddings=True,
        architectures=["GPTBigCodeForCausalLM"],
    )


def config_of(recipe: ModelRecipe) -> dict[str, Any]:
    """config.json of what a recipe trains, for weights in bfloat16."""
    config = llama_config(recipe) if recipe.family == "llama" else big_code_config(recipe)
    values: dict[str, Any] = config.to_dict()
    values.update(dtype="bfloat16", architectures=config.architectures)
    return values


def recipe_of(config: Mapping[str, Any]) -> ModelRecipe:
    """The model recipe of a config.json; ValueError when we have no such network."""
    if config.get("model_type") == "gpt_bigcode":
        if not config.get("multi_query", True):
            raise ValueError("this GPTBigCode has several key/value heads: only one can be trained")
        return ModelRecipe(
            family="gpt_bigcode",
            vocabulary=config["vocab_size"],
            hidden=config["n_embd"],
            layers=config["n_layer"],
            heads=config["n_head"],
            head_dim=config["n_embd"] // config["n_head"],
            intermediate=config.get("n_inner") or 4 * config["n_embd"],
            positions=config["n_positions"],
            norm_eps=config.get("layer_norm_epsilon", 1e-5),
            init_std=config.get("initializer_range", 0.02),
        )
    if config.get("model_type") != "llama" or config.get("num_key_value_heads") != 1:
        raise ValueError(
            f"a {config.get('model_type')} with {config.get('num_key_value_heads')} key/value heads "
            "cannot be trained here: only a Llama with one, or GPTBigCode"
        )
    rope = config.get("rope_parameters") or {}
    return ModelRecipe(
        vocabulary=config["vocab_size"],
        hidden=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        head_dim=config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"],
        intermediate=config["intermediate_size"],
        positions=config["max_position_embeddings"],
        rope_theta=float(rope.get("rope_theta", config.get("rope_theta", 10000.0))),
        norm_eps=config.get("rms_norm_eps", 1e-5),
        init_std=config.get("initializer_range", 0.02),
    )


# Of one block of a Llama: our name, and transformers' names in the order of the rows.
_FUSED = {
    "attention_norm.weight": ("input_layernorm.weight",),
    "qkv.weight": ("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"),
    "out.weight": ("self_attn.o_proj.weight",),
    "feed_norm.weight": ("post_attention_layernorm.weight",),
    "gate_up.weight": ("mlp.gate_proj.weight", "mlp.up_proj.weight"),
    "down.weight": ("mlp.down_proj.weight",),
}
_WHOLE = {"embed.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight"}


def rows_of(name: str, recipe: ModelRecipe) -> tuple[int, ...]:
    """How many rows of a fused matrix belong to each of its parts; one number if it is not fused."""
    wide, dim = recipe.heads * recipe.head_dim, recipe.head_dim
    if name.endswith(("qkv.weight", "attn.c_attn.weight")):
        return wide, dim, dim
    if name.endswith("gate_up.weight"):
        return recipe.intermediate, recipe.intermediate
    return ()


def names_of(name: str) -> tuple[str, ...]:
    """Transformers' names of one of our weights, in the order of its rows."""
    if name in _WHOLE:
        return (_WHOLE[name],)
    if not name.startswith("blocks."):
        return (name.removeprefix("inner."),)
    _, number, rest = name.split(".", 2)
    return tuple(f"model.layers.{number}.{each}" for each in _FUSED[rest])


def to_transformers(
    weights: Mapping[str, Tensor], recipe: ModelRecipe
) -> Iterator[tuple[str, Tensor]]:
    """Our weights under transformers' names, fused matrices taken apart; a tied head is left out."""
    for name, weight in weights.items():
        if name.endswith("lm_head.weight"):
            continue
        names, rows = names_of(name), rows_of(name, recipe)
        parts = torch.split(weight, list(rows)) if len(names) > 1 else (weight,)
        yield from zip(names, parts, strict=True)
