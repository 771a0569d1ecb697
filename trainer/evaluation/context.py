"""Does it help a model to see other files of the project? The same gaps with and without, paired.

The project is the package that a gap is from. A person's open files are played by up to eight
others of it: half of them imported here, the rest from the same folder first, drawn by the case's
name. A file that differs from the gap's own in its ending alone is never shown: it may be a build
of it.
"""

import hashlib
import math
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import fmean, stdev

from engine import CancelToken, CompletionOptions, Gap
from engine.context import Source, excerpts, kin
from engine.context.imports import candidates
from engine.local import LocalCompleter
from indexer.document import Document
from trainer.evaluation.cases import MAX_FILE, Case
from trainer.evaluation.infilling import score

# The layout and amount of excerpts were chosen on these; the others are reported on.
CHOSEN_ON = frozenset({"click", "date-fns", "Flask", "httpx", "marshmallow", "rich"})

_OPEN = 8  # files that a person works with
_MOST_TOKENS = 200  # of a middle that are scored

PROTOCOL = (
    "gaps of which other files of the package say something, in the packages that nothing was chosen "
    f"on (chosen on {', '.join(sorted(CHOSEN_ON, key=str.lower))}); context: excerpts of those files "
    "as the server shows them, definitions behind the imports, then passages like the text around "
    f"the gap, from {_OPEN} files that a person may have open (imported ones and such of the same "
    "folder, drawn by the name of the gap; none that differs from its file in the ending alone); "
    "nats: of each token of the true middle behind the prompt as served, the mean over gaps; gain: "
    "how much fewer than without, paired, with its 95% interval; better: share of the gaps where "
    "they are fewer; first line, similarity: as for `footnote eval infill`, of what is served"
)


class Packages:
    """The files of the packages, found by their paths."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._files: dict[str, dict[str, Source]] = defaultdict(dict)
        for each in documents:
            if len(each.text) <= MAX_FILE:
                source = Source(each.path, each.text, each.language)
                self._files[each.package][each.path] = source

    def with_context(self, case: Case) -> Case:
        """The case with what the server would show beside it."""
        files = self._files[case.name.split("/", 1)[0]]
        others = {
            path: file
            for path, file in files.items()
            if path != case.path and _stem(path) != _stem(case.path)
        }
        own = Source(case.path, case.prefix + case.suffix, case.language)
        found = excerpts(gap_of(case), own, _opened(case, own, others), others.get)
        return replace(case, context=found)


def _stem(path: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.join(folder, name.split(".", 1)[0])


def _opened(case: Case, own: Source, files: Mapping[str, Source]) -> list[Source]:
    rng = Random(hashlib.sha256(case.name.encode()).digest())
    imported: list[str] = []
    for module, _ in own.imports:
        found = [each for each in candidates(module, own.path, own.language) if each in files]
        imported += [each for each in found[:1] if each not in imported]
    family = kin(own.language)
    others = [
        each.path
        for each in files.values()
        if each.path not in imported and kin(each.language) == family
    ]
    rng.shuffle(others)
    folder = posixpath.dirname(case.path)
    others.sort(key=lambda path: posixpath.dirname(path) != folder)
    return [files[path] for path in (imported[: _OPEN // 2] + others)[:_OPEN]]


def gap_of(case: Case) -> Gap:
    return Gap(case.prefix, case.suffix, case.path, case.language, context=case.context)


@dataclass(frozen=True, slots=True)
class Row:
    """Gaps of one kind and language, seen one way."""

    kind: str
    language: str
    way: str
    cases: int
    prompt: float  # tokens, in the mean
    nats: float  # per token of the true middle
    gain: float | None  # fewer nats than without context; None for that way itself
    gain_95: tuple[float, float] | None
    better: float | None
    first_line: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Seen:
    """One gap seen one way."""

    case: Case
    prompt: int  # tokens
    nats: float
    text: str


def see(completer: LocalCompleter, cases: Iterable[Case]) -> Iterator[Seen]:
    """Score the true middles behind the prompts as served, and ask for texts."""
    for case in cases:
        gap, options = gap_of(case), CompletionOptions(multiline=case.kind == "block")
        request = completer.request(gap, options)
        middle = completer.tokenizer.encode(request.owed + case.middle)[:_MOST_TOKENS]
        chances = completer.log_probabilities(request.prompt, middle)
        text = completer.complete(gap, options, CancelToken()).text
        yield Seen(case, len(request.prompt), -fmean(chances), text)


def row(way: str, found: Sequence[Seen], without: Sequence[Seen] | None) -> Row:
    """Sum up one way of seeing gaps of one kind and language, beside the way without context."""
    cases = [each.case for each in found]
    scored = score(way, cases, [each.text for each in found])
    gains = [one.nats - other.nats for one, other in zip(without or (), found, strict=False)]
    kinds, languages = ({getattr(each, name) for each in cases} for name in ("kind", "language"))
    return Row(
        kind=kinds.pop() if len(kinds) == 1 else "all",
        language=languages.pop() if len(languages) == 1 else "all",
        way=way,
        cases=len(found),
        prompt=round(fmean(each.prompt for each in found), 1),
        nats=round(fmean(each.nats for each in found), 4),
        gain=round(fmean(gains), 4) if gains else None,
        gain_95=_interval(gains),
        better=round(fmean(each > 0 for each in gains), 4) if gains else None,
        first_line=scored.first_line,
        similarity=scored.similarity,
    )


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95% interval of a mean, from the spread of its values; one has none."""
    if len(values) < 2:
        return None
    middle, spread = fmean(values), 1.959964 * stdev(values) / math.sqrt(len(values))
    return round(middle - spread, 4), round(middle + spread, 4)
