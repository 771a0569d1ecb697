"""When is a suggestion worth showing? Confidence, length and prompt weighed on held-out packages.

A suggestion counts as accepted when the text that was in the gap, and what follows it, begins with
all of it. The policy is chosen on one half of the packages and reported on the other.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.api import CancelToken, Completer, CompletionOptions, Gap
from engine.serving import Serving
from trainer.evaluation.cases import Case
from trainer.evaluation.report import wilson

Way = tuple[int, bool]  # tokens of the prompt, and whether several lines are allowed

KEPT = 0.95  # of the accepted characters that a threshold must leave
ENOUGH = 0.98  # of the best prompt's accepted characters that a shorter one must reach
RULE = (
    f"the highest confidence that leaves {KEPT:.0%} of the accepted characters; several lines where "
    "they bring more accepted characters than one; the shortest prompt with at least "
    f"{ENOUGH:.0%} of the best one's accepted characters"
)
PROTOCOL = (
    "requests as an editor makes them by itself, at gaps of one line and of a block; accepted: what "
    "was there begins with the whole suggestion; saved: characters of accepted suggestions per "
    "request; whole packages are dealt into halves of about as many requests: chosen on one half, "
    "reported on the other"
)


@dataclass(frozen=True, slots=True)
class Reply:
    """One suggestion, and whether it was right."""

    case: Case
    text: str  # empty: nothing was suggested
    confidence: float
    accepted: bool
    milliseconds: float

    @property
    def gained(self) -> int:
        """Characters that need not be typed."""
        return len(self.text.strip()) if self.accepted else 0


def ask(completer: Completer, cases: Iterable[Case], *, multiline: bool | None) -> Iterator[Reply]:
    """What would be suggested in each case if nothing were held back."""
    for case in cases:
        gap = Gap(prefix=case.prefix, suffix=case.suffix, path=case.path, language=case.language)
        options = CompletionOptions(automatic=True, multiline=multiline, min_confidence=0.0)
        began = time.perf_counter()
        found = completer.complete(gap, options, CancelToken())
        took = (time.perf_counter() - began) * 1000
        yield Reply(case, found.text, found.confidence or 0.0, is_right(case, found.text), took)


def is_right(case: Case, text: str) -> bool:
    """Is the whole suggestion what was there? Blanks at the ends of lines do not matter."""
    there = _bare(case.middle + case.suffix)
    return bool(text.strip()) and there.startswith(_bare(text).rstrip())


def _bare(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.split("\n"))


def for_choosing(cases: Iterable[Case]) -> frozenset[str]:
    """The packages of one half: dealt out from the largest on, each to the smaller half."""
    counts = Counter(map(package_of, cases))
    sizes = [0, 0]
    chosen: set[str] = set()
    for package, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        half = 0 if sizes[0] <= sizes[1] else 1
        sizes[half] += count
        if half == 0:
            chosen.add(package)
    return frozenset(chosen)


def package_of(case: Case) -> str:
    return case.name.split("/", 1)[0]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a threshold does to a set of requests; shares between 0 and 1."""

    threshold: float
    requests: int
    shown: float
    acceptance: float | None  # of what is shown
    acceptance_95: tuple[float, float]
    saved: float  # characters per request that need not be typed

    def row(self) -> dict[str, Any]:
        return {
            "confidence": round(self.threshold, 3),
            "requests": self.requests,
            "shown": round(self.shown, 4),
            "acceptance": None if self.acceptance is None else round(self.acceptance, 4),
            "acceptance_95": tuple(round(each, 4) for each in self.acceptance_95),
            "saved": round(self.saved, 3),
        }


def outcome(replies: Sequence[Reply], threshold: float) -> Outcome:
    shown = [each for each in replies if each.text and each.confidence >= threshold]
    accepted = sum(each.accepted for each in shown)
    return Outcome(
        threshold=threshold,
        requests=len(replies),
        shown=len(shown) / max(1, len(replies)),
        acceptance=accepted / len(shown) if shown else None,
        acceptance_95=wilson(accepted, len(shown)),
        saved=sum(each.gained for each in shown) / max(1, len(replies)),
    )


def curve(replies: Sequence[Reply], steps: int = 101) -> list[Outcome]:
    """The outcome of thresholds from 0 to 1."""
    return [outcome(replies, each / (steps - 1)) for each in range(steps)]


def threshold_of(replies: Sequence[Reply]) -> float:
    """The highest threshold that leaves enough of the accepted characters, in hundredths."""
    found = curve(replies)
    least = KEPT * found[0].saved
    return max(each.threshold for each in found if each.saved >= least)


def choose(replies: Mapping[Way, Sequence[Reply]]) -> Serving:
    """The policy by RULE, from replies in every way."""
    characters = {way: outcome(found, 0.0).saved for way, found in replies.items()}
    prompts = sorted({prompt for prompt, _ in replies})
    best = {
        prompt: max(characters.get((prompt, way), 0.0) for way in (True, False))
        for prompt in prompts
    }
    prompt = next(each for each in prompts if best[each] >= ENOUGH * max(best.values()))
    multiline = characters.get((prompt, True), 0.0) >= characters.get((prompt, False), 0.0)
    return Serving(
        min_confidence=round(threshold_of(replies[prompt, multiline]), 2),
        multiline=multiline,
        prompt_tokens=prompt,
    )


def draw(curves: dict[str, Sequence[Outcome]], chosen: float, path: Path) -> None:
    """Acceptance and accepted characters over the share of requests that show something."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, points in curves.items():
        seen = [each for each in points if each.acceptance is not None]
        shown = [each.shown for each in seen]
        (line,) = left.plot(shown, [each.acceptance for each in seen], label=name)
        right.plot(shown, [each.saved for each in seen], color=line.get_color())
        at = min(seen, key=lambda each: abs(each.threshold - chosen))
        left.plot(at.shown, at.acceptance, "o", color=line.get_color())
        right.plot(at.shown, at.saved, "o", color=line.get_color())
    left.set_ylabel("accepted, of the suggestions shown")
    right.set_ylabel("accepted characters per request")
    for axes in (left, right):
        axes.set_xlabel("share of requests that show something")
        axes.set_xlim(0, 1)
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
    left.legend(title=f"dots: confidence {chosen:.2f}")
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.tmp")
    figure.savefig(staging, dpi=120, format="png")
    staging.replace(path)
    plt.close(figure)
