"""Small checkpoints to be released, of each architecture and split that a release knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.tiny import tiny_tokenizer

# What splits, digits, blanks, marks and byte fallbacks could make of a text.
UGLY = (
    "def f(x):\n    return x + 12345\n",
    "\tif a:\r\n\t\tb = 'it''s'\r\n\r\n\n  \n",
    "x  =   3.14e-10;  // \u00e9\u0301 \u4f60\u597d \ud55c\uae00 \U0001f469\u200d\U0001f4bb\U0001f1e9\U0001f1ea",
    "a\u00a0b\u2003c\u3000d\u0085e\u2028f\u200bg\ufeffh\u1680i\u180ej",
    "\u0663\u56db\u00bd\u00b2\u2167 1\u0661 x1y22z333 \u01c5\u02b0\u0e33",
    "I'LL they'Re 's'S \u017f'\u017f don't",
    "<fim_prefix><|endoftext|> <fim_middle> <|file_sep|>",
    "{}[]()<>!==&&||->::;;,,..\\\\//**##$$@@``~~^^%%",
    "   leading\n\n\n   trailing   ",
    "\x01\x02\x1b[0m\x7f",
)


def write_bigcode(folder: Path, *, seed: int = 0, **changes: Any) -> Path:
    """A seeded GPTBigCode with StarCoder's split, as transformers saves it: no footnote.json."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"})
    )
    torch.manual_seed(seed)
    sizes = {"n_positions": 256, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 64}
    config = {
        "vocab_size": tokenizer.get_vocab_size(),
        "initializer_range": 0.35,
        **sizes,
        **changes,
    }
    model = GPTBigCodeForCausalLM(GPTBigCodeConfig(bos_token_id=0, eos_token_id=0, **config))
    with torch.no_grad():
        for name, each in model.named_parameters():
            if (
                each.dim() == 1
            ):  # gains and biases start as ones and zeros, which would hide a mistake
                each.add_(0.1 * torch.randn(each.shape)) if "bias" not in name else each.normal_(
                    0, 0.1
                )
    model.save_pretrained(folder)
    return folder


def edit_json(path: Path, **changes: Any) -> None:
    """Replace top-level values of a JSON file."""
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, **changes}))
