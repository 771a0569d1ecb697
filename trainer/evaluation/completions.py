"""A model's completions of programming tasks: batched, seeded row by row, cut where a protocol stops."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.fim import Order
from trainer.evaluation.cases import Case
from trainer.evaluation.causal import CausalModel, rows_of
from trainer.evaluation.raw import RawModel
from trainer.evaluation.tasks import Task

CONTEXT = 2048  # tokens around a gap, where the model takes as many
_TAIL = 24  # tokens in which a stop sequence is looked for; none of the protocols' is longer


@dataclass(frozen=True, slots=True)
class Decoding:
    """Greedy at temperature 0, which is good for one sample a task."""

    samples: int = 1
    temperature: float = 0.0
    top_p: float = 0.95
    tokens: int = 512  # new ones at most
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 1 or self.tokens < 1 or self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                "--samples and --tokens start at 1, --temperature at 0, and --top-p lies above 0 "
                "and at most at 1"
            )
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(
                f"{self.samples} greedy samples are all the same: add --temperature 0.2, or leave "
                "out --samples"
            )

    def describe(self) -> str:
        if self.temperature == 0:
            return f"greedy, at most {self.tokens} new tokens"
        return (
            f"{self.samples} samples a task, temperature {self.temperature:g}, top-p "
            f"{self.top_p:g}, seed {self.seed}, at most {self.tokens} new tokens"
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """One sample of one task. Its text depends on nothing but these, the model and the seed."""

    task: Task
    sample: int


Prompt = Callable[[Task], list[int]]


def left_to_right(model: CausalModel, tokens: int) -> Prompt:
    """The task's prompt with what the model expects before a text; too long ones lose their start."""
    room = model.positions - tokens - len(model.tokenizer.opening)
    if room < 1:
        raise ValueError(f"{model.name} takes {model.positions} tokens: lower --tokens below that")

    def prompt(task: Task) -> list[int]:
        return [*model.tokenizer.opening, *model.tokenizer.encode(task.prompt)[-room:]]

    return prompt


def into_the_gap(
    model: CausalModel, order: Order | None, context: int | None, tokens: int
) -> Prompt:
    """Prompts as `footnote eval infill` writes them: the checkpoint's own layout.

    ValueError when the model has no such layout, or not that order.
    """
    room = min(model.positions - tokens, model.positions * 3 // 4)
    if room < 16:
        raise ValueError(f"{model.name} takes {model.positions} tokens: lower --tokens below that")
    raw = RawModel(model, order=order, context=min(CONTEXT, room) if context is None else context)

    def prompt(task: Task) -> list[int]:
        case = Case(task.name, "line", task.language, "", task.prompt, "", task.suffix)
        return raw.prompt(case).tokens

    return prompt


def complete(
    model: CausalModel, wanted: Sequence[Wanted], decoding: Decoding, prompt: Prompt, batch: int
) -> Iterator[tuple[Wanted, str]]:
    """Every wanted sample with its completion, cut at the task's first stop sequence."""
    encoded = {each.task.name: prompt(each.task) for each in wanted}
    # Of about the same length side by side; the longest first, so that memory fails at once.
    order = sorted(
        wanted, key=lambda each: (-len(encoded[each.task.name]), each.task.name, each.sample)
    )
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        texts = _generate(model, rows, [encoded[each.task.name] for each in rows], decoding)
        for each, text in zip(rows, texts, strict=True):
            yield each, cut(text, each.task.stops)


def cut(text: str, stops: Sequence[str]) -> str:
    places = [text.find(each) for each in stops if each in text]
    return text[: min(places)] if places else text


def _generate(
    model: CausalModel, rows: Sequence[Wanted], prompts: list[list[int]], decoding: Decoding
) -> list[str]:
    import torch
    from transformers import GenerationConfig, StoppingCriteriaList

    # A publisher's own settings (penalties, temperatures) are no part of any protocol here.
    settings: Any = GenerationConfig
    model.net.generation_config = settings(
        do_sample=False,
        max_new_tokens=decoding.tokens,
        eos_token_id=sorted(model.ends),
        pad_token_id=model.begin,
    )
    ids, mask = rows_of(prompts, pad=model.begin, left=True)
    start = ids.shape[1]
    decode = _decoder(model)

    def stopped(tokens: Any, _scores: Any, **_more: Any) -> Any:
        tails = tokens[:, start:][:, -_TAIL:].tolist()
        texts = [decode(_until_end(tail, model)) for tail in tails]
        found = [
            any(stop in text for stop in each.task.stops)
            for text, each in zip(texts, rows, strict=True)
        ]
        return torch.tensor(found, device=tokens.device)

    criteria: Any = StoppingCriteriaList()
    criteria.append(stopped)
    with torch.inference_mode():
        out = model.net.generate(
            ids.to(model.device),
            attention_mask=mask.to(model.device),
            stopping_criteria=criteria,
            logits_processor=[_dice(rows, decoding)] if decoding.temperature else None,
        )
    return [decode(_until_end(row, model)) for row in out[:, start:].tolist()]


def _until_end(tokens: list[int], model: CausalModel) -> list[int]:
    ends = (place for place, token in enumerate(tokens) if token in model.ends)
    return tokens[: next(ends, len(tokens))]


def _decoder(model: CausalModel) -> Callable[[list[int]], str]:
    """Some decoders drop a blank at the beginning of a text: so no text begins with ours."""
    anchor = model.tokenizer.encode("a")
    length = len(model.tokenizer.decode(anchor))
    return lambda tokens: model.tokenizer.decode([*anchor, *tokens])[length:]


def _dice(rows: Sequence[Wanted], decoding: Decoding) -> Any:
    """Chooses each row's token with dice of its own, so that no row depends on its neighbours."""
    import torch

    dice = [torch.Generator().manual_seed(_seed(each, decoding.seed)) for each in rows]

    def choose(_tokens: Any, scores: Any) -> Any:
        shares = torch.softmax(scores.float().cpu() / decoding.temperature, dim=-1)
        ranked, order = shares.sort(dim=-1, descending=True)
        # Out goes what begins beyond top-p: the best token always stays.
        ranked[ranked.cumsum(-1) - ranked > decoding.top_p] = 0.0
        chosen = [
            int(order[row, int(torch.multinomial(ranked[row], 1, generator=generator))])
            for row, generator in enumerate(dice)
        ]
        out = torch.full_like(scores, -torch.inf)
        out[torch.arange(len(chosen)), torch.tensor(chosen)] = 0.0
        return out

    return choose


def _seed(wanted: Wanted, seed: int) -> int:
    text = f"{seed}/{wanted.task.name}/{wanted.sample}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
