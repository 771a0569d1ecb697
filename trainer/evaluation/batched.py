"""Continues many prompts at once: padded on the left, and rows that have ended are dropped."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.evaluation.causal import CausalModel, check_finite, rows_of

Seen = Callable[[Sequence[list[int]]], Iterable[list[int]]]


@dataclass(frozen=True, slots=True)
class Continuation:
    """What one prompt is continued with."""

    prompt: list[int]
    limit: int  # new tokens at most
    seed: int = 0  # of this row's own dice: its text does not depend on its neighbours


def continue_all(
    model: CausalModel,
    wanted: Sequence[Continuation],
    *,
    temperature: float = 0.0,
    budget: int = 8192,
    seen: Seen = iter,
) -> list[list[int]]:
    """The new tokens of every prompt, without the one that ended it; greedy at temperature 0.

    `budget` bounds the tokens of a batch, which holds prompts of about the same length; `seen` may
    wrap the batches to show progress. ValueError when a prompt is too long for the model, or when
    it gives no numbers.
    """
    for each in wanted:
        if len(each.prompt) + each.limit > model.positions:
            raise ValueError(
                f"{model.name} takes {model.positions} tokens: lower --context to "
                f"{max(1, model.positions - each.limit)}"
            )
    out: list[list[int]] = [[] for _ in wanted]
    for batch in seen(list(_batches(wanted, budget))):
        texts = _continue(model, [wanted[each] for each in batch], temperature)
        for number, text in zip(batch, texts, strict=True):
            out[number] = text
    return out


def _batches(wanted: Sequence[Continuation], budget: int) -> Iterator[list[int]]:
    """Numbers of prompts, long ones first, so that what is too much for the memory fails at once."""
    order = sorted(range(len(wanted)), key=lambda each: (-len(wanted[each].prompt), each))
    batch: list[int] = []
    for number in order:
        longest = wanted[batch[0]] if batch else wanted[number]
        if batch and (len(longest.prompt) + longest.limit) * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def _continue(
    model: CausalModel, wanted: Sequence[Continuation], temperature: float
) -> list[list[int]]:
    """One batch, token by token."""
    import torch

    net, device = model.net, model.device
    # An empty prompt is none: a row needs one token to stand on.
    ids, mask = rows_of([e.prompt or [model.begin] for e in wanted], pad=model.begin, left=True)
    ids, mask = ids.to(device), mask.to(device)
    dice = [torch.Generator().manual_seed(each.seed) for each in wanted]
    out: list[list[int]] = [[] for _ in wanted]
    standing = list(range(len(wanted)))  # the rows of the tensors
    rows = [number for number in standing if wanted[number].limit > 0]  # those that go on
    cache: Any = None
    places = mask.cumsum(1) - 1
    with torch.inference_mode():
        while rows:
            if len(rows) < len(ids):
                kept = torch.tensor([standing.index(each) for each in rows], device=device)
                ids, mask, places = ids[kept], mask[kept], places[kept]
                if cache is not None:
                    cache.batch_select_indices(kept)
            result = net(
                input_ids=ids,
                attention_mask=mask,
                position_ids=places.clamp(min=0),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = result.past_key_values
            scores = result.logits[:, -1].float().cpu()
            check_finite(scores, model)
            chosen = _choose(scores, [dice[each] for each in rows], temperature)
            standing = list(rows)
            for number, token in zip(standing, chosen, strict=True):
                if token in model.ends:
                    rows.remove(number)
                    continue
                out[number].append(token)
                if len(out[number]) == wanted[number].limit:
                    rows.remove(number)
            ids = torch.tensor(chosen, device=device).unsqueeze(1)
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            places = places[:, -1:] + 1
    return out


def _choose(scores: Any, dice: Sequence[Any], temperature: float) -> list[int]:
    """The next token of each row. scores: [rows, vocabulary]"""
    import torch

    if temperature <= 0:
        best: list[int] = scores.argmax(1).tolist()
        return best
    shares = torch.softmax(scores / temperature, 1)
    return [
        int(torch.multinomial(share, 1, generator=generator))
        for share, generator in zip(shares, dice, strict=True)
    ]
