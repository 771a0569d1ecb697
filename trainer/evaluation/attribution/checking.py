"""Asks the index about planted copies and about code that is nobody's copy, on several processes."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Generic, TypeVar

from indexer import AttributionIndex, Match, Source
from trainer.evaluation.attribution.passages import lexemes
from trainer.evaluation.attribution.planting import Case, Origin
from trainer.evaluation.attribution.pools import pool

T = TypeVar("T")
R = TypeVar("R")

MODES = ("document", "completion", "accepts", "alone")
ACCEPTED = (15, 64)  # lexemes of a small accept, at least and at most; one line may be shorter


@dataclass(frozen=True, slots=True)
class Seen:
    """What was said about one copy."""

    tier: str = ""  # empty: nothing
    kind: str = ""
    rank: int = 0  # of the right source among those named, from 1; 0: it was not named
    text_iou: float = 0.0  # of lines
    licensed: bool = False  # the first source named has the licence of a right one
    source_iou: float | None = None  # likewise in the source, where it is the very file
    similarity: float = 0.0
    milliseconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Probe:
    """A text that is no copy as far as anybody knows."""

    name: str
    group: str  # what it is one of
    package: str
    language: str
    path: str
    before: str  # of a completion
    text: str
    after: str
    is_completion: bool


@dataclass(frozen=True, slots=True)
class Flagged:
    """A match in a text that was thought to be no copy: to be read."""

    probe: str
    group: str
    package: str
    text: str  # the lines that were matched
    source_text: str
    match: Match


def in_processes(
    ask: Callable[[AttributionIndex, T], R], items: Sequence[T], folder: Path | None, jobs: int
) -> Iterator[R]:
    """The answers in the order of the items. Raises IndexUnavailable."""
    index = AttributionIndex.open(folder)
    if jobs < 2:
        yield from (ask(index, item) for item in items)
        return
    with pool(jobs, _open, folder) as workers:
        yield from workers.map(_Asking(ask), items, chunksize=16)


_OPENED: list[AttributionIndex] = []  # in a worker process, the index


def _open(folder: Path | None) -> None:
    _OPENED.append(AttributionIndex.open(folder))


@dataclass(frozen=True)
class _Asking(Generic[T, R]):
    """A question to the index of the process it arrives in."""

    ask: Callable[[AttributionIndex, T], R]

    def __call__(self, item: T) -> R:
        return self.ask(_OPENED[0], item)


def ask_about(index: AttributionIndex, case: Case) -> dict[str, Seen]:
    """What the index says about a copy in its file, as a completion, as small accepts, and alone."""
    rows = case.text.splitlines(keepends=True)
    before = "".join(rows[: case.first_line - 1])
    copy = "".join(rows[case.first_line - 1 : case.last_line])
    after = "".join(rows[case.last_line :])
    lines = case.first_line, case.last_line
    document = partial(
        index.check_document, case.text, language=case.host_language, path=case.host_path
    )
    completion = partial(index.check_completion, before, copy, after, language=case.host_language)
    return {
        "document": _timed(index, case, lines, document),
        "completion": _timed(index, case, lines, completion),
        "accepts": _accepted(index, case, before, copy, after),
        "alone": ask_about_copy(index, case),
    }


def ask_about_copy(index: AttributionIndex, case: Case) -> Seen:
    """What the index says about a copy with nothing around it."""
    ask = partial(index.check_document, case.copy, language=case.origins[0].language)
    return _timed(index, case, (1, case.copy.count("\n") + 1), ask)


def _accepted(index: AttributionIndex, case: Case, before: str, copy: str, after: str) -> Seen:
    """The most that was said while the copy came in small parts, each accepted as it is."""
    best = Seen()
    lines = case.first_line, case.last_line
    for part in small_parts(copy, Random(case.copy)):
        ask = partial(index.check_completion, before, part, after, language=case.host_language)
        seen = _timed(index, case, lines, ask)
        best = max(best, seen, key=_strength)
        before += part
    return best


def small_parts(copy: str, rng: Random) -> list[str]:
    """A text in parts of whole lines, each of fewer than 65 lexemes unless one line has more."""
    parts: list[str] = []
    room = 0
    for line in copy.splitlines(keepends=True):
        size = len(lexemes(line))
        if parts and size <= room:
            parts[-1] += line
        else:
            room = rng.randint(*ACCEPTED)
            parts.append(line)
        room -= size
    return parts


def _strength(seen: Seen) -> tuple[int, bool, float]:
    return ("", "information", "warning").index(seen.tier), seen.rank > 0, seen.similarity


def _timed(
    index: AttributionIndex,
    case: Case,
    lines: tuple[int, int],
    ask: Callable[[], list[Match]],
) -> Seen:
    started = time.perf_counter()
    matches = ask()
    took = 1000 * (time.perf_counter() - started)
    on = [_seen(index, case, each, lines, took) for each in matches if _is_on(each, lines)]
    return max(on, key=_strength, default=Seen(milliseconds=took))


def _shared(match: Match, lines: tuple[int, int]) -> int:
    return min(match.end_line, lines[1]) - max(match.start_line, lines[0]) + 1


def _is_on(match: Match, lines: tuple[int, int]) -> bool:
    """Whether a match lies on the copy: on half of its lines, or nearly all of itself on it."""
    shared = _shared(match, lines)
    size = match.end_line - match.start_line + 1
    return shared > 0 and (2 * shared >= lines[1] - lines[0] + 1 or shared >= 0.8 * size)


def iou(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Shared lines over all lines of two ranges, first and last included."""
    shared = min(one[1], other[1]) - max(one[0], other[0]) + 1
    return max(0, shared) / (max(one[1], other[1]) - min(one[0], other[0]) + 1)


