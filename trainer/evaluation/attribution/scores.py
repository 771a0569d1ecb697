"""Shares of copies that were found and of texts that were flagged, with intervals over packages."""

import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from trainer.evaluation.attribution.checking import Flagged, Probe, Seen
from trainer.evaluation.attribution.planting import Case

K = TypeVar("K", bound=Hashable)

LONG_LEXEMES = 50  # shorter texts are not judged at all, by design
_DRAWS = 1000
ANSWER = tuple[Case, Mapping[str, Seen]]


def interval(hits: Sequence[float], packages: Sequence[str]) -> list[float]:
    """The 95% interval of a share when packages are drawn anew: copies out of one are not independent."""
    names = {name: number for number, name in enumerate(dict.fromkeys(packages))}
    at = np.array([names[each] for each in packages])
    found = np.bincount(at, weights=np.asarray(hits, float))
    cases = np.bincount(at).astype(float)
    drawn = np.random.default_rng(0).multinomial(
        len(names), np.full(len(names), 1 / len(names)), _DRAWS
    )
    shares = (drawn @ found) / np.maximum(drawn @ cases, 1)
    low, high = np.quantile(shares, (0.025, 0.975))
    return [round(float(low), 4), round(float(high), 4)]


def grouped(answers: Iterable[ANSWER], key: Callable[[Case], K]) -> dict[K, list[ANSWER]]:
    groups: dict[K, list[ANSWER]] = {}
    for answer in answers:
        groups.setdefault(key(answer[0]), []).append(answer)
    return groups


def copy_rows(
    answers: Sequence[ANSWER], mode: str, *, by_group: bool = False
) -> list[dict[str, Any]]:
    """For each kind and length what was found, in all languages together or by groups of them too."""
    rows = []
    cells = grouped(answers, lambda each: (each.kind, each.lines, each.group)) if by_group else {}
    cells |= grouped(answers, lambda each: (each.kind, each.lines, "all"))
    for (kind, lines, group), found in cells.items():
        about = {"mode": mode, "kind": kind, "lines": lines, "group": group}
        rows.append({**about, **_copies(found, mode)})
    return rows


def _copies(found: Sequence[ANSWER], mode: str) -> dict[str, Any]:
    seen = [each[mode] for _, each in found]
    warned = [each.tier == "warning" for each in seen]
    named = [each for each in seen if each.tier == "warning"]
    long = [w for w, (case, _) in zip(warned, found, strict=True) if case.lexemes >= LONG_LEXEMES]
    very = [each.source_iou for each in named if each.source_iou is not None]
    return {
        "cases": len(found),
        "packages": len({case.package for case, _ in found}),
        "warned": _mean(warned),
        "warned_95": interval(warned, [case.package for case, _ in found]),
        "noticed": _mean([bool(each.tier) for each in seen]),
        "of_50_lexemes": len(long),
        "warned_of_50_lexemes": _mean(long),
        "source_1": _mean([each.rank == 1 for each in named]),
        "source_3": _mean([each.rank > 0 for each in named]),
        "licence": _mean([each.licensed for each in named]),
        "text_iou": _mean([each.text_iou for each in named]),
        "source_iou": _mean(very),
        "reported_as": dict(Counter(each.kind for each in named)),
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


# What a copy may be called; small edits leave most of it verbatim, and both halves of a splice are.
_CALLED = {
    "verbatim": {"verbatim"},
    "reformatted": {"verbatim"},
    "renamed lightly": {"renamed"},
    "renamed fully": {"renamed"},
    "renamed throughout": {"renamed", "modified"},
    "renamed inconsistently": {"renamed", "modified"},
    "edited 10%": {"verbatim", "modified"},
    "spliced": {"verbatim"},
}


def kind_rows(answers: Sequence[ANSWER]) -> list[dict[str, Any]]:
    """How often a copy is called what it is, of those warned about."""
    rows = []
    for kind, found in grouped(answers, lambda each: each.kind).items():
        named = [each["document"].kind for _, each in found if each["document"].tier == "warning"]
        right = _CALLED.get(kind, {"modified"})
        rows.append(
            {
                "kind": kind,
                "warned": len(named),
                "called": dict(Counter(named)),
                "as_expected": _mean([each in right for each in named]),
            }
        )
    return rows


def calibration_rows(answers: Sequence[ANSWER], flagged: Sequence[Flagged]) -> list[dict[str, Any]]:
    """Of all matches with a similarity: those on copies, and those on texts that are none."""
    edges = (0.0, 0.6, 0.7, 0.8, 0.9, 0.97, 1.01)
    copies = [each["document"].similarity for _, each in answers if each["document"].tier]
    others = [each.match.similarity for each in flagged]
    rows = []
    for low, high in itertools.pairwise(edges):
        right = sum(low <= each < high for each in copies)
        wrong = sum(low <= each < high for each in others)
        rows.append(
            {"similarity": f"{low:.2f}-{min(high, 1):.2f}", "copies": right, "others": wrong}
        )
    return rows


def negative_rows(
    probes: Sequence[Probe], flagged: Sequence[tuple[Flagged, str]]
) -> list[dict[str, Any]]:
    """For each group of texts how often something was flagged in them, raw and after reading."""
    rows = []
    for group in dict.fromkeys(each.group for each in probes):
        asked = [each for each in probes if each.group == group]
        here = [each for each in flagged if each[0].group == group]
        warned = [each for each in here if each[0].match.tier == "warning"]
        names = {each.probe for each, _ in warned}
        lines = sum(each.text.count("\n") for each in asked)
        copies = sum(verdict == "copy" for _, verdict in warned)
        false = len(warned) - copies
        rows.append(
            {
                "group": group,
                "texts": len(asked),
                "packages": len({each.package for each in asked}),
                "lines": lines,
                "warnings": len(warned),
                "texts_with_warning": len(names),
                "information": len(here) - len(warned),
                "warnings_per_1000_lines": round(1000 * len(warned) / max(1, lines), 4),
                "texts_per_1000": round(1000 * len(names) / len(asked), 3),
                "copies_after_reading": copies,
                "false_after_reading": false,
                "false_texts_per_1000": round(
                    1000
                    * len({each.probe for each, said in warned if said != "copy"})
                    / len(asked),
                    3,
                ),
                "false_per_1000_lines": round(1000 * false / max(1, lines), 4),
            }
        )
    return rows
