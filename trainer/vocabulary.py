"""Learns the byte-level BPE and writes it so that any Hugging Face tool can load it."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from engine.fim import FimLayout, sentinel_ids
from indexer.document import Document
from trainer.examples import Vocabulary

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
# Qwen2's split: single digits, words with one leading character (`.append`, `(self`), newline runs
# apart. On Python it beats StarCoder's by a tenth at equal size.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def sample(
    documents: Iterable[Document], total_bytes: int, *, corpus_bytes: int
) -> Iterator[Document]:
    """A fixed part of the documents, chosen by content hash: in proportion to their languages."""
    share = min(1.0, total_bytes / max(1, corpus_bytes))
    limit = int(share * 0x1_0000_0000)
    for document in documents:
        if int(document.sha256[:8], 16) <= limit:
            yield document


def learn(texts: Iterable[str], size: int, *, progress: bool = False) -> Any:
    """A `tokenizers.Tokenizer` of `size` entries, specials first; the same texts give the same."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=progress,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return tokenizer


def write(tokenizer: Any, folder: Path) -> None:
    """tokenizer.json and tokenizer_config.json, each swapped in whole."""
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "tokenizer.json", tokenizer.to_str(pretty=False))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|endoftext|>",
        "pad_token": "<fim_pad>",
        "model_max_length": 8192,
        "clean_up_tokenization_spaces": False,
    }
    _replace(folder / "tokenizer_config.json", json.dumps(config, indent=1) + "\n")


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    Path(name).chmod(0o644)
    Path(name).replace(path)


def tokenizer_hash(folder: Path) -> str:
    """SHA-256 of tokenizer.json."""
    return hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()


def load(folder: Path, layout: FimLayout, *, entries: int = 0) -> Vocabulary:
    """What making examples needs; FileNotFoundError says how to get a tokenizer.

    With `entries`, ValueError when the tokenizer has more than a model of so many can embed.
    """
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise FileNotFoundError(f"no tokenizer at {path}: run `footnote train tokenizer`")
    tokenizer = Tokenizer.from_file(str(path))
    if entries and tokenizer.get_vocab_size() > entries:
        raise ValueError(
            f"the tokenizer at {path} has {tokenizer.get_vocab_size():,} entries and the recipe's "
            f"model.vocabulary is {entries:,}: raise it, or give --tokenizer another one"
        )
    return vocabulary_of(tokenizer, layout)


def vocabulary_of(tokenizer: Any, layout: FimLayout) -> Vocabulary:
    """Wrap a tokenizer. Text that spells a special token is split up, never taken for it."""
    tokenizer.encode_special_tokens = True
    encode: Callable[[str], list[int]] = lambda text: tokenizer.encode(text).ids  # noqa: E731
    ids = sentinel_ids(layout, tokenizer.token_to_id, encode)
    return Vocabulary(
        encode=encode,
        ids=ids,
        pad=tokenizer.token_to_id("<fim_pad>"),
        size=tokenizer.get_vocab_size(with_added_tokens=True),
    )
