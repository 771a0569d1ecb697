"""What regenerating is worth: of prompts that the model completes with corpus text, how many it completes otherwise."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any

from engine.api import Ban, CancelToken, Completer, Completion, CompletionOptions, Gap, ban_from
from indexer import AttributionIndex, Match
from trainer.evaluation.cases import Case
from trainer.evaluation.report import wilson

ATTEMPTS = 2  # as in the editor
PROTOCOL = (
    "of {prompts} files of the corpus, cut at a line start in their middle half with nothing behind, those that the "
    "model completes with text that the index finds, at either tier, as in the editor; what is found is banned from "
    "its first word on and the rest decoded again, twice at most: clean, when nothing is found any more"
)


@dataclass(slots=True)
class Again:
    """What became of the completions that were found in the corpus."""

    prompts: int = 0
    kinds: Counter[str] = field(default_factory=Counter)  # of what was found, the first of each
    warned: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    first_ms: list[float] = field(default_factory=list)  # of those found
    again_ms: list[float] = field(default_factory=list)  # of everything that was decoded again
    characters: list[tuple[int, int]] = field(default_factory=list)  # found, and clean in its place

    def row(self) -> dict[str, Any]:
        found = sum(self.outcomes.values())
        clean = sum(self.outcomes[f"clean {number}"] for number in range(1, ATTEMPTS + 1))
        return {
            "prompts": self.prompts,
            "found": found,
            "warned": self.warned,
            "kinds": dict(self.kinds),
            "clean": clean,
            "clean_95": [round(each, 4) for each in wilson(clean, found)] if found else None,
            "clean_at_once": self.outcomes["clean 1"],
            "nothing_left": self.outcomes["nothing"],
            "still_found": self.outcomes["found"],
            "first_ms": round(median(self.first_ms), 1) if found else None,
            "again_ms": round(median(self.again_ms), 1) if found else None,
            "characters": round(mean(before for before, _ in self.characters), 1)
            if clean
            else None,
            "characters_clean": round(mean(now for _, now in self.characters), 1)
            if clean
            else None,
        }


def regenerate(model: Completer, index: AttributionIndex, cases: Iterable[Case]) -> Again:
    """Completes each case, and what is found of it again."""
    again = Again()
    for case in cases:
        again.prompts += 1
        first = _complete(model, case, ())
        matches = _matches(index, case, first)
        if matches:
            again.warned += any(each.tier == "warning" for each in matches)
            again.kinds[matches[0].kind] += 1
            again.first_ms.append(first.timings_ms.get("total", 0.0))
            again.outcomes[_outcome(model, index, case, first, matches, again)] += 1
    return again


def _outcome(
    model: Completer,
    index: AttributionIndex,
    case: Case,
    first: Completion,
    matches: Sequence[Match],
    again: Again,
) -> str:
    banned: tuple[Ban, ...] = ()
    text = first.text
    for number in range(1, ATTEMPTS + 1):
        line = min(each.start_line for each in matches) - case.prefix.count("\n") - 1
        banned += (ban_from(text, line),)
        other = _complete(model, case, banned)
        again.again_ms.append(other.timings_ms.get("total", 0.0))
        text = other.text
        if not text.strip():
            return "nothing"
        matches = _matches(index, case, other)
        if not matches:
            again.characters.append((len(first.text), len(text)))
            return f"clean {number}"
    return "found"


def _complete(model: Completer, case: Case, banned: tuple[Ban, ...]) -> Completion:
    gap = Gap(case.prefix, case.suffix, case.path, case.language)
    return model.complete(gap, CompletionOptions(multiline=True, banned=banned), CancelToken())


def _matches(index: AttributionIndex, case: Case, completion: Completion) -> list[Match]:
    if not completion.text.strip():
        return []
    return index.check_completion(case.prefix, completion.text, case.suffix, language=case.language)
