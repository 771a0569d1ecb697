"""How well does a model predict files it has never seen? Bits per byte, by language and position."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.tokenizer import Tokenizer, clean
from indexer.document import Document
from trainer.evaluation.causal import CausalModel, check_finite, rows_of

PROTOCOL = (
    "left to right, whole files after one begin or end token, without file name; windows of "
    "{window} tokens every {stride}: each token is scored once, behind at least {kept} tokens of "
    "its file where it has them; bits over all UTF-8 bytes of the files; positions count tokens "
    "from the beginning of the file, so later ones are of long files only, and of the same text "
    "for every window"
)
BUCKETS = (2048, 8192)  # StarCoder's table of long contexts compares 2K and 8K

_HEAD_ROWS = 2048  # positions whose logits exist at once


@dataclass(frozen=True, slots=True)
class LanguageLoss:
    language: str  # "all" for the sum
    position: str  # "all", or the tokens of the file from and to, such as "0-2K"
    files: int
    bytes: int
    tokens: int
    bits_per_byte: float
    nats_per_token: float


@dataclass(frozen=True, slots=True)
class Part:
    """A window of one file: which tokens the model sees and from which on they are scored."""

    file: int
    start: int
    end: int
    scored: int


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


def encode(tokenizer: Tokenizer, begin: int, text: str) -> tuple[list[int], list[int]]:
    """Tokens of a file behind a begin token, and how many of its bytes each one stands for.

    The bytes of all tokens are the bytes of the text: what a tokenizer leaves out counts with the
    token before it, and a character of several tokens with the first of them.
    """
    text = clean(text)
    ids, starts = tokenizer.encode_with_starts(text)
    if not ids:
        return [begin], [0]
    if text.isascii():
        places = [0, *starts[1:], len(text)]
    else:
        before = [0]
        for character in text:
            before.append(before[-1] + len(character.encode()))
        places = [0, *(before[each] for each in starts[1:]), before[-1]]
    for number in range(1, len(places)):
        places[number] = max(places[number], places[number - 1])
    sizes = [after - first for first, after in itertools.pairwise(places)]
    return [begin, *ids], [0, *sizes]


def batches(lengths: Sequence[int], window: int, stride: int, budget: int) -> Iterator[list[Part]]:
    """The windows of all files, long ones first, in batches of up to `budget` tokens, padded."""
    parts = [
        Part(file, *each)
        for file, length in enumerate(lengths)
        for each in windows(length, window, stride)
    ]
    parts.sort(key=lambda each: (each.start - each.end, each.file, each.start))
    batch: list[Part] = []
    for part in parts:
        if batch and (batch[0].end - batch[0].start) * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(part)
    if batch:
        yield batch


class Scorer:
    """Negative log-likelihoods of tokens under one model."""

    def __init__(self, model: CausalModel) -> None:
        self._model = model
        self._plain = _head_is_plain(model)

    def nats(self, rows: Sequence[Sequence[int]], firsts: Sequence[int]) -> list[list[float]]:
        """For each row of tokens, the nats of those from its number in `firsts` on."""
        import torch

        net, device = self._model.net, self._model.device
        ids, mask = rows_of(rows, pad=self._model.begin, left=False)
        targets = ids[:, 1:].clone()
        wanted = mask[:, 1:].bool()
        for number, first in enumerate(firsts):
            wanted[number, : first - 1] = False
        inputs = ids[:, :-1].to(device)
        with torch.inference_mode():
            # Pads stand behind the tokens, which do not see them.
            if self._plain:
                body = getattr(net, net.base_model_prefix)
                hidden = body(input_ids=inputs, use_cache=False).last_hidden_state
                head = net.get_output_embeddings()
                chosen = hidden[wanted.to(device)]
                logits = (head(each) for each in chosen.split(_HEAD_ROWS))
            else:
                whole = net(input_ids=inputs, use_cache=False).logits
                logits = iter(whole[wanted.to(device)].split(_HEAD_ROWS))
            answers = targets[wanted].to(device).split(_HEAD_ROWS)
            losses = [
                torch.nn.functional.cross_entropy(scores.float(), answer, reduction="none")
                for scores, answer in zip(logits, answers, strict=True)
            ]
        flat: Any = torch.cat(losses).cpu()
        check_finite(flat, self._model)
        counts = wanted.sum(1).tolist()
        return [each.tolist() for each in flat.split(counts)]


def _head_is_plain(model: CausalModel) -> bool:
    """Whether the logits are the output matrix of the last hidden state: then only scored places need it.

    Some families scale or cap their logits afterwards; this asks the model itself.
    """
    import torch

    net, head = model.net, model.net.get_output_embeddings()
    body = getattr(net, net.base_model_prefix, None)
    if body is None or body is net or head is None:
        return False
    ids = torch.tensor([[model.begin] * 4], device=model.device)
    with torch.inference_mode():
        hidden = body(input_ids=ids, use_cache=False)
        state = getattr(hidden, "last_hidden_state", None)
        if state is None:
            return False
        whole = net(input_ids=ids, use_cache=False).logits
        return bool(torch.allclose(head(state).float(), whole.float(), rtol=1e-3, atol=1e-3))


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
    """Adds up the losses of files, by language and by position in the file."""

    def __init__(self, bounds: Sequence[int] = BUCKETS) -> None:
        if list(bounds) != sorted(set(bounds)) or any(each < 1 for each in bounds):
            raise ValueError(
                f"--buckets needs rising numbers of tokens, not {','.join(map(str, bounds))}"
            )
        self._bounds = [0, *bounds, math.inf]
        self._names = [
            f"{_short(low)}-{_short(high)}" if high < math.inf else f"{_short(low)}+"
            for low, high in zip(self._bounds[:-1], self._bounds[1:], strict=True)
        ]
        self._sums: dict[tuple[str, str], list[float]] = {}

    def add(self, language: str, *, sizes: Sequence[int], nats: Sequence[float]) -> None:
        """One file: the bytes and the nats of each of its tokens, in their order."""
        assert len(sizes) == len(nats), "each token is scored once"
        for low, high, name in zip(self._bounds, self._bounds[1:], self._names, strict=False):
            if len(nats) > low:
                place = slice(int(low), None if high == math.inf else int(high))
                self._count(language, name, sizes[place], nats[place])
        self._count(language, "all", sizes, nats)

    def _count(
        self, language: str, position: str, sizes: Sequence[int], nats: Sequence[float]
    ) -> None:
        for name in (language, "all"):
            sums = self._sums.setdefault((name, position), [0, 0, 0, 0.0])
            for place, value in enumerate((1, sum(sizes), len(nats), math.fsum(nats))):
                sums[place] += value

    def result(self) -> list[LanguageLoss]:
        """One row per language and position, the sum of all last."""
        order = [*self._names, "all"]
        rows = []
        for language, position in sorted(
            self._sums, key=lambda each: (each[0] == "all", each[0], order.index(each[1]))
        ):
            files, size, tokens, nats = self._sums[language, position]
            rows.append(
                LanguageLoss(
                    language=language,
                    position=position,
                    files=int(files),
                    bytes=int(size),
                    tokens=int(tokens),
                    bits_per_byte=round(nats / math.log(2) / max(1, size), 4),
                    nats_per_token=round(nats / max(1, tokens), 4),
                )
            )
        return rows


def _short(tokens: float) -> str:
    whole = int(tokens)
    return f"{whole // 1024}K" if whole and whole % 1024 == 0 else str(whole)


def measure(
    model: CausalModel,
    documents: Sequence[Document],
    *,
    window: int,
    stride: int,
    bounds: Sequence[int] = BUCKETS,
    budget: int = 8192,
    seen: Any = iter,
) -> list[LanguageLoss]:
    """Score whole files; `seen` may wrap the batches to show progress.

    ValueError when the model cannot be given such windows, or gives no numbers.
    """
    if not 2 <= window <= model.positions:
        raise ValueError(
            f"--window must be 2 to {model.positions} tokens, the longest that {model.name} takes"
        )
    if not 1 <= stride < window:
        raise ValueError(f"--stride must be 1 to {window - 1} tokens, less than the window")
    sums = Sums(bounds)
    scorer = Scorer(model)
    texts = [encode(model.tokenizer, model.begin, each.text) for each in documents]
    nats: list[list[float]] = [[0.0] * (len(ids) - 1) for ids, _ in texts]
    for batch in seen(list(batches([len(ids) for ids, _ in texts], window, stride, budget))):
        rows = [texts[each.file][0][each.start : each.end] for each in batch]
        found = scorer.nats(rows, [each.scored - each.start for each in batch])
        for part, values in zip(batch, found, strict=True):
            nats[part.file][part.scored - 1 : part.end - 1] = values
    for document, (_, sizes), values in zip(documents, texts, nats, strict=True):
        sums.add(document.language, sizes=sizes[1:], nats=values)
    return sums.result()
