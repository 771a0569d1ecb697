"""Which other files of a package tell most about one of its files: what it imports, its neighbours."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from engine.context.imports import SCRIPTS, imports
from indexer.languages import LANGUAGES
from trainer.texts import SourceFile, Texts

_FAMILIES = {
    ending: family
    for family in (("python",), SCRIPTS)
    for language in family
    for ending in LANGUAGES[language]
}
_INDEXES = ("__init__", "index")
_DEFINES = re.compile(r"[^#/*=]*\b(?:def|class|function|const|let|var|interface|type|enum)[ \t]+")
_ASSIGNS = re.compile(r"[ \t]*[:=]")
_LINE = 200  # characters of a line in which a definition begins
_PACKAGES = 256  # whose paths are remembered: a few MB
_FAR = 32  # files from elsewhere in the package that are offered at most


@dataclass(frozen=True, slots=True)
class Other:
    """Another file of the package, to be shown before the one that is completed."""

    path: str
    text: str
    start: int  # where what is imported from it is defined, at a line start; 0 if nothing is


@dataclass(frozen=True, slots=True)
class _Package:
    modules: dict[str, int]  # path without its ending, as an import would spell it -> number
    folders: dict[tuple[str, object], list[int]]  # folder and family of languages -> files
    families: dict[object, list[int]]


class Repositories:
    """The packages of a corpus, seen from one of their files."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._packages: dict[int, _Package] = {}

    def others(self, index: int, file: SourceFile, rng: Random) -> Iterator[Other]:
        """Other files of this one's package, the most telling first.

        First what the file imports, in an order drawn anew, then its directory's files, then some
        of the rest of the package. The same `rng` gives the same. Only files of languages that can
        import each other are shown.
        """
        package = self._package(index)
        family = _family(file.path)
        if family is None:
            return
        seen = {index}
        imported = [
            (number, names)
            for module, names in imports(file.text, file.path, file.language)
            if (number := _find(package, module)) is not None
        ]
        rng.shuffle(imported)
        for number, names in imported:
            if number not in seen:
                seen.add(number)
                yield self._other(number, names)
        near = package.folders[posixpath.dirname(file.path), family]
        far = package.families[family]
        for group in (near, far):
            for number in rng.sample(group, min(len(group), _FAR)):
                if number not in seen:
                    seen.add(number)
                    yield self._other(number, ())

    def _other(self, number: int, names: tuple[str, ...]) -> Other:
        file = self._texts[number]
        return Other(file.path, file.text, _definition(file.text, names))

    def _package(self, index: int) -> _Package:
        siblings = self._texts.siblings(index)
        key = int(siblings[0])
        found = self._packages.pop(key, None) or self._read(siblings.tolist())
        self._packages[key] = found  # the last one used stands last
        if len(self._packages) > _PACKAGES:
            del self._packages[next(iter(self._packages))]
        return found

    def _read(self, siblings: list[int]) -> _Package:
        package = _Package({}, defaultdict(list), defaultdict(list))
        files = {self._texts.path(each): each for each in siblings}
        for path in sorted(files, key=lambda each: (each.count("/"), each)):
            family = _family(path)
            if family is not None:
                package.folders[posixpath.dirname(path), family].append(files[path])
                package.families[family].append(files[path])
                for spelling in _spellings(path):
                    package.modules.setdefault(spelling, files[path])
        return package


def _spellings(path: str) -> Iterator[str]:
    """What an import may call a file: its path without the ending, also without a first folder."""
    stem = posixpath.splitext(path)[0]
    folder, name = posixpath.split(stem)
    stem = folder if name in _INDEXES else stem
    yield stem
    if "/" in stem:
        yield stem.split("/", 1)[1]
    yield path


def _family(path: str) -> object:
    """The languages whose files can import each other; None for those that import nothing."""
    return _FAMILIES.get(posixpath.splitext(path)[1].lower())


def _find(package: _Package, module: str) -> int | None:
    """The file of a module, or of the package that it is a name in."""
    for spelling in (module, posixpath.splitext(module)[0], posixpath.dirname(module)):
        if spelling and spelling in package.modules:
            return package.modules[spelling]
    return None


def _definition(text: str, names: tuple[str, ...]) -> int:
    """Where the first of the names that this file defines is defined, at its line start; else 0."""
    for name in names:
        place = text.find(name)
        while place >= 0:
            start = text.rfind("\n", 0, place) + 1
            end = place + len(name)
            is_near = place - start < _LINE
            is_whole = not (text[end : end + 1].isalnum() or text[end : end + 1] == "_")
            if (
                is_near
                and is_whole
                and (
                    _DEFINES.fullmatch(text, start, place)
                    or (start == place and _ASSIGNS.match(text, end))
                )
            ):
                return start
            place = text.find(name, end)
    return 0
