"""Writes a checkpoint as one file for llama.cpp, by the gguf package, and reads it back."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.checkpoint import GGUF_CORPUS, GGUF_LAYOUT, GGUF_SERVING
from engine.fim import layout_to_json
from trainer.release.architectures import Architecture, Placed, architecture_of
from trainer.release.source import ReleaseError, Source
from trainer.release.vocabularies import GgufVocabulary, gguf_vocabulary

TYPES = ("f32", "bf16", "f16", "q8_0")
_BLOCK = 32  # numbers that share a scale in Q8_0: a row must be made of whole blocks
_LARGEST_HALF = 65504.0
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class GgufPlan:
    """All that can be refused has been refused; what is left is writing."""

    source: Source
    architecture: Architecture
    vocabulary: GgufVocabulary


def plan(source: Source) -> GgufPlan:
    """Check that llama.cpp runs such a model and reads such a tokenizer; ReleaseError if not."""
    return GgufPlan(
        source=source,
        architecture=architecture_of(source.architecture, source.config, frozenset(source.tensors)),
        vocabulary=gguf_vocabulary(source),
    )


def write(made: GgufPlan, path: Path, kind: str, *, facts: Mapping[str, str]) -> None:
    """Write one file of a type in `TYPES`; the weights pass through memory one by one.

    `facts` are what the source does not know: the licence, and keys of ours.
    """
    import gguf

    writer = gguf.GGUFWriter(path, made.architecture.name)
    try:
        _describe(writer, made, kind, facts)
        placed = made.architecture.tensors
        for each in placed:
            kept = _stored_type(each, made.source, kind)
            stored = gguf.quant_shape_to_byte_shape(made.source.tensor(each.source).shape, kept)
            size = int(np.prod(stored))
            writer.add_tensor_info(each.name, stored, np.dtype(np.uint8), size, kept)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for each in placed:
            kept = _stored_type(each, made.source, kind)
            writer.write_tensor_data(_encoded(_values(each, made.source), kept, each.source))
    finally:
        writer.close()


def _stored_type(each: Placed, source: Source, kind: str) -> Any:
    """Vectors stay float32, as llama.cpp wants them; rows of no whole blocks become F16."""
    import gguf

    shape = source.tensor(each.source).shape
    if len(shape) == 1 or each.exact:
        return gguf.GGMLQuantizationType.F32
    if kind == "q8_0" and shape[-1] % _BLOCK:
        return gguf.GGMLQuantizationType.F16
    return gguf.GGMLQuantizationType[kind.upper()]


def _values(each: Placed, source: Source) -> Array:
    values: Array = source.tensor(each.source).float().numpy()
    return paired(values, each.heads) if each.heads else values


def paired(rows: Array, heads: int) -> Array:
    """Each head's rows from (i, i + half) to neighbours: llama.cpp turns neighbours, we halves."""
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows.shape))


def halved(rows: Array, heads: int) -> Array:
    """The inverse of `paired`."""
    pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(rows.shape))


def _encoded(values: Array, kept: Any, name: str) -> Array:
    import gguf

    if kept.name == "F16" and float(np.abs(values).max(initial=0)) > _LARGEST_HALF:
        raise ReleaseError(
            f"{name} has numbers above {_LARGEST_HALF:.0f}, which F16 cannot hold: use bf16"
        )
    encoded: Array = gguf.quants.quantize(values, kept)
    return encoded


def _describe(writer: Any, made: GgufPlan, kind: str, facts: Mapping[str, str]) -> None:
    import gguf

    kinds = {
        "f32": gguf.LlamaFileType.ALL_F32,
        "f16": gguf.LlamaFileType.MOSTLY_F16,
        "bf16": gguf.LlamaFileType.MOSTLY_BF16,
        "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    }
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(made.source.name)
    writer.add_file_type(kinds[kind])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for key, value in {**_own(made.source), **facts}.items():
        writer.add_string(key, value)
    made.architecture.describe(writer)
    words = made.vocabulary
    writer.add_vocab_size(len(words.tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(words.split)
    writer.add_token_list(words.tokens)
    writer.add_token_types(words.types)
    writer.add_token_merges(words.merges)
    # Without these llama.cpp takes GPT-2's numbers for the ends, and puts one before every text.
    writer.add_bos_token_id(words.end if words.begin is None else words.begin)
    writer.add_eos_token_id(words.end)
    writer.add_eot_token_id(words.end)
    writer.add_pad_token_id(words.end if words.pad is None else words.pad)
    writer.add_add_bos_token(words.begin is not None)
    writer.add_add_eos_token(value=False)
    writer.add_add_space_prefix(value=False)
    for role, token in words.roles.items():
        writer.add_uint32(f"tokenizer.ggml.fim_{role}_token_id", token)


def _own(source: Source) -> dict[str, str]:
    """What llama.cpp has no keys for; without them nobody would ask in our order."""
    corpus, serving = (dict(source.about.get(key, {})) for key in ("corpus", "serving"))
    named = {
        GGUF_LAYOUT: json.dumps(layout_to_json(source.layout)),
        GGUF_SERVING: json.dumps(serving) if serving else "",
        **{f"{GGUF_CORPUS}{key}": str(corpus.get(key, "")) for key in ("hash", "recipe_hash")},
    }
    return {key: value for key, value in named.items() if value}


def read(made: GgufPlan, path: Path) -> Iterator[tuple[str, Any]]:
    """The weights in a file that `write` made, by their names in the checkpoint, as float32."""
    import gguf
    import torch

    stored = {each.name: each for each in gguf.GGUFReader(path).tensors}
    for each in made.architecture.tensors:
        found = stored[each.name]
        values = gguf.quants.dequantize(found.data, found.tensor_type)
        values = values.reshape(tuple(reversed([int(n) for n in found.shape])))
        if each.heads:
            values = halved(values, each.heads)
        yield each.source, torch.from_numpy(np.array(values, dtype=np.float32))
