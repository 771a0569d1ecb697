"""Files that the model is kept away from: patterns of the settings, and `.footnoteignore` files.

Nothing is suggested in such a file, and nothing of it is read for a suggestion elsewhere.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

NAME = ".footnoteignore"
_LARGEST = 1 << 20  # bytes that are read of one

_GLOB = re.compile(
    r"\\(?P<literal>.)|(?P<class>\[!?\]?[^\]]*\])|(?P<other>/\*\*/|\*\*/|/\*\*|\*+|\?|.)", re.DOTALL
)
_MEANING: Mapping[str, str] = {
    "/**/": "/(?:.*/)?",
    "**/": "(?:.*/)?",
    "/**": "/.*",
    "**": ".*",
    "*": "[^/]*",
    "?": "[^/]",
}


@lru_cache(maxsize=256)
def pattern_of(glob: str) -> re.Pattern[str]:
    """A glob of the settings, as editors write them: * stays within a name, ** crosses folders.

    In either case: `*secret*` is meant for `Secrets.py` too.
    """
    anywhere = "" if glob.startswith(("/", "**")) else "(?:.*/)?"
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    meaning = "".join(_MEANING.get(part, re.escape(part)) for part in parts)
    alternatives = re.sub(r"\\\{([^{}]*)\\\}", _alternatives, meaning)
    return re.compile(anywhere + alternatives, re.IGNORECASE)


def excluding(path: str, globs: Iterable[str]) -> str | None:
    """The first of the globs that fits a path with forward slashes."""
    return next((each for each in globs if pattern_of(each).fullmatch(path)), None)


def _alternatives(found: re.Match[str]) -> str:
    return f"(?:{found[1].replace(',', '|')})"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A line of an ignore file, for paths below its folder."""

    pattern: re.Pattern[str]
    folders_only: bool
    takes_back: bool

    def fits(self, path: str, *, is_folder: bool) -> bool:
        return (is_folder or not self.folders_only) and bool(self.pattern.fullmatch(path))


_EVERYTHING = (_Rule(re.compile(".*", re.DOTALL), folders_only=False, takes_back=False),)


class IgnoreFiles:
    """The `.footnoteignore` files, as they are on the disk now; those that stay are read once."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[tuple[int, int, int], tuple[_Rule, ...]]] = {}

    def cover(self, path: Path) -> bool:
        """Whether a file is to be left alone, by the rules of git, from any folder above it.

        The last rule that fits decides, those of inner folders last; in a folder that is left
        alone no rule takes anything back.
        """
        above = list(reversed(path.parents))
        rules = [(folder, each) for folder in above for each in self._rules(folder)]
        if not rules:
            return False
        return any(
            self._covered(step, rules, is_folder=step is not path) for step in (*above, path)
        )

    @staticmethod
    def _covered(path: Path, rules: list[tuple[Path, _Rule]], *, is_folder: bool) -> bool:
        for folder, rule in reversed(rules):
            if folder in path.parents:
                below = path.relative_to(folder).as_posix()
                if rule.fits(below, is_folder=is_folder):
                    return not rule.takes_back
        return False

    def _rules(self, folder: Path) -> tuple[_Rule, ...]:
        file = folder / NAME
        try:
            found = os.stat(file)  # noqa: PTH116 -- every request asks this for every folder above
        except OSError:
            self._read.pop(file, None)
            return ()
        if not stat.S_ISREG(found.st_mode):
            return ()
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        known = self._read.get(file)
        if known is None or known[0] != stamp:
            known = self._read[file] = (stamp, _rules_in(file))
        return known[1]


def _rules_in(file: Path) -> tuple[_Rule, ...]:
    try:
        with file.open("rb") as stream:
            text = stream.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return _EVERYTHING  # somebody wanted something left alone, and it cannot be known what
    return tuple(_parsed(text.removeprefix("\ufeff")))


def _parsed(text: str) -> Iterator[_Rule]:
    """The rules of an ignore file, in gitignore's syntax."""
    for each in text.splitlines():
        line = re.sub(r"(?<!\\)[ \t]+$", "", each)
        if not line or line.startswith("#"):
            continue
        takes_back = line.startswith("!")
        glob = line[1:] if takes_back else line
        folders_only = glob.endswith("/")
        glob = glob.rstrip("/") if folders_only else glob
        anchored = "/" in glob
        try:
            pattern = re.compile(
                ("" if anchored else "(?:.*/)?") + _meaning(glob.removeprefix("/")), re.DOTALL
            )
        except re.error:
            continue  # a range that runs backwards fits nothing in git either
        if glob:
            yield _Rule(pattern, folders_only=folders_only, takes_back=takes_back)


def _meaning(glob: str) -> str:
    return "".join(map(_part, _GLOB.finditer(glob)))


def _part(found: re.Match[str]) -> str:
    if found["literal"] is not None:
        return re.escape(found["literal"])
    if (chosen := found["class"]) is not None:
        negated = chosen.startswith("[!")
        inner = chosen[1 + negated : -1].replace("\\", "").replace("[", "\\[").replace("]", "\\]")
        return f"(?!/)[{'^' if negated else ''}{inner}]"
    other = found["other"]
    if other in _MEANING:
        return _MEANING[other]
    return _MEANING["*"] if other.startswith("*") else re.escape(other)
