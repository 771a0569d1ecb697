"""Fits what the matcher weighs: planted copies against what files of unrelated packages share with the corpus.

Everything is of the tuning half: the packages that copies are from, the files they are put into, the negatives.
Among those are true copies. What packages share of which some was read to be copied is left out (kin.json), and of
the rest, which holds copies that nobody has read, the highest scores, before it is fitted again; where the
thresholds come to lie is decided by reading what is flagged.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer import AttributionIndex
from indexer.attribution import judging, phrases, rarity
from indexer.attribution.alignment import Segment
from indexer.attribution.judging import (
    INFORMATION,
    SCALE,
    Common,
    Thresholds,
    Verdict,
    features,
    is_weighed,
    scale,
)
from indexer.attribution.lexing import lexer_of
from indexer.attribution.matches import Match
from indexer.attribution.tokens import PROSE, Tokens
from indexer.document import Document
from indexer.languages import language_of
from trainer.evaluation.attribution.passages import SCRIPTS
from trainer.evaluation.attribution.planting import Case
from trainer.evaluation.attribution.splits import is_in

Matrix = npt.NDArray[np.float64]

_LEAST_SHARE = 0.3
_TRUE_COPIES = (
    0.01  # segments for every 1,000 lines of negatives that may be true copies all the same
)
_KIN = Path(__file__).with_name("kin.json")  # by package, those whose code it shares
_ROUNDS = 3
_OTHERS = frozenset(
    {"_vendor", "vendored", "dist", "build", "locales"}
)  # folders that are left out
_LARGEST = 200_000  # bytes of a file
_RIDGE = 1e-3
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Row:
    """A segment, and where it is in its text."""

    values: dict[str, float]
    first_line: int  # 0-based
    last_line: int
    size: float


@dataclass(frozen=True, slots=True)
class Other:
    """A text that is no copy."""

    text: str
    language: str
    names: tuple[str, ...]  # of the folders it is in, or its package


@dataclass
class Recorder:
    """Judges everything as worth knowing, and keeps what it was shown."""

    rows: list[Row] = field(default_factory=list)

    def __call__(self, text: Tokens, segment: Segment, common: Common) -> Verdict | None:
        if not is_weighed(segment, common, Thresholds()):
            return None
        similarity = max(segment.exact_share, segment.renamed_share)
        first, last = text.lines[[segment.text_start, segment.text_end - 1]].tolist()
        size = segment.exact + 0.3 * segment.abstract
        self.rows.append(Row(features(text, segment, common), first, last, size))
        if similarity < _LEAST_SHARE:
            return None
        return Verdict(INFORMATION, "", similarity, max(segment.exact, segment.abstract))

    def taken(self) -> list[Row]:
        rows, self.rows = self.rows, []
        return rows


def of_copies(index: AttributionIndex, recorder: Recorder, cases: Iterable[Case]) -> list[Row]:
    """For each copy that led to a segment the one that says most."""
    found = []
    for case in cases:
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
    index: AttributionIndex, recorder: Recorder, texts: Iterable[Other]
) -> tuple[list[Row], int]:
    """The segments of texts that nobody copied, as far as is known; and their lines."""
    kin = json.loads(_KIN.read_text("utf-8"))
    found: list[Row] = []
    lines = 0
    for each in texts:
        related = {name for part in each.names for name in kin.get(part, ())}
        matches = index.check_document(each.text, language=each.language)
        copied = [match for match in matches if match.source.package in related]
        found += [row for row in recorder.taken() if not any(_is_part(row, one) for one in copied)]
        lines += each.text.count("\n") + 1
    return found, lines


def _is_part(row: Row, match: Match) -> bool:
    """Whether most of a segment lies in a match."""
    shared = min(row.last_line, match.end_line - 1) - max(row.first_line, match.start_line - 1) + 1
    return 2 * shared > row.last_line - row.first_line + 1


def fitted(copies: Sequence[Row], others: Sequence[Row], lines: int) -> dict[str, Any]:
    """The weights by name and the intercept."""
    names = sorted(copies[0].values)
    good, bad = (
        np.array([[each.values[name] for name in names] for each in rows])
        for rows in (copies, others)
    )
    left_out = round(_TRUE_COPIES * lines / 1000)
    kept = bad
    for _ in range(_ROUNDS):
        weights = regress(good, kept)
        order = np.argsort(_scores(bad, weights))
        kept = bad[order[: len(order) - left_out]]
    return {
        "weights": dict(zip(names, np.round(weights[:-1], 4).tolist(), strict=True)),
        "intercept": round(float(weights[-1]), 4),
    }


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


def _scores(rows: Matrix, weights: Matrix) -> Matrix:
    scores: Matrix = rows @ weights[:-1] + weights[-1]
    return scores


def tuning_code(documents: Iterable[Document]) -> Iterator[tuple[str, str, Tokens]]:
    """Package, group of languages and tokens of the code that is counted."""
    for each in documents:
        group = "script" if each.language in SCRIPTS else each.language
        if group in ("python", "script") and is_in(each.package, "tuning"):
            yield each.package, group, lexer_of(each.language).tokens(each.text)


def count_rarity(documents: Iterable[Document], to: Path) -> int:
    """Counts in how many files of the tuning half each token is, and writes the table; returns its length.

    A token counts as common as it is in the group of languages that has it most often.
    """
    heads: dict[str, list[npt.NDArray[np.uint32]]] = {}
    for _, group, tokens in tuning_code(documents):
        prose = tokens.kinds == PROSE
        for name, which in ((group, ~prose), ("prose", prose)):
            ids = np.unique((tokens.exact[which] >> np.uint64(32)).astype(np.uint32))
            heads.setdefault(name, []).append(ids)
    bits: dict[int, float] = {}
    for texts in heads.values():
        ids, counts = np.unique(np.concatenate(texts), return_counts=True)
        rare = np.log2((len(texts) + 1) / (counts + 1))
        for head, value in zip(ids.tolist(), rare.tolist(), strict=True):
            if value < rarity.RAREST:
                bits[head] = min(value, bits.get(head, value))
    rarity.write(np.array(list(bits), np.uint32), np.array(list(bits.values())), to)
    return len(bits)


def count_phrases(documents: Iterable[Document], to: Path) -> int:
    """Counts in how many packages of the tuning half each short run of code is, and writes the table.

    What is published under one scope is one package. Returns how many are in the table.
    """
    counter = phrases.Counter()
    for package, _, tokens in tuning_code(documents):
        counter.add(package.split("/")[0], tokens.exact[tokens.kinds != PROSE])
    return counter.write(to)


def files_under(folders: Iterable[Path]) -> Iterator[Other]:
    """The code in folders, but for what a package ships of others or was generated."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            language = language_of(path.name)
            if language not in ("python", *SCRIPTS) or not path.is_file():
                continue
            if _OTHERS.intersection(path.parts) or path.stat().st_size > _LARGEST:
                continue
            try:
                yield Other(path.read_text("utf-8"), language, path.parts)
            except (OSError, UnicodeDecodeError):
                continue


def fit(cases: Sequence[Case], others: Iterable[Other], index: Path | None) -> str:
    """Fits the weights and writes them where the matcher reads them; returns what to print."""
    recorder = Recorder()
    opened = AttributionIndex.open(index, judge=recorder)
    copies = of_copies(opened, recorder, cases)
    segments, lines = of_others(opened, recorder, others)
    if not copies or not segments:
        raise ValueError(
            "there is nothing to fit on: neither copies nor other code led to segments"
        )
    written = scale()
    value = fitted(copies, segments, lines)
    value |= {"warning": written.warning, "information": written.information}
    said = f"{len(copies)} copies and {len(segments)} segments of {lines} other lines"
    value["fitted_on"] = said
    to = Path(judging.__file__).with_name(SCALE)
    to.write_text(json.dumps(value, indent=1) + "\n", "utf-8")
    rows = [f"  {name:16} {weight:8.3f}" for name, weight in value["weights"].items()]
    return "\n".join([f"fitted on {said}", *rows, f"written to {to}; the thresholds are as before"])
