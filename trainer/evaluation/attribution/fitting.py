"""Fits what the matcher weighs: planted copies against what files of unrelated packages share with the corpus.

Everything is of the tuning half: the packages that copies are from, the files they are put into, the negatives,
and whose phrases are counted. The other packages are counted in two halves, and what one half shares with the
corpus is weighed by what the other half writes: nobody's own code makes it common. Among what is shared are true
copies. Those that were read (adjudication.py) and what packages share of which much was read (kin.json) are left
out of the fit; the threshold is where so many of the warnings on other packages are of copies as read.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from indexer import AttributionIndex
from indexer.attribution import judging
from indexer.attribution.alignment import Segment
from indexer.attribution.counting import Common
from indexer.attribution.features import features
from indexer.attribution.judging import (
    INFORMATION,
    SCALE,
    Thresholds,
    Verdict,
    is_licence,
    is_prose,
    is_weighed,
    may_warn,
)
from indexer.attribution.phrases import Phrases
from indexer.attribution.tokens import Tokens
from trainer.evaluation.attribution.adjudication import Read, is_known_copy
from trainer.evaluation.attribution.counting import half_of
from trainer.evaluation.attribution.others import Other
from trainer.evaluation.attribution.planting import Case
from trainer.evaluation.report import progress

Matrix = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PRECISION = 0.97  # of warnings on the tuning half's other packages, as read: two points are lost on packages that were never seen
TOLD_TOO = 2.0  # below a warning's score, what is still worth telling
_LEAST_SHARE = 0.3
_NEAR = -3.0  # scores from which rows are fitted again: it is the border that matters
_KIN = Path(__file__).with_name("kin.json")  # by package, those whose code it shares
_RIDGE = 1e-3
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Row:
    """A segment, and where it is in its text."""

    values: dict[str, float]
    first_line: int  # 0-based
    last_line: int
    size: float
    tells: bool  # whether it may be warned of, whatever its score
    passage: int = 0  # those of one passage have one number
    is_copy: bool = False  # as was read


@dataclass
class Recorder:
    """Judges everything as worth knowing, and keeps what it was shown."""

    phrases: Phrases
    rows: list[Row] = field(default_factory=list)

    def __call__(self, text: Tokens, segment: Segment, common: Common) -> Verdict | None:
        limits = Thresholds()
        if not is_weighed(segment, common, limits):
            return None
        similarity = max(segment.exact_share, segment.renamed_share)
        first, last = text.lines[[segment.text_start, segment.text_end - 1]].tolist()
        size = segment.exact + 0.3 * segment.abstract
        part = text.part(segment.text_start, segment.text_end)
        if not is_prose(part, limits):  # on which no score decides
            beyond = limits.many_imports_score
            tells = not is_licence(part, limits) and may_warn(part, segment, limits, beyond)
            values = features(text, segment, common, self.phrases)
            self.rows.append(Row(values, first, last, size, tells))
        if similarity < _LEAST_SHARE:
            return None
        return Verdict(INFORMATION, "", similarity, max(segment.exact, segment.abstract))

    def taken(self) -> list[Row]:
        rows, self.rows = self.rows, []
        return rows


def of_copies(index: AttributionIndex, recorder: Recorder, cases: Sequence[Case]) -> list[Row]:
    """For each copy that led to a segment the one that says most."""
    found = []
    for case in progress(cases, "asking about copies"):
        index.check_document(case.text, language=case.host_language, path=case.host_path)
        first, last = case.first_line - 1, case.last_line - 1
        on = [each for each in recorder.taken() if _lies_on(each, first, last)]
        if on:
            found.append(max(on, key=lambda each: each.size))
    return found


def _lies_on(row: Row, first: int, last: int) -> bool:
    shared = min(row.last_line, last) - max(row.first_line, first) + 1
    return shared > 0 and (
        2 * shared >= last - first + 1 or shared >= 0.8 * (row.last_line - row.first_line + 1)
    )


def of_others(
    index: AttributionIndex, recorder: Recorder, texts: Iterable[Other], known: Sequence[Read]
) -> tuple[list[Row], int]:
    """The segments of texts, of which those that were read to be copies are marked; and their lines."""
    kin = json.loads(_KIN.read_text("utf-8"))
    found: list[Row] = []
    lines = passages = 0
    for each in texts:
        related = kin.get(each.package, ())
        written = each.text.split("\n")
        copied = [
            (match.start_line - 1, match.end_line - 1)
            for match in index.check_document(each.text, language=each.language)
            if match.source.package in related
        ]
        for rows in _passages(recorder.taken()):
            first, last = min(one.first_line for one in rows), max(one.last_line for one in rows)
            is_copy = is_known_copy("\n".join(written[first : last + 1]), each.package, known)
            is_copy = is_copy or any(_mostly_in(one, *span) for one in rows for span in copied)
            found += [replace(one, passage=passages, is_copy=is_copy) for one in rows]
            passages += 1
        lines += len(written)
    return found, lines


def _passages(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows by passage: the largest, and with each those that lie half in it."""
    found: list[list[Row]] = []
    for row in sorted(rows, key=lambda each: -each.size):
        of = next(
            (each for each in found if _mostly_in(row, each[0].first_line, each[0].last_line)), None
        )
        if of is None:
            found.append([row])
        else:
            of.append(row)
    return found


