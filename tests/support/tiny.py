"""A seeded two-layer Llama and a byte-level vocabulary with our special tokens, as a checkpoint folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SPECIALS = (
    "<|endoftext|>",
    "<fim_prefix>",
    "<fim_middle>",
    "<fim_suffix>",
    "<fim_pad>",
    "<reponame>",
    "<filename>",
    "<gh_stars>",
    "<|file_sep|>",
    *(f"<reserved_{number}>" for number in range(7)),
)
# Enough merges that words have more than one spelling and tokens more than one character.
MERGES = (
    ("Ġ", "Ġ"),
    ("ĠĠ", "ĠĠ"),
    ("r", "e"),
    ("re", "t"),
    ("ret", "u"),
    ("retu", "r"),
    ("retur", "n"),
    ("d", "e"),
    ("de", "f"),
    ("s", "e"),
    ("se", "l"),
    ("sel", "f"),
    ("(", ")"),
    ("Ġ", "="),
    ("i", "n"),
    ("p", "r"),
    ("in", "t"),
    ("pr", "int"),
)


def tiny_tokenizer(specials: tuple[str, ...] = SPECIALS, *, marked: bool = True) -> Any:
    """A `tokenizers.Tokenizer`: special tokens, 256 bytes, a few merges; marked as special or not."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*specials, *alphabet, *("".join(pair) for pair in MERGES)]
    tokenizer = Tokenizer(
        models.BPE(vocab={word: index for index, word in enumerate(words)}, merges=list(MERGES))
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    added = [AddedToken(each, special=marked) for each in specials]
    (tokenizer.add_special_tokens if marked else tokenizer.add_tokens)(added)
    return tokenizer


def tiny_config(**changes: Any) -> dict[str, Any]:
    """The config.json of the tiny model; `changes` replace values."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(SPECIALS) + 256 + len(MERGES),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "intermediate_size": 64,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_theta": 100000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        **changes,
    }


def tiny_tensors(config: dict[str, Any], seed: int = 0, scale: float = 0.35) -> dict[str, Any]:
    """Random weights by their usual names; scaled so that different contexts continue differently."""
    import torch

    hidden, inner = config["hidden_size"], config["intermediate_size"]
    wide = config["num_attention_heads"] * config["head_dim"]
    narrow = config["num_key_value_heads"] * config["head_dim"]
    generator = torch.Generator().manual_seed(seed)

    def matrix(rows: int, columns: int) -> torch.Tensor:
        return torch.randn(rows, columns, generator=generator) * scale

    def gain() -> torch.Tensor:
        return 1 + 0.1 * torch.randn(hidden, generator=generator)

    tensors = {"model.embed_tokens.weight": matrix(config["vocab_size"], hidden)}
    if not config["tie_word_embeddings"]:
        tensors["lm_head.weight"] = matrix(config["vocab_size"], hidden)
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        for name, rows, columns in (
            ("self_attn.q_proj", wide, hidden),
            ("self_attn.k_proj", narrow, hidden),
            ("self_attn.v_proj", narrow, hidden),
            ("self_attn.o_proj", hidden, wide),
            ("mlp.gate_proj", inner, hidden),
            ("mlp.up_proj", inner, hidden),
            ("mlp.down_proj", hidden, inner),
        ):
            tensors[f"{at}{name}.weight"] = matrix(rows, columns)
        tensors[f"{at}input_layernorm.weight"] = gain()
        tensors[f"{at}post_attention_layernorm.weight"] = gain()
    return {**tensors, "model.norm.weight": gain()}


def write_tiny(folder: Path, *, seed: int = 0, scale: float = 0.35, **changes: Any) -> Path:
    """Write the tiny model as a checkpoint folder and return the folder."""
    from engine.checkpoint import write_checkpoint
    from engine.fim import FimLayout

    config = tiny_config(**changes)
    tokenizer = folder.parent / f"{folder.name}-tokenizer"
    tokenizer.mkdir(parents=True, exist_ok=True)
    tiny_tokenizer().save(str(tokenizer / "tokenizer.json"))
    (tokenizer / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"})
    )
    write_checkpoint(
        folder,
        name="tiny",
        config=config,
        tensors=tiny_tensors(config, seed, scale),
        tokenizer=tokenizer,
        layout=FimLayout(),
        corpus={"name": "none", "hash": "c0", "recipe_hash": "r0"},
        training={"steps": 0},
    )
    return folder
