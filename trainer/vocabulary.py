"""Learns the byte-level BPE and writes it so that any Hugging Face tool can load it."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.fim import FimLayout, sentinel_ids
from engine.layouts import layout_of
from indexer.document import Document
from trainer.encoding import SPLIT, encoder_of
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
# What may fill a row: it is never learned, so it must not be a token that is.
_PADS = ("<fim_pad>", "<|fim_pad|>", "<pad>", "<|pad|>", "[PAD]", "<\uff5c\u2581pad\u2581\uff5c>")
_REPOSITORY = ("<reponame>", "<repo_name>")
_SEPARATOR = ("<|file_sep|>", "<file_sep>")


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
    """What making examples needs; FileNotFoundError or ValueError say how to get a tokenizer.

    With `entries`, ValueError when the tokenizer has more than a model of so many can embed.
    """
    vocabulary = vocabulary_of(_open(folder), layout)
    if entries and vocabulary.size > entries:
        raise ValueError(
            f"the tokenizer in {folder} has {vocabulary.size:,} entries and the recipe's "
            f"model.vocabulary is {entries:,}: raise it, or learn another with `footnote train "
            f"tokenizer --size {entries} --out FOLDER` and give --tokenizer FOLDER"
        )
    return vocabulary


def layout_in(folder: Path) -> FimLayout:
    """The layout to train with: ours, as far as the tokenizer has the tokens for it.

    Another family's vocabulary keeps its own spelling. ValueError when it has no such tokens.
    """
    find = _open(folder).token_to_id
    ours = FimLayout()

    def first(*tokens: str) -> str:
        return next((each for each in tokens if find(each) is not None), "")

    if all(first(each) for each in (ours.prefix, ours.suffix, ours.middle, ours.end)):
        return replace(
            ours,
            file_name=first(ours.file_name),
            repo_name=first(*_REPOSITORY),
            file_sep=first(*_SEPARATOR),
        )
    known = layout_of(find)
    if known is None:
        raise ValueError(
            f"the tokenizer in {folder} has no fill-in-the-middle tokens: "
            "`footnote train tokenizer` learns one that has them"
        )
    return replace(known, spm=ours.spm)


def _open(folder: Path) -> Any:
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise FileNotFoundError(f"no tokenizer at {path}: run `footnote train tokenizer`")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exceptions
        raise ValueError(
            f"{path} is damaged ({error}): copy it again, or run `footnote train tokenizer`"
        ) from error


def vocabulary_of(tokenizer: Any, layout: FimLayout) -> Vocabulary:
    """Wrap a tokenizer. Text that spells a special token is split up, never taken for it."""
    tokenizer.encode_special_tokens = True
    encode = encoder_of(tokenizer)
    try:
        ids = sentinel_ids(layout, tokenizer.token_to_id, encode)
    except ValueError as error:
        raise ValueError(f"{error}; `footnote train tokenizer` learns one that has it") from None
    learned = {ids.prefix, ids.suffix, ids.middle, ids.end, ids.file_name}
    learned |= {ids.repo_name, ids.file_sep}
    pads = (tokenizer.token_to_id(each) for each in _PADS)
    pad = next((each for each in pads if each is not None and each not in learned), None)
    if pad is None:
        raise ValueError(
            f"the tokenizer has no token to fill rows with (one of {', '.join(_PADS)}): "
            "`footnote train tokenizer` learns one that has it"
        )
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    return Vocabulary(encode=encode, ids=ids, pad=pad, size=size)
