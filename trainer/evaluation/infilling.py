"""How often is the text that a model puts into a gap the text that was there?"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from trainer.evaluation.cases import Case
from trainer.evaluation.report import wilson
from trainer.evaluation.syntax import parses

Guess = Callable[[Case], str]

METRICS = (
    "first line: the first line equals, both stripped (Qwen2.5-Coder's protocol); "
    "strict: all text up to <|endoftext|> equals, both stripped (also tests stopping); "
    "similarity: 1 - Levenshtein distance / longer length; "
    "parses: of the Python files that parsed, how many still do; "
    "95: the interval that holds the share with 95% (Wilson; for similarity from its spread)"
)
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Score:
    """Shares between 0 and 1 over the cases of one kind and language."""

    guess: str
    kind: str
    language: str
    cases: int
    first_line: float
    first_line_95: Interval
    strict: float
    strict_95: Interval
    similarity: float
    similarity_95: Interval
    parses: float | None  # Python only
    parses_95: Interval | None
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
    first = sum(first_line(t) == first_line(c.middle) for c, t in pairs)
    strict = sum(t.strip() == c.middle.strip() for c, t in pairs)
    likeness = [_similarity(c.middle, t) for c, t in pairs]
    return Score(
        guess=name,
        kind=cases[0].kind if cases else "",
        language=cases[0].language if cases else "",
        cases=len(cases),
        first_line=round(first / count, 4),
        first_line_95=_rounded(wilson(first, len(cases))),
        strict=round(strict / count, 4),
        strict_95=_rounded(wilson(strict, len(cases))),
        similarity=round(sum(likeness) / count, 4),
        similarity_95=_rounded(mean_interval(likeness)),
        parses=round(parsed / len(python), 4) if python else None,
        parses_95=_rounded(wilson(parsed, len(python))) if python else None,
        empty=round(sum(not t.strip() for _, t in pairs) / count, 4),
    )


def mean_interval(values: Sequence[float]) -> Interval:
    """95% interval of the mean of values between 0 and 1, from their spread."""
    if len(values) < 2:
        return 0.0, 1.0
    mean = sum(values) / len(values)
    variance = sum((each - mean) ** 2 for each in values) / (len(values) - 1)
    spread = 1.959964 * math.sqrt(variance / len(values))
    return max(0.0, mean - spread), min(1.0, mean + spread)


def _rounded(interval: Interval) -> Interval:
    return round(interval[0], 4), round(interval[1], 4)


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