def _seen(
    index: AttributionIndex, case: Case, match: Match, lines: tuple[int, int], took: float
) -> Seen:
    named = (match.source, *match.others)
    rank = next(
        (n for n, each in enumerate(named, 1) if any(_is(index, each, o) for o in case.origins)), 0
    )
    very = [
        iou((each.start_line, each.end_line), (origin.first_line, origin.last_line))
        for each in named[:1]
        for origin in case.origins
        if (each.package, each.path) == (origin.package, origin.path)
    ]
    return Seen(
        match.tier,
        match.kind,
        rank,
        iou((match.start_line, match.end_line), lines),
        match.source.license in {each.license for each in case.origins},
        max(very, default=None),
        match.similarity,
        took,
    )


def _is(index: AttributionIndex, source: Source, origin: Origin) -> bool:
    """Whether a named source is the file, or one that has the same passage byte for byte."""
    if (source.package, source.path) == (origin.package, origin.path):
        return True
    return origin.text in (index.source_text(source) or "")


def ask_about_probe(index: AttributionIndex, probe: Probe) -> list[Flagged]:
    """Every match in a text that should have none."""
    if probe.is_completion:
        whole = probe.before + probe.text + probe.after
        matches = index.check_completion(
            probe.before, probe.text, probe.after, language=probe.language
        )
    else:
        whole = probe.text
        matches = index.check_document(whole, language=probe.language, path=probe.path)
    return [_flagged(index, probe, whole, each) for each in matches]


def _flagged(index: AttributionIndex, probe: Probe, whole: str, match: Match) -> Flagged:
    source = (index.source_text(match.source) or "").splitlines()
    return Flagged(
        probe.name,
        probe.group,
        probe.package,
        "\n".join(whole.splitlines()[match.start_line - 1 : match.end_line]),
        "\n".join(source[match.source.start_line - 1 : match.source.end_line]),
        match,
    )


def ask_about_window(index: AttributionIndex, probe: Probe) -> Seen:
    """The most that is said about a window by itself."""
    matches = index.check_document(probe.text, language=probe.language)
    seen = (Seen(each.tier, each.kind, similarity=each.similarity) for each in matches)
    return max(seen, key=_strength, default=Seen())
