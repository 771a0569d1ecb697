"""How often is the text that a model puts into a gap the text that was there?"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from engine.fim import FimLayout, Order, layout_from_json, render, sentinel_ids
from trainer.evaluation.cases import Case, parses
from trainer.examples import crop

Guess = Callable[[Case], str]

METRICS = (
    "first line: the first line equals, both stripped (Qwen2.5-Coder's protocol); "
    "strict: all text up to <|endoftext|> equals, both stripped (also tests stopping); "
    "similarity: 1 - Levenshtein distance / longer length; "
    "parses: of the Python files that parsed, how many still do"
)


@dataclass(frozen=True, slots=True)
class Score:
    """Shares between 0 and 1 over the cases of one kind and language."""

    guess: str
    kind: str
    language: str
    cases: int
    first_line: float
    strict: float
    similarity: float
    parses: float | None  # Python only
    empty: float  # nothing was put into the gap


def first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0].strip()


def score(name: str, cases: Sequence[Case], texts: Sequence[str]) -> Score:
    """Judge the texts put into the cases' gaps; all cases must be of one kind and language."""
    count = max(1, len(cases))
    pairs = list(zip(cases, texts, strict=True))
    python = [
        (case, text)
        for case, text in pairs
        if case.language == "python" and parses(case.prefix + case.middle + case.suffix)
    ]
    parsed = sum(parses(case.prefix + text + case.suffix) for case, text in python)
    return Score(
        guess=name,
        kind=cases[0].kind if cases else "",
        language=cases[0].language if cases else "",
        cases=len(cases),
        first_line=sum(first_line(t) == first_line(c.middle) for c, t in pairs) / count,
        strict=sum(t.strip() == c.middle.strip() for c, t in pairs) / count,
        similarity=sum(_similarity(c.middle, t) for c, t in pairs) / count,
        parses=parsed / len(python) if python else None,
        empty=sum(not t.strip() for _, t in pairs) / count,
    )


def _similarity(one: str, other: str) -> float:
    return float(Levenshtein.normalized_similarity(one.strip(), other.strip()))


# The floor: what one gets without any model.


def floors(cases: Sequence[Case]) -> Mapping[str, Guess]:
    """Trivial guesses by name; the most common middle is taken from the answers themselves."""
    commonest = Counter(first_line(each.middle) for each in cases).most_common(1)
    return {
        "nothing": lambda _: "",
        "commonest middle": lambda _: commonest[0][0] if commonest else "",
        "line before": _line_before,
        "longest copy": _longest_copy,
    }


def _line_before(case: Case) -> str:
    """The last line that is not blank, from where this one stands."""
    lines = case.prefix.split("\n")
    before = next((line for line in reversed(lines[:-1]) if line.strip()), "")
    typed = lines[-1]
    return before[len(typed) :] if before.startswith(typed) else before.strip()


def _longest_copy(case: Case) -> str:
    """What followed the last place in the file where the text before the gap stood already.

    The longest context that occurs again decides, up to 60 characters, 3 at least.
    """
    prefix = case.prefix[-20_000:]
    pool = prefix + "\n" + case.suffix[:20_000]
    for size in range(min(60, len(prefix)), 2, -1):
        context = prefix[-size:]
        place = pool.rfind(context, 0, len(prefix) - 1)
        if place < 0:
            place = pool.find(context, len(prefix) + 1)
        if place >= 0:
            after = pool[place + size :]
            return re.split("\n", after, maxsplit=1)[0]
    return ""


# The model, without the engine's policy: any transformers checkpoint with a known layout.


class RawModel:
    """Greedy decoding of rendered prompts by transformers, up to the end token."""

    def __init__(self, folder: Path, *, order: Order, context: int) -> None:
        """Load a checkpoint folder. OSError or ValueError when it is none."""
        import json

        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.torch: Any = torch
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        loading: Any = AutoModelForCausalLM
        self.model = loading.from_pretrained(folder, dtype=torch.float32)
        self.model.eval()
        about = folder / "footnote.json"
        self.layout = (
            layout_from_json(json.loads(about.read_text(encoding="utf-8"))["fim"])
            if about.is_file()
            else FimLayout()
        )
        self.ids = sentinel_ids(self.layout, self._id, self.encode)
        self.order: Order = order
        self.context = context

    def _id(self, token: str) -> int | None:
        found = self.tokenizer.get_vocab().get(token)
        return int(found) if found is not None else None

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(
            text, add_special_tokens=False, split_special_tokens=True
        ).input_ids
        return ids

    def prompt(self, case: Case) -> list[int]:
        """The rendered prompt: at most `context` tokens, three quarters of them before the gap."""
        characters = self.context * 8
        path = self.encode(case.path)[-48:] if case.path else []
        room = self.context - 4 - (len(path) + 2 if path else 0)
        prefix, suffix = crop(
            self.encode(case.prefix[-characters:]), self.encode(case.suffix[:characters]), room
        )
        return render(
            self.layout, order=self.order, prefix=prefix, suffix=suffix, path=path, ids=self.ids
        )

    def __call__(self, case: Case) -> str:
        prompt = self.torch.tensor([self.prompt(case)])
        limit = 64 if case.kind == "line" else 256
        with self.torch.inference_mode():
            out = self.model.generate(
                prompt,
                attention_mask=self.torch.ones_like(prompt),
                max_new_tokens=limit,
                do_sample=False,
                eos_token_id=self.ids.end,
                pad_token_id=self.ids.end,
            )
        new = out[0, prompt.shape[1] :].tolist()
        kept = [each for each in new if each != self.ids.end]
        return str(self.tokenizer.decode(kept, clean_up_tokenization_spaces=False))


def served(folder: Path | None) -> Guess:
    """The engine's completer as the editor would meet it: gates, stop rules and trimming included.

    Raises ModelUnavailable when the folder holds no model.
    """
    from engine import CancelToken, CompletionOptions, Gap, load

    completer = load(folder)

    def guess(case: Case) -> str:
        gap = Gap(prefix=case.prefix, suffix=case.suffix, path=case.path, language=case.language)
        options = CompletionOptions(multiline=case.kind == "block")
        return completer.complete(gap, options, CancelToken()).text

    return guess


def answers(guess: Guess, cases: Iterable[Case]) -> list[str]:
    return [guess(case) for case in cases]
