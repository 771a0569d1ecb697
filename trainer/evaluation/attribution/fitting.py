"""Fits what the matcher weighs: planted copies against what files of unrelated packages share with the corpus.

Everything is of the tuning half: the packages that copies are from, the files they are put into, the negatives,
and whose phrases are counted. The other packages are counted in two halves, and what one half shares with the
corpus is weighed by what the other half writes: nobody's own code makes it common. Among what is shared are true
copies. Those that were read (adjudication.py) and what packages share of which much was read (kin.json) are left
out of the fit; the threshold is where so many of the warnings on other packages are of copies as read.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer import AttributionIndex
from indexer.attribution import judging
from indexer.attribution.alignment import Segment
from indexer.attribution.counting import Common
from indexer.attribution.features import features
from indexer.attribution.judging import (
    INFORMATION,
    Thresholds,
    Verdict,
    is_licence,
    is_prose,
    is_weighed,
    may_warn,
)
from indexer.attribution.phrases import Phrases
from indexer.attribution.scoring import SCALE, Matrix, Weights
from indexer.attribution.tokens import Tokens
from trainer.evaluation.attribution import regression
from trainer.evaluation.attribution.adjudication import Read, is_known_copy
from trainer.evaluation.attribution.counting import half_of
from trainer.evaluation.attribution.others import Other
from trainer.evaluation.attribution.planting import Case
from trainer.evaluation.report import progress

Scores = npt.NDArray[np.float64]

PRECISION = 0.95  # of warnings on other packages of the tuning half, as read, by weights that were fitted without them
TOLD_TOO = 2.0  # below a warning's score, what is still worth telling
_LEAST_SHARE = 0.3
_KIN = Path(__file__).with_name("kin.json")  # by package, those whose code it shares
_FOLDS = 6  # of packages


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
    package: str = ""


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
            found += [
                replace(one, passage=passages, is_copy=is_copy, package=each.package)
                for one in rows
            ]
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


def fitted(copies: Sequence[Row], others: Sequence[Row]) -> Weights:
    """The weights, of which what was read to be a copy says nothing."""
    names = sorted(copies[0].values)
    bad = [each for each in others if not each.is_copy]
    return regression.fitted(_values(copies, names), _values(bad, names), names)


def _values(rows: Sequence[Row], names: Sequence[str]) -> Matrix:
    return np.array([[each.values[name] for name in names] for each in rows])


def unseen_scores(copies: Sequence[Row], others: Sequence[Row]) -> Scores:
    """The scores of others by weights that were fitted without their packages: what is flagged in those of nobody's fit."""
    folds = np.array([fold_of(each.package) for each in others])
    scores = np.zeros(len(others))
    for fold in range(_FOLDS):
        rest = [each for each, its in zip(others, folds, strict=True) if its != fold]
        of_it = [each for each, its in zip(others, folds, strict=True) if its == fold]
        if of_it:
            weights = fitted(copies, rest)
            scores[folds == fold] = weights.scores(_values(of_it, weights.names))
    return scores


def fold_of(package: str) -> int:
    """What is published under one scope is one package."""
    return hashlib.sha256(package.split("/")[0].encode()).digest()[3] % _FOLDS


def threshold(others: Sequence[Row], scores: Scores, precision: float = PRECISION) -> float:
    """The lowest score from which so many of the passages that may be warned of were read to be copies."""
    best: dict[int, tuple[float, bool]] = {}
    for row, score in zip(others, scores.tolist(), strict=True):
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
    weights = fitted(copies, others)
    warning = threshold(others, unseen_scores(copies, others))
    known = Counter(row.is_copy for row in {each.passage: each for each in others}.values())
    said = (
        f"{len(copies)} copies and {known[False]} passages of {lines} other lines, without {known[True]} that were "
        f"read to be copies; warnings from where {PRECISION} of those on other packages are of copies"
    )
    value = weights.as_json() | {
        "warning": warning,
        "information": round(warning - TOLD_TOO, 2),
        "fitted_on": said,
    }
    to.write_text(json.dumps(value, indent=1) + "\n", "utf-8")
    alone = zip(weights.names, weights.alone, strict=True)
    rows = [f"  {name:18} {weight:8.3f}" for name, weight in alone]
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
