"""Opens an attribution index and answers: where did we see this text before?"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from operator import ge, gt
from pathlib import Path

import numpy as np

from indexer.attribution import schema
from indexer.attribution.candidates import DamagedNames, names_in
from indexer.attribution.catalogue import File, Package, plain_name
from indexer.attribution.embedded import code_before, code_in
from indexer.attribution.excerpts import tail
from indexer.attribution.families import DATA_LANGUAGES, PLAIN, PYTHON, SCRIPT, Family, family_of
from indexer.attribution.generated import says_it_is_generated
from indexer.attribution.judging import INFORMATION, WARNING, judge
from indexer.attribution.lexing import lexer_of_family, unify_line_ends
from indexer.attribution.library import Library
from indexer.attribution.matches import Match, Source
from indexer.attribution.matching import Judge, Question, find
from indexer.attribution.postings import STOP
from indexer.attribution.recognizing import language_as_checked
from indexer.attribution.resuming import last_resumption, resumed
from indexer.attribution.schema import IndexInfo, IndexUnavailable
from indexer.attribution.text_store import DamagedBlock
from indexer.attribution.tokens import Reading, Tokens
from indexer.document import content_hash
from indexer.home import index_folder
from indexer.languages import NOTEBOOK

# A completion is judged with what stands around it: shorter texts match by accident, and a long copy that
# comes line by line shows only together with what came before.
WINDOW_TOKENS = 96  # before it
AFTER_TOKENS = 48
_AGAIN_TOKENS = 400  # on either side of what a second reading has otherwise
_TAIL_LINES = 48  # lines before it that are read; they hold that many tokens in nearly any code
_AFTER_CHARACTERS = 1200
MIN_NEW_TOKENS = 20  # matched in the completion itself; of a shorter one, nearly all of them
_FEWEST_NEW_TOKENS = 4
_NEARLY_ALL = 0.9
_DAMAGE = (DamagedBlock, DamagedNames, IndexError, UnicodeDecodeError)
_TRIES = (
    5  # a folder that is replaced while it is read is read again: half of each would be neither
)


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the corpus has under a name."""

    packages: tuple[Package, ...]
    files: tuple[File, ...]


def never() -> bool:
    return False


