"""Opens an attribution index and answers: where did we see this text before?"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from indexer.attribution import schema
from indexer.attribution.candidates import names_of
from indexer.attribution.catalogue import File, Package, plain_name
from indexer.attribution.excerpts import tail
from indexer.attribution.families import DATA_LANGUAGES, PLAIN, PYTHON, SCRIPT, Family, family_of
from indexer.attribution.judging import INFORMATION, Thresholds
from indexer.attribution.lexing import lexer_of_family, unify_line_ends
from indexer.attribution.library import Library
from indexer.attribution.matches import Match, Source
from indexer.attribution.matching import Question, find
from indexer.attribution.postings import STOP
from indexer.attribution.schema import IndexInfo
from indexer.attribution.text_store import DamagedBlock
from indexer.attribution.tokens import Tokens
from indexer.document import content_hash
from indexer.home import index_folder
from indexer.languages import language_of

# A completion is judged with what was typed before it, up to this many tokens (GitHub's snippet rule):
# shorter windows match by accident.
WINDOW_TOKENS = 65
_TAIL_LINES = (
    48  # lines before a completion that are lexed; they hold that many tokens in nearly any code
)
MIN_NEW_TOKENS = 20


AFTER_TOKENS = 32  # a completion inside a function is also judged with what follows it
_AFTER_CHARACTERS = 800


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the corpus has under a name."""

    packages: tuple[Package, ...]
    files: tuple[File, ...]


def never() -> bool:
    return False


class AttributionIndex:
    """An open index. Reading is safe from several threads; nothing is ever written."""

    def __init__(self, folder: Path, info: IndexInfo, thresholds: Thresholds | None = None) -> None:
        self._info = info
        self._folder = folder
        self._roots = {plain_name(root): plain_name(name) for name, root in info.roots.items()}
        self._stamp = schema.stamp(folder)
        self._opened = Library(folder, text=info.text)
        self._thresholds = thresholds or Thresholds()

    @classmethod
    def open(
        cls, folder: Path | None = None, *, thresholds: Thresholds | None = None
    ) -> "AttributionIndex":
        """Opens the index in a folder (by default in the data folder).

        Raises IndexUnavailable, whose message says what to run, when it is missing, damaged or foreign.
        """
        folder = folder or index_folder()
        info = schema.read_info(folder)
        schema.verify(folder, info)
        try:
            return cls(folder, info, thresholds)
        except Exception as error:  # whatever a parser says of a damaged file
            raise schema.damaged(folder, error) from error

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

        Without a language the path tells it, and without both the text is read in the way that finds most.
        What stands as well in one of the `own` packages, the project's own by name, is no match.
        """
        language = language or language_of(path) or ""
        tokens, family = self._read(text, language)
        question = Question(tokens, family.abstract, own=self._own(own))
        matches = self._find(question, cancelled)
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

        Only matches with MIN_NEW_TOKENS matched tokens inside the completion count: what the user already
        had in the text does not taint everything that is written below it.
        """
        family = family_of(language) if language else PYTHON
        lexer = lexer_of_family(family)
        before = unify_line_ends(before)
        head, left_away = tail(before, _TAIL_LINES, family)
        text = head + unify_line_ends(completion)
        old = len(lexer.tokens(head))
        new = len(lexer.tokens(text))
        whole = text + unify_line_ends(after[:_AFTER_CHARACTERS])
        tokens = lexer.tokens(whole)
        if tokens.sizes[old:new].sum() < MIN_NEW_TOKENS:
            return []
        skipped, end = max(0, old - WINDOW_TOKENS), new + AFTER_TOKENS
        question = Question(
            tokens=tokens.part(skipped, end).on_later_lines(left_away),
            abstract=family.abstract,
            min_hits=1,
            new=(old - skipped, new - skipped),
            min_new=MIN_NEW_TOKENS,
            names=lambda: names_of(lexer.names(whole, skipped, end)),
            own=self._own(own),
        )
        return self._find(question, cancelled)

    @property
    def _library(self) -> Library:
        """The parts of the index as its folder is now: it may be rebuilt, and packages removed, at any time."""
        if schema.stamp(self._folder) not in (None, self._stamp):
            fresh = AttributionIndex.open(self._folder, thresholds=self._thresholds)
            vars(self).update(vars(fresh))
        return self._opened

    def _find(self, question: Question, cancelled: Callable[[], bool]) -> list[Match]:
        library, tokens = self._library.facing(question.tokens)
        try:
            return find(replace(question, tokens=tokens), library, self._thresholds, cancelled)
        except (DamagedBlock, IndexError, UnicodeDecodeError) as error:
            # Large files are not hashed when they are opened, so damage may show here first.
            raise schema.damaged(self._folder, error) from error

    def source_text(self, source: Source) -> str | None:
        """The whole corpus file of a source, or None when the index does not hold it."""
        for file in self._library.catalogue.files_named(source.path):
            if (file.package.name, file.package.version) == (source.package, source.version):
                try:
                    return self._library.text(file)
                except (DamagedBlock, IndexError, UnicodeDecodeError) as error:
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
        plain = set(map(plain_name, names))
        return frozenset(plain | {self._roots[each] for each in plain & self._roots.keys()})

    def _read(self, text: str, language: str) -> tuple[Tokens, Family]:
        families = (family_of(language),) if language else (PYTHON, SCRIPT, PLAIN)
        readings = [(lexer_of_family(each).tokens(text), each) for each in families]
        if len(readings) == 1:
            return readings[0]
        return max(readings, key=lambda each: self._evidence(*each))

    def _evidence(self, tokens: Tokens, family: Family) -> int:
        hits = self._library.hits(tokens, abstract=family.abstract)
        return len(np.unique(hits.starts[hits.lines != STOP]))
