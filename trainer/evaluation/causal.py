"""Any causal language model in a folder, ours or another publisher's, opened for measuring."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.tokenizer import Tokenizer
from trainer.evaluation.report import quiet

DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class CausalModel:
    """A transformers model on its device, its vocabulary, and what results are filed under."""

    name: str
    folder: Path
    net: Any  # a transformers PreTrainedModel
    tokenizer: Tokenizer
    begin: int  # what stands before a text: the begin token, or else the end token
    ends: frozenset[int]  # whatever ends a continuation
    positions: int  # the longest row the model can be given
    device: str
    dtype: str

    def about(self) -> dict[str, Any]:
        """What a result says about the model it is of."""
        return {
            "model": self.name,
            "parameters": sum(each.numel() for each in self.net.parameters()),
            "device": self.device,
            "dtype": self.dtype,
        }


def load_causal(folder: Path, *, device: str = "auto", dtype: str = "auto") -> CausalModel:
    """Open a checkpoint folder. OSError or ValueError, with the remedy, when that cannot be done.

    `auto` is CUDA where there is one, and the precision that the weights are stored in (float32
    in place of float16 where there is no accelerator). Nothing that runs code is loaded.
    """
    quiet()
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    where = device_of(device)
    if dtype not in DTYPES:
        raise ValueError(f"--dtype knows {', '.join(DTYPES)}, not {dtype!r}")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        vocabulary: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        loading: Any = AutoModelForCausalLM
        net, report = loading.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=_dtype(dtype),
            output_loading_info=True,
        )
    except Exception as error:  # the libraries under it raise bare Exceptions of their own
        first = str(error).strip().split("\n", 1)[0]
        raise ValueError(
            f"{folder} cannot be opened as a causal language model ({first}): name a folder with "
            "config.json, a tokenizer and weights as safetensors"
        ) from error
    if missing := sorted(report["missing_keys"]):
        # transformers would go on with random numbers in their place.
        raise ValueError(
            f"{folder} lacks {len(missing)} weights, {missing[0]} among them: copy the whole folder"
        )
    if net.dtype == torch.float16 and where == "cpu":
        net = net.float()
    net = net.to(where).eval()
    backend = getattr(vocabulary, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(f"{folder} has no tokenizer.json: save its tokenizer as a fast one first")
    tokenizer = Tokenizer(backend)
    return CausalModel(
        name=name_of(folder),
        folder=folder,
        net=net,
        tokenizer=tokenizer,
        begin=_begin(vocabulary, tokenizer, folder),
        ends=_ends(vocabulary, tokenizer),
        positions=_positions(config),
        device=where,
        dtype=str(net.dtype).removeprefix("torch."),
    )


def device_of(wanted: str) -> str:
    """The device to use; ValueError for one that is not there."""
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted not in ("cpu", "cuda"):
        raise ValueError(f"--device knows auto, cpu and cuda, not {wanted!r}")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("this machine has no CUDA device: leave out --device")
    return wanted


def _dtype(wanted: str) -> Any:
    import torch

    return "auto" if wanted == "auto" else getattr(torch, wanted)


def name_of(folder: Path) -> str:
    """What a model is called in results: as its footnote.json says, or like its folder."""
    about = folder / "footnote.json"
    try:
        return str(json.loads(about.read_text(encoding="utf-8"))["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return folder.resolve().name


def _begin(vocabulary: Any, tokenizer: Tokenizer, folder: Path) -> int:
    if tokenizer.opening:
        return tokenizer.opening[0]
    for each in (vocabulary.eos_token_id, vocabulary.bos_token_id):
        if each is not None:
            return int(each)
    raise ValueError(
        f"the tokenizer in {folder} names no begin and no end token: set eos_token in "
        "tokenizer_config.json"
    )


# Not every publisher marks its sentinels as special tokens; none of them is text.
_SENTINELS = (
    "<|endoftext|> <fim_prefix> <fim_suffix> <fim_middle> <fim_pad> <filename> <reponame> "
    "<file_sep> <|file_sep|> <|repo_name|> <|fim_prefix|> <|fim_suffix|> <|fim_middle|> "
    "<|fim_pad|> <|file_separator|>"
).split()


def _ends(vocabulary: Any, tokenizer: Tokenizer) -> frozenset[int]:
    found = {tokenizer.id_of(each) for each in _SENTINELS}
    found |= {vocabulary.eos_token_id, *tokenizer.special_ids}
    return frozenset(each for each in found if each is not None)


def _positions(config: Any) -> int:
    for name in ("max_position_embeddings", "n_positions"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return 2048


def check_finite(values: Any, what: CausalModel) -> None:
    """ValueError when a tensor of results holds anything that is no number."""
    import torch

    if not bool(torch.isfinite(values).all()):
        raise ValueError(
            f"{what.name} gives no numbers (NaN or infinity) in {what.dtype}: its weights are "
            "damaged, or it needs --dtype float32"
        )


def rows_of(parts: Sequence[Sequence[int]], *, pad: int, left: bool) -> tuple[Any, Any]:
    """Token rows of unequal length as one tensor, and a mask that is 1 where a token is."""
    import torch

    longest = max(len(each) for each in parts)
    rows = torch.full((len(parts), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(parts), longest), dtype=torch.long)
    for number, part in enumerate(parts):
        place = slice(longest - len(part), longest) if left else slice(0, len(part))
        rows[number, place] = torch.tensor(list(part), dtype=torch.long)
        mask[number, place] = 1
    return rows, mask
