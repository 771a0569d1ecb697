"""Small GGUF files: checkpoints as our release writes them, other families by the gguf package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.support.families import BYTES, SPECIALS, family_net, family_tokenizer
from tests.support.tiny import tiny_tokenizer
from trainer.release import gguf_file
from trainer.release.source import read_source

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
PLAIN = ("f32", "f16", "q8_0")  # types that our release writes
_UNMARKED = ("qwen2.5-coder",)


def converted(folder: Path, path: Path, kind: str = "f32") -> Path:
    """A checkpoint folder as one file."""
    gguf_file.write(gguf_file.plan(read_source(folder)), path, kind, facts={})
    return path


def write_net(path: Path, name: str, net: Any, words: dict[str, Any]) -> Path:
    """A model of plain transformers in float32 with a vocabulary (see `vocabulary_of`)."""
    config = net.config
    writer = gguf.GGUFWriter(path, name)
    writer.add_name(f"tiny {name}")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    if name == "gemma":
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    writer.add_rope_freq_base((config.rope_parameters or {}).get("rope_theta", 10000.0))
    if name == "starcoder2":
        writer.add_layer_norm_eps(config.norm_epsilon)
    else:
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    describe(writer, words)
    arch = next(key for key, each in gguf.MODEL_ARCH_NAMES.items() if each == name)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    tied = config.tie_word_embeddings
    for key, tensor in net.state_dict().items():
        if tied and key.startswith("lm_head"):
            continue
        values = tensor.float().numpy()
        if name == "gemma" and key.endswith("norm.weight"):
            values = values + 1
        writer.add_tensor(names.get_name(key, (".weight", ".bias")), np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def vocabulary_of(tokenizer: Any = None, *, family: str = "") -> dict[str, Any]:
    """The keys of a vocabulary: byte-level, or SentencePiece's for those that have such a one."""
    tokenizer = tokenizer or (family_tokenizer(family) if family else tiny_tokenizer())
    words = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    specials = (
        SPECIALS[family]
        if family
        else tuple(t.content for t in tokenizer.get_added_tokens_decoder().values())
    )
    special = USER_DEFINED if family in _UNMARKED else CONTROL
    types = [special if each in specials else NORMAL for each in words]
    found: dict[str, Any] = {"tokens": words, "types": types}
    if "<0x00>" in words:
        types = [
            UNKNOWN if each == "<unk>" else BYTE if each in BYTES else kind
            for each, kind in zip(words, types, strict=True)
        ]
        scores = [0.0 if kind != NORMAL else -float(place) for place, kind in enumerate(types)]
        return {**found, "types": types, "model": "llama", "scores": scores}
    import json

    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return {**found, "model": "gpt2", "pre": "gpt-2", "merges": [" ".join(each) for each in merges]}


def describe(writer: Any, words: dict[str, Any]) -> None:
    writer.add_tokenizer_model(words["model"])
    if "pre" in words:
        writer.add_tokenizer_pre(words["pre"])
    writer.add_token_list(words["tokens"])
    writer.add_token_types(words["types"])
    if "scores" in words:
        writer.add_token_scores(words["scores"])
    if "merges" in words:
        writer.add_token_merges(words["merges"])
    for key, value in words.get("keys", {}).items():
        key = f"tokenizer.ggml.{key}"
        (writer.add_bool if isinstance(value, bool) else writer.add_uint32)(key, value)


def family_file(path: Path, family: str, **keys: Any) -> Path:
    """A small random model with a family's special tokens, and no other keys but those given."""
    words = vocabulary_of(family=family)
    named = {
        "bos_token_id": 0,
        "eos_token_id": _end(family, words["tokens"]),
        "add_bos_token": False,
    }
    words["keys"] = named | keys
    return write_net(path, "qwen2", family_net("qwen2", vocabulary=len(words["tokens"])), words)


def _end(family: str, words: list[str]) -> int:
    ends = (
        "<|endoftext|>",
        "<|end_of_text|>",
        "</s>",
        "<eos>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
    )
    return next(words.index(each) for each in ends if each in words)


def k_quants(path: Path, *, seed: int = 0) -> Path:
    """A random Llama as Q4_K_M stores one: most matrices in Q4_K, some in Q6_K."""
    wide, layers, words = 256, 2, vocabulary_of()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("k-quants")
    writer.add_context_length(1024)
    writer.add_embedding_length(wide)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(wide)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    describe(
        writer, {**words, "keys": {"bos_token_id": 0, "eos_token_id": 0, "add_bos_token": False}}
    )
    chance = np.random.default_rng(seed)
    fours, sixes = gguf.GGMLQuantizationType.Q4_K, gguf.GGMLQuantizationType.Q6_K

    def add(name: str, rows: int, kind: Any = fours) -> None:
        size = gguf.GGML_QUANT_SIZES[kind][1]
        blocks = chance.integers(0, 256, (rows, size), np.uint8)
        if kind is fours:  # scales and least values of which the numbers come out around 0
            blocks[:, :4] = np.array([0.0025, 0.0025 * 7.5], np.float16).view(np.uint8)
            blocks[:, 4:16] = [8] * 8 + [0x88] * 4
        else:
            blocks[:, -18:-2] = 1
            blocks[:, -2:] = np.array([0.005], np.float16).view(np.uint8)
        writer.add_tensor(f"{name}.weight", blocks, raw_dtype=kind)

    add("token_embd", len(words["tokens"]), sixes)
    writer.add_tensor("output_norm.weight", np.ones(wide, np.float32))
    for layer in range(layers):
        at = f"blk.{layer}."
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{at}{norm}.weight", np.ones(wide, np.float32))
        for name, rows in (("attn_q", wide), ("attn_k", wide // 2), ("attn_output", wide)):
            add(at + name, rows)
        add(f"{at}attn_v", wide // 2, sixes)
        for name in ("ffn_gate", "ffn_up"):
            add(at + name, wide)
        add(f"{at}ffn_down", wide, sixes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
