"""Tiny random models of other publishers' architectures, in folders as transformers saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.tiny import tiny_config, tiny_tokenizer

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 512,
}
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt_bigcode": (
        "GPTBigCodeConfig",
        {"n_positions": 512, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 64},
    ),
    "starcoder2": ("Starcoder2Config", {**SIZES, "sliding_window": 48, "use_bias": True}),
    "gemma": ("GemmaConfig", {**SIZES, "num_key_value_heads": 1, "head_dim": 16}),
    "granite": (
        "GraniteConfig",
        {**SIZES, "logits_scaling": 7.0, "embedding_multiplier": 3.0, "attention_multiplier": 0.2},
    ),
    "llama": ("LlamaConfig", SIZES),
    "mellum": ("LlamaConfig", {**SIZES, "num_key_value_heads": 4, "attention_bias": True}),
    "qwen2": ("Qwen2Config", SIZES),
}
# Those that our own code does not run.
FOREIGN = ("gpt_bigcode", "starcoder2", "gemma", "granite")


def family_net(name: str, *, vocabulary: int | None = None, seed: int = 0, **changes: Any) -> Any:
    """A seeded model of plain transformers; gains and biases are random too."""
    import torch
    import transformers

    kind, sizes = ARCHITECTURES[name]
    special = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    config = getattr(transformers, kind)(
        vocab_size=vocabulary or tiny_config()["vocab_size"],
        initializer_range=0.3,
        **{**special, **sizes, **changes},
    )
    torch.manual_seed(seed)
    net = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for each in net.parameters():
            if each.dim() == 1:  # ones and zeros would hide a mistake
                each.add_(0.1 * torch.randn(each.shape))
    return net.eval()


def write_family(
    folder: Path, name: str, *, tokenizer: Any = None, seed: int = 0, **changes: Any
) -> Path:
    """Save such a model with a vocabulary, the tiny one unless another is given."""
    vocabulary = tokenizer or tiny_tokenizer()
    net = family_net(name, vocabulary=vocabulary.get_vocab_size(), seed=seed, **changes)
    net.save_pretrained(folder)
    vocabulary.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"})
    )
    return folder
