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


BYTES = tuple(f"<0x{number:02X}>" for number in range(256))
# The special tokens of each family, in its own spelling: the begin token first, if it has one.
SPECIALS: dict[str, tuple[str, ...]] = {
    "starcoder": ("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<|endoftext|>", "<filename>", "<reponame>"),
    "starcoder2": ("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<|endoftext|>", "<repo_name>", "<file_sep>"),
    "qwen2.5-coder": (
        "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|endoftext|>", "<|repo_name|>", "<|file_sep|>",
    ),
    "deepseek-coder": (
        "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "<\uff5cfim\u2581begin\uff5c>",
        "<\uff5cfim\u2581hole\uff5c>", "<\uff5cfim\u2581end\uff5c>",
    ),
    "codegemma": ("<bos>", "<eos>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>"),
    "codellama": ("<s>", "</s>", "\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>", "\u2581<EOT>"),
    "granite": ("<|end_of_text|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>"),
    "santacoder": ("<|endoftext|>", "<fim-prefix>", "<fim-middle>", "<fim-suffix>", "<fim-pad>"),
}  # fmt: skip
_BEGINS = ("deepseek-coder", "codegemma", "codellama")
_UNMARKED = ("qwen2.5-coder",)  # its sentinels are added tokens, but not special ones


def family_tokenizer(name: str) -> Any:
    """A small vocabulary built as the family builds its own: byte-level, or SentencePiece's way."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

    tokens = SPECIALS[name]
    if name in ("codegemma", "codellama"):
        words = [*tokens, "<unk>", *BYTES, "\u2581", *"abcdefghijklmnopqrstuvwxyz()=:.,"]
        merges = [("\u2581", "a"), ("\u2581", "="), ("i", "n")]
        vocabulary = {
            each: number for number, each in enumerate([*words, "\u2581a", "\u2581=", "in"])
        }
        tokenizer = Tokenizer(
            models.BPE(vocabulary, merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>")
        )
        blanks = normalizers.Replace(" ", "\u2581")
        tokenizer.normalizer = blanks
        steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
        if name == "codellama":
            tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), blanks])
            steps.append(decoders.Strip(" ", 1, 0))
        tokenizer.decoder = decoders.Sequence(steps)
        tokenizer.add_special_tokens([AddedToken(each, normalized=False) for each in tokens])
    else:
        tokenizer = tiny_tokenizer(tokens, marked=name not in _UNMARKED)
    if name in _BEGINS:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{tokens[0]} $A", special_tokens=[(tokens[0], tokenizer.token_to_id(tokens[0]))]
        )
    return tokenizer
