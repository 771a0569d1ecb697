"""What storing weights in fewer bits costs: the changed model beside the original, on one text.

Both run in float32 in transformers with the weights as they come out of the stored file, so each
figure is a test of reading that file as well.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.tokenizer import Tokenizer
from indexer.home import held_out_folder
from indexer.shards import MANIFEST, CorpusUnavailable, open_shards, read_documents
from trainer.evaluation.report import progress, quiet
from trainer.release.source import ReleaseError

WINDOW = 512  # tokens
SAMPLE_BYTES = 40_000
_PIECE_BYTES = 4_000  # of one file: more files say more than more of one
_SUFFIXES = {".py", ".js", ".ts", ".tsx", ".jsx", ".md", ".txt", ".toml", ".json", ".yaml", ".java",
             ".c", ".cpp", ".h", ".go", ".rs", ".sh"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    what: str  # where the text is from, for the card
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loss:
    """One stored form against the original."""

    form: str
    bytes: int  # of its files
    bits_per_byte: float
    change_percent: float  # of the bits per byte
    logit_error_max: float
    logit_error_mean: float
    top1_agreement: float  # how often the likeliest token is the same


def sample_of(given: Path | None) -> Sample:
    """A text to measure on: a file, a folder of files or of shards; else the held-out packages.

    Without those it is this program's own source. ReleaseError when what is given holds no text.
    """
    if given is not None:
        folder = given if given.is_dir() else None
        if folder is not None and (folder / MANIFEST).is_file():
            return _of_shards(folder)
        return _of_files(given, given.name)
    try:
        return _of_shards(held_out_folder())
    except CorpusUnavailable:
        return _of_files(Path(__file__).parents[2] / "engine", "the source of Footnote's engine")


def _of_shards(folder: Path) -> Sample:
    manifest = open_shards(folder)
    documents = sorted(read_documents(folder, ("text", "sha256")), key=lambda each: each.sha256)
    what = f"{manifest.name or folder.name} {manifest.corpus_hash[:12]}"
    return Sample(what, _cut(each.text for each in documents))


def _of_files(path: Path, what: str) -> Sample:
    paths = [path]
    if path.is_dir():
        found = (each for each in path.rglob("*") if each.suffix in _SUFFIXES and each.is_file())
        paths = sorted(found, key=lambda each: hashlib.sha256(str(each).encode()).hexdigest())
    try:
        texts = _cut(each.read_text(encoding="utf-8", errors="replace") for each in paths)
    except OSError as error:
        raise ReleaseError(f"the sample cannot be read ({error}): name another --sample") from error
    if not texts:
        raise ReleaseError(f"{path} holds no text to measure on: name another --sample")
    return Sample(what, texts)


def _cut(texts: Iterable[str]) -> tuple[str, ...]:
    pieces: list[str] = []
    left = SAMPLE_BYTES
    for text in texts:
        if left <= 0:
            break
        piece = text.encode("utf-8", "replace")[: min(left, _PIECE_BYTES)].decode("utf-8", "ignore")
        if piece.strip():
            pieces.append(piece)
            left -= len(piece.encode())
    return tuple(pieces)


def protocol(sample: Sample, length: int) -> str:
    size = sum(len(each.encode()) for each in sample.texts)
    return (
        f"{size:,} bytes of {sample.what}, the first {_PIECE_BYTES:,} bytes of a file at most; "
        f"windows of {length} tokens, each after the end token alone; float32 in transformers, with "
        "the weights as read back from the stored file"
    )


def load_model(folder: Path) -> Any:
    """The checkpoint in transformers, in float32; ReleaseError when weights are missing or left."""
    quiet()
    import torch
    from transformers import AutoModelForCausalLM

    loading: Any = AutoModelForCausalLM
    try:
        model, found = loading.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except (ValueError, RuntimeError, KeyError, OSError) as error:
        raise ReleaseError(
            f"transformers cannot load {folder} ({str(error).splitlines()[0]}): export it again"
        ) from error
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if found.get(kind):
            raise ReleaseError(
                f"transformers finds {kind.replace('_', ' ')} in {folder}, such as "
                f"{sorted(map(str, found[kind]))[0]}: weights and config.json are of different models"
            )
    model.eval()
    return model


def replace_weights(model: Any, tensors: Iterable[tuple[str, Any]]) -> None:
    """Put other values into a loaded model, under the names of its checkpoint."""
    import torch

    places = dict(model.named_parameters(remove_duplicate=False))
    left = {each.data_ptr(): name for name, each in places.items()}
    with torch.no_grad():
        for name, tensor in tensors:
            if name in places:
                places[name].copy_(tensor)
                left.pop(places[name].data_ptr(), None)
    if left:
        raise ReleaseError(
            f"{min(left.values())} was not read back from what was written: this is a fault of "
            "Footnote's; report it, and leave that form of the weights out"
        )


def compare(
    original: Any,
    forms: Mapping[str, tuple[Any, int]],
    tokenizer: Tokenizer,
    *,
    end: int,
    sample: Sample,
) -> tuple[float, list[Loss]]:
    """Bits per byte of the original, and each form's loss; `forms` are models and their bytes."""
    import torch

    sums = {name: _Sums() for name in forms}
    nats, size = 0.0, sum(len(each.encode()) for each in sample.texts)
    with torch.inference_mode():
        rows = list(windows(sample, tokenizer, end, length_of(original.config)))
        for window in progress(rows, "comparing"):
            ids = torch.tensor([window])
            expected = original(ids[:, :-1], use_cache=False).logits[0].float()
            nats += _nats(expected, window)
            for name, (model, _) in forms.items():
                found = model(ids[:, :-1], use_cache=False).logits[0].float()
                sums[name].add(expected, found, window)
    base = nats / math.log(2) / max(1, size)
    return base, [
        each.loss(name, forms[name][1], base=base, size=size) for name, each in sums.items()
    ]