def _mostly_in(row: Row, first: int, last: int) -> bool:
    shared = min(row.last_line, last) - max(row.first_line, first) + 1
    return 2 * shared > min(row.last_line - row.first_line, last - first) + 1


class Fit(NamedTuple):
    """What was fitted."""

    weights: dict[str, float]
    intercept: float

    def scores(self, rows: Sequence[Row]) -> Matrix:
        names = list(self.weights)
        values = np.array([[each.values[name] for name in names] for each in rows])
        scores: Matrix = values @ np.array(list(self.weights.values())) + self.intercept
        return scores


def fitted(copies: Sequence[Row], others: Sequence[Row]) -> Fit:
    """The weights: fitted to all rows, then again to those near the border."""
    names = sorted(copies[0].values)
    bad = [each for each in others if not each.is_copy]
    found = _fitted(copies, bad, names)
    near_copies, near = _near(copies, found), _near(bad, found)
    return _fitted(near_copies, near, names) if near_copies and near else found


def _near(rows: Sequence[Row], fit: Fit) -> list[Row]:
    return [row for row, score in zip(rows, fit.scores(rows), strict=True) if score > _NEAR]


def _fitted(copies: Sequence[Row], others: Sequence[Row], names: Sequence[str]) -> Fit:
    good, bad = (
        np.array([[each.values[name] for name in names] for each in rows])
        for rows in (copies, others)
    )
    weights = regress(good, bad)
    found = zip(names, np.round(weights[:-1], 4).tolist(), strict=True)
    return Fit(dict(found), round(float(weights[-1]), 4))


def regress(good: Matrix, bad: Matrix) -> Matrix:
    """Logistic regression with a little ridge, by Newton's steps: the weights, the intercept last."""
    every = np.concatenate([good, bad])
    mean, spread = every.mean(axis=0), every.std(axis=0) + 1e-9
    columns = np.column_stack([(every - mean) / spread, np.ones(len(every))])
    wanted = np.concatenate([np.ones(len(good)), np.zeros(len(bad))])
    ridge = _RIDGE * len(every) * np.eye(columns.shape[1])
    ridge[-1, -1] = 0
    weights = np.zeros(columns.shape[1])
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-np.clip(columns @ weights, -30, 30)))
        slope = columns.T @ (wanted - likely) - ridge @ weights
        curve = (columns * (likely * (1 - likely))[:, None]).T @ columns + ridge
        step = np.linalg.solve(curve, slope)
        weights = weights + step
        if np.abs(step).max() < 1e-6:
            break
    plain = weights[:-1] / spread
    return np.append(plain, weights[-1] - plain @ mean)


def threshold(fit: Fit, others: Sequence[Row], precision: float = PRECISION) -> float:
    """The lowest score from which so many of the passages that may be warned of were read to be copies."""
    best: dict[int, tuple[float, bool]] = {}
    for row, score in zip(others, fit.scores(others).tolist(), strict=True):
        if row.tells:
            best[row.passage] = max(
                best.get(row.passage, (-np.inf, row.is_copy)), (score, row.is_copy)
            )
    copies = 0
    lowest = np.inf
    for number, (score, is_copy) in enumerate(sorted(best.values(), reverse=True), 1):
        copies += is_copy
        if is_copy and copies >= precision * number:
            lowest = score
    return round(float(lowest), 2)


def written(copies: Sequence[Row], others: Sequence[Row], lines: int, to: Path) -> str:
    """Fits, and writes the scale; returns what to print."""
    if not copies or not others:
        raise ValueError(
            "there is nothing to fit on: neither copies nor other code led to segments"
        )
    fit = fitted(copies, others)
    warning = threshold(fit, others)
    known = Counter(row.is_copy for row in {each.passage: each for each in others}.values())
    said = (
        f"{len(copies)} copies and {known[False]} passages of {lines} other lines, without {known[True]} that were "
        f"read to be copies; warnings from where {PRECISION} of those on other packages are of copies"
    )
    value: dict[str, Any] = {
        "weights": fit.weights,
        "intercept": fit.intercept,
        "warning": warning,
        "information": round(warning - TOLD_TOO, 2),
        "fitted_on": said,
    }
    to.write_text(json.dumps(value, indent=1) + "\n", "utf-8")
    rows = [f"  {name:18} {weight:8.3f}" for name, weight in fit.weights.items()]
    return "\n".join([f"fitted on {said}", *rows, f"warning from {warning}", f"written to {to}"])


def scale_file() -> Path:
    return Path(judging.__file__).with_name(SCALE)


def rows_of_halves(
    others: Sequence[Other],
    index: Path | None,
    phrases: Sequence[Phrases],
    known: Sequence[Read],
) -> tuple[list[Row], int]:
    """The segments of other packages, those of each half judged by the phrases without it."""
    found: list[Row] = []
    lines = 0
    for half, without in enumerate(phrases):
        recorder = Recorder(without)
        opened = AttributionIndex.open(index, judge=recorder)
        some = [each for each in others if half_of(each.package) == half]
        title = f"asking about other packages, half {half + 1} of {len(phrases)}"
        rows, count = of_others(opened, recorder, progress(some, title), known)
        start = found[-1].passage + 1 if found else 0
        found += [replace(each, passage=each.passage + start) for each in rows]
        lines += count
    return found, lines