class AttributionIndex:
    """An open index. Reading is safe from several threads; nothing is ever written."""

    def __init__(self, folder: Path, judge: Judge = judge) -> None:
        self._folder = folder
        self._judge = judge
        self._stamp = schema.stamp(folder)
        self._info = info = schema.read_info(folder)
        schema.verify(folder, info)
        self._roots = {plain_name(root): plain_name(name) for name, root in info.roots.items()}
        try:
            self._opened = Library(folder, text=info.text)
        except Exception as error:  # whatever a parser says of a damaged file
            raise schema.damaged(folder, error) from error

    @classmethod
    def open(cls, folder: Path | None = None, *, judge: Judge = judge) -> "AttributionIndex":
        """Opens the index in a folder (by default in the data folder), to be judged by the scale that ships.

        Raises IndexUnavailable, whose message says what to run, when it is missing, damaged or foreign.
        """
        folder = folder or index_folder()
        for _ in range(_TRIES - 1):
            before = schema.stamp(folder)
            try:
                opened = cls(folder, judge)
            except IndexUnavailable:
                if schema.stamp(folder) == before:
                    raise
            else:
                if schema.stamp(folder) == before:
                    return opened
        return cls(folder, judge)

    def info(self) -> IndexInfo:
        return self._info

    def packages(self) -> tuple[Package, ...]:
        return self._library.catalogue.packages

    def check_document(
        self,
        text: str,
        *,
        language: str = "",
        path: str = "",
        own: Collection[str] = (),
        cancelled: Callable[[], bool] = never,
    ) -> list[Match]:
        """The matches of a whole text, in its order.

        Without a language the path tells it, or a script's first line, and without any the text is read in the
        way that finds most.
        What stands as well in one of the `own` packages, the project's own by name, is no match.
        """
        language = language or language_as_checked(path, text)
        found: list[Match] = []
        for reading, family in self._readings(text, language):
            names = names_in(reading, folds=family.folds)
            question = Question(
                reading.tokens,
                _may_be_renamed(family),
                reading.data,
                names,
                own=self._own(own),
                generated=says_it_is_generated(text),
            )
            found = _better(found, self._find(question, cancelled))
        matches = sorted(found, key=lambda each: (each.start_line, each.end_line))
        if language in DATA_LANGUAGES:
            return [replace(match, tier=INFORMATION) for match in matches]
        return matches

    def check_completion(
        self,
        before: str,
        completion: str,
        after: str,
        *,
        language: str = "",
        own: Collection[str] = (),
        cancelled: Callable[[], bool] = never,
    ) -> list[Match]:
        """The matches of a completion between `before` and `after`; lines are those of all three together.

        Only matches with MIN_NEW_TOKENS matched tokens inside the completion count, or, of a shorter one,
        those of which it is nearly all a part: what the user already had in the text does not taint
        everything that is written below it, and what goes on with a copy line by line is one.
        """
        before = unify_line_ends(before)
        language, before = code_before(before, language) or (language, before)
        family = family_of(language) if language else PYTHON
        lexer = lexer_of_family(family)
        head, left_away = tail(before, _TAIL_LINES, family)
        stray = last_resumption(head, family)
        head, left_away = head[stray:], left_away + head.count("\n", 0, stray)
        text = head + unify_line_ends(completion)
        old = len(lexer.tokens(head))
        new = len(lexer.tokens(text))
        reading = lexer.read(text + unify_line_ends(after[:_AFTER_CHARACTERS]))
        written = int(reading.tokens.sizes[old:new].sum())
        if written < _FEWEST_NEW_TOKENS:
            return []
        skipped, end = max(0, old - WINDOW_TOKENS), new + AFTER_TOKENS
        reading = reading.part(skipped, end)
        question = Question(
            tokens=reading.tokens.on_later_lines(left_away),
            abstract=_may_be_renamed(family),
            data=reading.data,
            names=names_in(reading, folds=family.folds),
            new=(old - skipped, new - skipped),
            generated=says_it_is_generated(before),
            skipped=left_away,
            min_new=min(MIN_NEW_TOKENS, ceil(_NEARLY_ALL * written)),
            own=self._own(own),
        )
        return self._find(question, cancelled)

    @property
    def _library(self) -> Library:
        """The parts of the index as its folder is now: it may be rebuilt, and packages removed, at any time."""
        if schema.stamp(self._folder) not in (None, self._stamp):
            fresh = AttributionIndex.open(self._folder, judge=self._judge)
            vars(self).update(vars(fresh))
        return self._opened

    def _find(self, question: Question, cancelled: Callable[[], bool]) -> list[Match]:
        library, tokens = self._library.facing(question.tokens)
        try:
            return find(replace(question, tokens=tokens), library, self._judge, cancelled)
        except _DAMAGE as error:
            # Large files are not hashed when they are opened, so damage may show here first.
            raise schema.damaged(self._folder, error) from error

    def source_text(self, source: Source) -> str | None:
        """The whole corpus file of a source, or None when the index does not hold it."""
        for file in self._library.catalogue.files_named(source.path):
            if (file.package.name, file.package.version) == (source.package, source.version):
                try:
                    return self._library.text(file)
                except _DAMAGE as error:
                    raise schema.damaged(self._folder, error) from error
        return None

    def lookup(self, name: str, *, limit: int = 20) -> Lookup:
        """What the corpus has under a package name or a path. Nothing is compared but names."""
        catalogue = self._library.catalogue
        wanted = plain_name(name)
        packages = [each for each in catalogue.packages if plain_name(each.name) == wanted]
        return Lookup(tuple(packages), tuple(catalogue.files_under(name.strip("/"), limit=limit)))

    def lookup_text(self, text: str) -> tuple[File, ...]:
        """The files whose content is exactly this text."""
        return tuple(self._library.catalogue.files_with_hash(content_hash(text)))

    def _own(self, names: Collection[str]) -> frozenset[str]:
        """The packages among these names, or whose folders are among them."""
        plain = _plain(frozenset(names))
        return plain | {self._roots[each] for each in plain & self._roots.keys()}

    def _readings(self, text: str, language: str) -> list[tuple[Reading, Family]]:
        """The ways to read a text: one, or two where marks of strings or comments do not come in pairs.

        Of a document likewise those of the code in it.
        """
        text = unify_line_ends(text)
        code = [(part, name) for name, part in code_in(text, language)]
        inside = [reading for each in code for reading in self._readings(*each)]
        if language == NOTEBOOK:
            return inside
        families = (family_of(language),) if language else (PYTHON, SCRIPT, PLAIN)
        readings = [(lexer_of_family(each).read(text), each) for each in families]
        if readings[1:]:
            readings = [max(readings, key=lambda each: self._evidence(each[0].tokens, each[1]))]
        family = readings[0][1]
        again = resumed(text, family)
        if again:
            start, end = _difference(readings[0][0].tokens, again.tokens)
            readings.append((again.part(start, end), family))
        return readings + inside

    def _evidence(self, tokens: Tokens, family: Family) -> int:
        hits = self._library.hits(tokens, abstract=_may_be_renamed(family))
        return len(np.unique(hits.starts[hits.lines != STOP]))


@lru_cache
def _plain(names: frozenset[str]) -> frozenset[str]:
    """Names as they are compared: the files of one folder have the same."""
    return frozenset(map(plain_name, names))


def _may_be_renamed(family: Family) -> bool:
    """Whether the semi-abstract form says something of texts of a family, or of what stands inside of them."""
    return family.abstract or bool(family.islands)


def _difference(one: Tokens, other: Tokens) -> tuple[int, int]:
    """Where a second reading is not the first, with as much around that a passage is seen whole: the rest was asked."""
    least = min(len(one), len(other))
    before = one.exact[:least] != other.exact[:least]
    after = one.exact[len(one) - least :] != other.exact[len(other) - least :]
    first = int(before.argmax()) if before.any() else least
    equal = int(after[::-1].argmax()) if after.any() else least
    return max(0, first - _AGAIN_TOKENS), min(len(other), len(other) - equal + _AGAIN_TOKENS)


def _better(one: list[Match], other: list[Match]) -> list[Match]:
    """The matches of two readings, of those that overlap the better: both may find the same."""
    return [
        each
        for mine, theirs, beats in ((one, other, ge), (other, one, gt))
        for each in mine
        if all(beats(_weight(each), _weight(rival)) for rival in theirs if _overlap(each, rival))
    ]


def _weight(match: Match) -> tuple[bool, float]:
    return match.tier == WARNING, match.matched_tokens * match.similarity


def _overlap(one: Match, other: Match) -> bool:
    return one.start_line <= other.end_line and other.start_line <= one.end_line
