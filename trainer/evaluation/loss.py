"""How well does a model predict files it has never seen? Bits per byte, by language."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.document import Document

PROTOCOL = (
    "left to right, whole files after <|endoftext|> without file name; windows of {window} tokens "
    "every {stride}: each token is scored once, behind at least {kept} tokens of its file where "
    "it has them; bits over all UTF-8 bytes of the files"
)


@dataclass(frozen=True, slots=True)
class LanguageLoss:
    language: str  # "all" for the sum
    files: int
    bytes: int
    tokens: int
    bits_per_byte: float
    nats_per_token: float


def windows(length: int, window: int, stride: int) -> list[tuple[int, int, int]]:
    """(start, end, first scored) over `length` tokens; every token but the first is scored once."""
    out = []
    scored = 1
    for start in range(0, max(1, length - window + stride), stride):
        end = min(start + window, length)
        if end > scored:
            out.append((start, end, scored))
            scored = end
    return out


def document_nats(model: Any, tokens: Sequence[int], *, window: int, stride: int) -> float:
    """Summed negative log-likelihood of tokens[1:] under a transformers model; tokens[0] is given."""
    import torch

    total = 0.0
    with torch.inference_mode():
        for start, end, scored in windows(len(tokens), window, stride):
            part = torch.tensor([tokens[start:end]], device=model.device)
            hidden = model.model(input_ids=part[:, :-1], use_cache=False).last_hidden_state
            logits = model.lm_head(hidden[0, scored - start - 1 :]).float()
            targets = part[0, scored - start :]
            total += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
    return total


def choose(documents: Iterable[Document], bytes_per_language: int) -> list[Document]:
    """Files in the order of their content hash until each language has its share."""
    taken: dict[str, int] = {}
    out = []
    for document in sorted(documents, key=lambda each: each.sha256):
        if document.text and taken.get(document.language, 0) < bytes_per_language:
            taken[document.language] = taken.get(document.language, 0) + document.size
            out.append(document)
    return sorted(out, key=lambda each: (each.language, each.sha256))


class Sums:
    """Adds up the losses of files."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}

    def add(self, language: str, *, size: int, tokens: int, nats: float) -> None:
        for name in (language, "all"):
            sums = self._sums.setdefault(name, [0, 0, 0, 0.0])
            for place, value in enumerate((1, size, tokens, nats)):
                sums[place] += value

    def result(self) -> list[LanguageLoss]:
        """One row per language, the sum of all last."""
        rows = []
        for name in sorted(self._sums, key=lambda each: (each == "all", each)):
            files, size, tokens, nats = self._sums[name]
            rows.append(
                LanguageLoss(
                    language=name,
                    files=int(files),
                    bytes=int(size),
                    tokens=int(tokens),
                    bits_per_byte=round(nats / math.log(2) / max(1, size), 4),
                    nats_per_token=round(nats / max(1, tokens), 4),
                )
            )
        return rows