def length_of(config: Any) -> int:
    """Tokens in a window: as many as the model has positions for, at most `WINDOW`."""
    positions = getattr(config, "max_position_embeddings", None)
    return min(WINDOW, int(positions)) if positions else WINDOW


def windows(sample: Sample, tokenizer: Tokenizer, end: int, length: int) -> Iterator[Sequence[int]]:
    """Token ids to predict, behind one end token each; every token of the sample once."""
    for text in sample.texts:
        ids = tokenizer.encode(text)
        for start in range(0, len(ids), length):
            yield [end, *ids[start : start + length]]


def _nats(logits: Any, window: Sequence[int]) -> float:
    import torch

    targets = torch.tensor(window[1:])
    return float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))


class _Sums:
    """Adds up the differences of one form over windows."""

    def __init__(self) -> None:
        self.nats = self.total = self.largest = 0.0
        self.agreed = self.tokens = self.numbers = 0

    def add(self, expected: Any, found: Any, window: Sequence[int]) -> None:
        error = (found - expected).abs()
        self.nats += _nats(found, window)
        self.largest = max(self.largest, float(error.max()))
        self.total += float(error.sum(dtype=error.dtype))
        self.numbers += error.numel()
        self.agreed += int((expected.argmax(-1) == found.argmax(-1)).sum())
        self.tokens += len(window) - 1

    def loss(self, form: str, stored: int, *, base: float, size: int) -> Loss:
        bits = self.nats / math.log(2) / max(1, size)
        return Loss(
            form=form,
            bytes=stored,
            bits_per_byte=round(bits, 5),
            change_percent=round(100 * (bits - base) / base, 4) + 0.0 if base else 0.0,
            logit_error_max=round(self.largest, 5),
            logit_error_mean=round(self.total / max(1, self.numbers), 6),
            top1_agreement=round(self.agreed / max(1, self.tokens), 5),
        )
