"""Finds the corpus passages a text matches: hits, chains, alignment, judgement, and the best of rivals."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from indexer.attribution.aligning import align
from indexer.attribution.alignment import FEWEST_MATCHED, Segment
from indexer.attribution.candidates import Names
from indexer.attribution.catalogue import File, plain_name
from indexer.attribution.counting import Common, common
from indexer.attribution.emitted import LINES as HELPER_LINES
from indexer.attribution.emitted import is_emitted
from indexer.attribution.generated import TOP, is_generated
from indexer.attribution.judging import INFORMATION, VERBATIM, WARNING, Verdict
from indexer.attribution.library import REPEATS, Library
from indexer.attribution.matches import Match, Source
from indexer.attribution.occurrences import Hits
from indexer.attribution.portions import Part, is_among, parts_of, widened
from indexer.attribution.regions import Chain, chains
from indexer.attribution.spans import Found, Span, beside, trimmed, united, whole_lines
from indexer.attribution.tokens import PROSE, Tokens
from indexer.attribution.voting import CHUNK_LINES, STRETCH_TOKENS, Shared

_MIN_HITS = 2  # that make a chain; one alone is heard beside the names
_SETTLED = 3  # places known for a stretch of text after which more are only counted
_WEAK = 0.5  # a chain that covers less than this share of a known match is not worth aligning
_NAMED_MARGIN = 64  # tokens around a stretch whose names are found, and lines around the chunks
_NAMED_LINES = 12
_NAMED_ALIKE = 2  # places that are tried for one stretch
_BESIDE = 8  # lines around a source that may belong to it
_SHOWN = 2  # other places that a match names
_AS_GOOD = 0.9  # share of the best place's weight from which another counts as "as well"

Judge = Callable[[Tokens, Segment, Common], Verdict | None]


@dataclass(frozen=True, slots=True)
class Question:
    """A text, cut into tokens."""

    tokens: Tokens
    abstract: bool  # whether its family has a semi-abstract form
    data: bytes  # what they are of
    names: Names  # to be asked for where hits do not suffice
    new: tuple[int, int] | None = None  # tokens of which a match must hold some
    min_new: int = 0  # how many, as written
    generated: bool = False  # whether the text says that a program wrote it
    skipped: int = 0  # lines that come before what is asked about
    own: frozenset[str] = frozenset()  # packages, by plain name, whose text this may be itself


def find(
    question: Question, library: Library, judge: Judge, cancelled: Callable[[], bool]
) -> list[Match]:
    """The matches of a text, in its order. Stops early, with what it has, when cancelled."""
    tokens = question.tokens
    if int(tokens.sizes.sum()) < FEWEST_MATCHED:
        return []
    hits = library.hits(tokens, abstract=question.abstract)
    votes = library.votes(question.names)
    idiom = common(hits, votes.rarity(len(tokens)), library.written(tokens))
    search = _Search(question, library, judge, cancelled, idiom)
    shared = library.sharing(votes, hits)
    along = chains(tokens, hits, library.catalogue, min_hits=_MIN_HITS)
    search.along(_ranked(along, shared, library))
    search.repeats(hits)
    search.by_names(shared)
    return _matches(question, search.found, search.surplus, library)


@dataclass
class _Search:
    """What was found so far, and what it was found with."""

    question: Question
    library: Library
    judge: Judge
    cancelled: Callable[[], bool]
    idiom: Common
    found: list[Found] = field(default_factory=list)
    surplus: list[Chain] = field(default_factory=list)  # chains that are only counted
    followed: dict[int, list[Part]] = field(default_factory=dict)  # hits, by the number of the file
    aligned: dict[int, list[Part]] = field(default_factory=dict)  # what was compared, likewise

    def along(self, candidates: Iterable[Chain], *, again: bool = False) -> None:
        """Judges what lies along chains of hits, the best first; `again`, what was not judged before."""
        tried: list[Chain] = []
        for chain in candidates:
            if self.cancelled():
                return
            rivals = [each for each in self.found if _accounts_for(each, chain)]
            if rivals and chain.covered < _WEAK * max(each.covered for each in rivals):
                continue
            own = self._is_of_own(chain)
            if len(rivals) >= _SETTLED and not own:
                self.surplus.append(chain)
            elif rivals or own or not _is_settled(chain, tried):
                tried.append(chain)
                file = self.library.catalogue.file(chain.file)
                for hits in parts_of(chain):
                    if not (again and is_among(hits, self.followed.get(chain.file, ()))):
                        self.found += self._along_here(hits, file)

    def by_names(self, candidates: Iterable[Shared]) -> None:
        """Judges where names stand together that nothing found so far accounts for."""
        tokens = len(self.question.tokens)
        for shared in _best_of(candidates):
            # Of a completion it is enough to know that it is a copy.
            if self.cancelled() or (
                self.question.new and any(each.weight[0] for each in self.found)
            ):
                return
            if self._concerns(shared) and not any(
                _covers(each, shared, tokens) for each in self.found
            ):
                file, part = _place(shared, tokens, self.library)
                if not is_among(part, self.aligned.get(file.number, ())):
                    self.found += self._judged(part, file)

    def repeats(self, hits: Hits) -> None:
        """Judges where the text has again what was found, beyond what was asked for."""
        tokens, most = self.question.tokens, REPEATS
        before = 0
        while len(self.found) > before and not self.cancelled():
            before = len(self.found)
            outside = np.ones(len(tokens), bool)
            for each in self.found:
                outside[each.start : each.end] = False
            if not (outside[hits.left_out] & ~outside[hits.like]).any():
                return
            most *= 2
            hits = self.library.hits(
                tokens, abstract=self.question.abstract, repeats=most, outside=outside
            )
            self.along(chains(tokens, hits, self.library.catalogue, min_hits=_MIN_HITS), again=True)

    def _is_of_own(self, chain: Chain) -> bool:
        if not self.question.own:
            return False
        return _is_own(self.library.catalogue.file(chain.file), self.question)

    def _concerns(self, shared: Shared) -> bool:
        """Whether a stretch has any of the new text."""
        if self.question.new is None:
            return True
        first, last = self.question.new
        return shared.start < last and shared.start + STRETCH_TOKENS > first

    def _along_here(self, hits: Part, file: File) -> Iterator[Found]:
        """The findings where hits lie; and where a better passage beside them hides theirs, what aligns here alone.

        A text may have a passage twice, or two of a file in another order.
        """
        self.followed.setdefault(file.number, []).append(hits)
        found = list(self._judged(widened(hits, len(self.question.tokens)), file))
        yield from found
        if found and not any(_share_inside(hits, each) >= 0.5 for each in found):
            yield from self._judged(widened(hits, len(self.question.tokens), little=True), file)

    def _judged(self, part: Part, file: File) -> Iterator[Found]:
        tokens = self.question.tokens
        self.aligned.setdefault(file.number, []).append(part)
        source = self.library.passage(file, part.first_line, part.last_line)
        for segment in align(tokens, source, part.start, part.end):
            if _new_tokens(self.question, segment) < self.question.min_new:
                continue
            verdict = self.judge(tokens, segment, self.idiom)
            if verdict:
                same = len(segment.equal) / len(segment.matched)
                found = Found(verdict, file, segment.matched, segment.lines, part.covered, same)
                yield trimmed(found, tokens, source, segment)


def _is_own(file: File, question: Question) -> bool:
    return plain_name(file.package.name) in question.own


def _accounts_for(found: Found, chain: Chain) -> bool:
    """Whether a finding has what is under a chain: of one copy in the gap of another it has nothing."""
    return _share_inside(chain, found) >= 0.8 and found.holds(chain.start, chain.end)


def _share_inside(chain: Chain | Part, found: Found) -> float:
    inside = min(found.end, chain.end) - max(found.start, chain.start)
    return inside / (chain.end - chain.start)


def _is_settled(chain: Chain, tried: Iterable[Chain]) -> bool:
    """Whether places enough were tried that have nearly as many hits where this chain has its own."""
    start, end, enough = chain.start, chain.end, 0.8 * len(chain.positions)
    stronger = 0
    for each in tried:
        at = each.positions
        if at[0] < end and at[-1] >= start:
            stronger += bisect_left(at, end) - bisect_left(at, start) >= enough
            if stronger == _SETTLED:
                return True
    return False


def _new_tokens(question: Question, segment: Segment) -> int:
    """How many written tokens of the new text a segment matches."""
    if question.new is None:
        return question.min_new
    first, last = np.searchsorted(segment.matched, question.new)
    return int(question.tokens.sizes[segment.matched[first:last]].sum())


def _ranked(along: list[Chain], shared: Sequence[Shared], library: Library) -> list[Chain]:
    """The chains, those first in whose files the most speaks: files of one mould have the same hits, not the same names."""
    lines = np.array([each.line for each in shared], np.uint32)
    said: dict[int, float] = {}
    for file, each in zip(library.catalogue.files_of_lines(lines).tolist(), shared, strict=True):
        said[file] = max(said.get(file, 0.0), each.bits)
    return sorted(along, key=lambda each: -each.covered - said.get(each.file, 0.0))


def _best_of(shared: Iterable[Shared]) -> Iterator[Shared]:
    """The best places of each stretch; of two that overlap the better one."""
    kept: list[Shared] = []
    for each in shared:
        kept = [other for other in kept if other.start == each.start]
        if len(kept) < _NAMED_ALIKE and all(
            abs(each.line - other.line) > CHUNK_LINES for other in kept
        ):
            kept.append(each)
            yield each


def _covers(found: Found, shared: Shared, tokens: int) -> bool:
    """Whether most of a stretch, of which the last one may be short, lies in a finding."""
    start, end = shared.start, min(tokens, shared.start + STRETCH_TOKENS)
    inside = min(found.end, end) - max(found.start, start)
    return 2 * inside > end - start and found.holds(start, end)


def _place(shared: Shared, tokens: int, library: Library) -> tuple[File, Part]:
    """A stretch of the text and the chunks that share its names, with something around either."""
    file = library.file_of_line(shared.line)
    line = shared.line - file.first_line
    part = Part(
        max(0, shared.start - _NAMED_MARGIN),
        min(tokens, shared.start + STRETCH_TOKENS + _NAMED_MARGIN),
        max(0, line - _NAMED_LINES),
        line + 2 * CHUNK_LINES + _NAMED_LINES,
    )
    return file, part


def _matches(
    question: Question, found: Sequence[Found], surplus: Sequence[Chain], library: Library
) -> list[Match]:
    """The best place for each stretch of the text, with those that match it as well.

    What stands in the project's own package as well as anywhere is its own.
    """
    tokens = question.tokens
    leads: list[Found] = []
    others: dict[int, list[Found]] = {}
    whole = united(found, tokens)
    for each in sorted(whole, key=lambda each: (each.weight, -each.file.number), reverse=True):
        for number, lead in enumerate(leads):
            inside = min(each.end, lead.end) - max(each.start, lead.start)
            if inside > (each.end - each.start) // 2 and lead.holds(each.start, each.end):
                if (
                    each.file.number != lead.file.number
                    and each.weight[1] >= _AS_GOOD * lead.weight[1]
                ):
                    others.setdefault(number, []).append(each)
                break
        else:
            rest = beside(each, leads, tokens)
            leads += [rest] if rest else []
    written = question.data.decode("utf-8", "surrogatepass").split("\n") if leads else []
    matches = []
    for number, lead in enumerate(leads):
        as_well = list({each.file.number: each for each in others.get(number, [])}.values())
        if any(_is_own(each.file, question) for each in (lead, *as_well)):
            continue
        counted = sum(
            _share_inside(chain, lead) >= 0.8 and chain.covered >= _AS_GOOD * max(1, lead.covered)
            for chain in surplus
        )
        shown = _of_other_packages(lead, as_well)[:_SHOWN]
        span = _lines(lead, question, written)
        matches.append(
            Match(
                start_line=span.first + 1,
                end_line=span.last + 1,
                tier=_tier(lead, question, library, written, span),
                kind=lead.verdict.kind,
                similarity=lead.verdict.similarity,
                matched_tokens=lead.verdict.matched,
                source=_source(lead, question, library),
                others=tuple(_source(each, question, library) for each in shown),
                more=len(as_well) - len(shown) + counted,
            )
        )
    return sorted(matches, key=lambda each: (each.start_line, each.end_line))


def _tier(
    found: Found, question: Question, library: Library, written: Sequence[str], span: Span
) -> str:
    """What programs write is alike whoever runs them: of a copy it speaks only as a whole, and not to the program.

    The helpers of compilers, which everybody's output has, speak of none.
    """
    verdict = found.verdict
    if verdict.tier == WARNING:
        sides = question.generated, is_generated(library.lines(found.file, 0, TOP))
        if all(sides) or (any(sides) and verdict.kind != VERBATIM):
            return INFORMATION
        first, last = span.first - question.skipped, span.last - question.skipped
        above = max(0, first - HELPER_LINES)  # a finding may begin inside of one
        if is_emitted(written[above : last + 1], first - above):
            return INFORMATION
    return verdict.tier


def _lines(found: Found, question: Question, written: Sequence[str]) -> Span:
    """The lines of the text that a finding takes."""
    first, last = question.tokens.lines[[found.start, found.end - 1]].tolist()
    here = Span(first - question.skipped, last - question.skipped)
    span = whole_lines(here, written, prose=_prose(found, question))
    return Span(span.first + question.skipped, span.last + question.skipped)


def _prose(found: Found, question: Question) -> tuple[bool, bool]:
    """Whether the first and the last word of a finding are of a remark."""
    first, last = question.tokens.kinds[[found.start, found.end - 1]] == PROSE
    return bool(first), bool(last)


def _of_other_packages(lead: Found, as_well: Sequence[Found]) -> list[Found]:
    """One place of each package but the lead's: that a package has a passage twice is no news."""
    first: dict[str, Found] = {}
    for each in as_well:
        first.setdefault(each.file.package.name, each)
    first.pop(lead.file.package.name, None)
    return list(first.values())


def _source(found: Found, question: Question, library: Library) -> Source:
    package, span = found.file.package, found.source
    skipped = max(0, span.first - _BESIDE)
    lines = library.lines(found.file, skipped, min(span.last + 1 + _BESIDE, found.file.lines))
    if lines:
        near = Span(span.first - skipped, span.last - skipped)
        near = whole_lines(near, lines, prose=_prose(found, question))
        span = Span(near.first + skipped, near.last + skipped)
    return Source(
        package=package.name,
        version=package.version,
        path=found.file.path,
        start_line=span.first + 1,
        end_line=span.last + 1,
        license=found.file.license,
        url=package.url,
    )
