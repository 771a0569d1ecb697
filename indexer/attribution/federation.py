"""Several indexes asked as one: the corpus's, and those of one's own code beside it.

Each is searched by itself and counts common idiom by itself; the matches are then ranked together as the
matcher ranks those of one index. An index that cannot be opened is left out and said.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.attribution import schema
from indexer.attribution.catalogue import File, Package
from indexer.attribution.index import AttributionIndex, Lookup, never
from indexer.attribution.judging import WARNING
from indexer.attribution.matches import Match, Source
from indexer.attribution.schema import RECORD, IndexInfo, IndexUnavailable
from indexer.home import index_folder, own_indexes_folder

PUBLIC = "public"  # the name of the corpus's own index
_AS_GOOD = 0.9  # share of the best match's weight from which another counts as "as well"
_SHOWN = 2  # other places that a match names


@dataclass(frozen=True, slots=True)
class Place:
    """Where an index is, and what it is called."""

    name: str
    folder: Path


def places(names: Iterable[str] = ()) -> list[Place]:
    """The indexes of these names or folders; without any, all in the data folder."""
    chosen = [_place(name) for name in names]
    if chosen:
        return chosen
    own = own_indexes_folder()
    folders = sorted(own.iterdir()) if own.is_dir() else []
    found = [Place(each.name, each) for each in folders if (each / RECORD).is_file()]
    if found and not index_folder().exists():
        return found
    return [Place(PUBLIC, index_folder()), *found]


def stamps(names: Iterable[str] = ()) -> tuple[object, ...]:
    """Changes when one of these indexes comes, goes, is replaced, or has something removed from it."""
    return tuple((place, schema.stamp(place.folder)) for place in places(names))


def _place(name: str) -> Place:
    if name == PUBLIC:
        return Place(PUBLIC, index_folder())
    own = own_indexes_folder() / name
    folder = Path(name).expanduser()
    if folder.name == name and (own.exists() or not folder.is_dir()):
        return Place(name, own)
    return Place(folder.resolve().name, folder)


def open_indexes(names: Iterable[str] = ()) -> "FederatedIndex":
    """Opens the indexes of these names or folders; without any, all in the data folder.

    Raises IndexUnavailable when none can be opened; otherwise `problems` says what is wrong with the others.
    """
    opened: dict[str, AttributionIndex] = {}
    problems = []
    for place in places(names):
        try:
            opened[place.name] = AttributionIndex.open(place.folder)
        except IndexUnavailable as unavailable:
            problems.append(str(unavailable))
    if not opened:
        raise IndexUnavailable(problems[0])
    return FederatedIndex(opened, problems)


class FederatedIndex(AttributionIndex):
    """Open indexes by name, asked as one."""

    def __init__(self, parts: dict[str, AttributionIndex], problems: Sequence[str] = ()) -> None:
        self.parts = parts
        self.problems = tuple(problems)

    def info(self) -> IndexInfo:
        """The record of the first one."""
        return next(iter(self.parts.values())).info()

    def infos(self) -> dict[str, IndexInfo]:
        return {name: part.info() for name, part in self.parts.items()}

    def packages(self) -> tuple[Package, ...]:
        return tuple(each for part in self.parts.values() for each in part.packages())

    def check_document(
        self,
        text: str,
        *,
        language: str = "",
        path: str = "",
        own: Collection[str] = (),
        cancelled: Callable[[], bool] = never,
    ) -> list[Match]:
        return self._merged(
            part.check_document(text, language=language, path=path, own=own, cancelled=cancelled)
            for part in self.parts.values()
        )

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
        return self._merged(
            part.check_completion(
                before, completion, after, language=language, own=own, cancelled=cancelled
            )
            for part in self.parts.values()
        )

    def _merged(self, found: Iterable[list[Match]]) -> list[Match]:
        named = [
            [replace(match, index=name) for match in matches]
            for name, matches in zip(self.parts, found, strict=True)
        ]
        return named[0] if len(named) == 1 else merged(each for part in named for each in part)

    def source_text(self, source: Source) -> str | None:
        texts = (part.source_text(source) for part in self.parts.values())
        return next((text for text in texts if text is not None), None)

    def lookup(self, name: str, *, limit: int = 20) -> Lookup:
        found = [part.lookup(name, limit=limit) for part in self.parts.values()]
        return Lookup(
            tuple(each for one in found for each in one.packages),
            tuple(each for one in found for each in one.files)[:limit],
        )

    def lookup_text(self, text: str) -> tuple[File, ...]:
        return tuple(each for part in self.parts.values() for each in part.lookup_text(text))


def merged(matches: Iterable[Match]) -> list[Match]:
    """The best match for each passage of the text, with the sources of those that match it as well."""
    leads: list[Match] = []
    for each in sorted(matches, key=_weight, reverse=True):
        size = each.end_line - each.start_line + 1
        rivals = [
            number
            for number, lead in enumerate(leads)
            if 2 * (min(lead.end_line, each.end_line) - max(lead.start_line, each.start_line) + 1)
            > size
        ]
        if not rivals:
            leads.append(each)
        elif _weight(each)[1] >= _AS_GOOD * _weight(leads[rivals[0]])[1]:
            leads[rivals[0]] = _with_others(leads[rivals[0]], each)
    return sorted(leads, key=lambda match: (match.start_line, match.end_line))


def _weight(match: Match) -> tuple[bool, float]:
    return match.tier == WARNING, match.matched_tokens * match.similarity


def _with_others(lead: Match, match: Match) -> Match:
    """The same match, with the places of another one; a place that both know counts once."""
    places = {(each.package, each.version, each.path): each
              for each in (match.source, *match.others, *lead.others)}  # fmt: skip
    source = lead.source
    places.pop((source.package, source.version, source.path), None)
    others = list(places.values())
    return replace(
        lead,
        others=tuple(others[:_SHOWN]),
        more=lead.more + match.more + len(others[_SHOWN:]),
    )
