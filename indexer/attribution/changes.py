"""Which lines of a repository's files changed since a revision."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from indexer.git import GitFailed, git, names_of

_WHOLE = range(1, sys.maxsize)
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb'\\([abtnvfr"\\]|[0-7]{3})')
_ESCAPED = dict(zip(b'abtnvfr"\\', b'\a\b\t\n\v\f\r"\\', strict=True))
# Whatever somebody's settings of git say, this is the form that is read here.
_AS_READ = (
    "-c core.quotePath=false diff --unified=0 --inter-hunk-context=0 --find-renames --no-color "
    "--no-ext-diff --no-textconv --no-relative --src-prefix=a/ --dst-prefix=b/ --diff-filter=d "
    "--ignore-submodules=all"
).split()
_RAW = (
    "diff --raw -z --no-abbrev --no-renames --ignore-submodules=none --no-ext-diff --no-relative --diff-filter=d"
).split()
_SUBMODULE = b"160000"


class UnknownRevision(Exception):
    """There is nothing to compare with; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Changed and added lines (1-based), by file with its links followed."""

    lines: Mapping[Path, tuple[range, ...]]

    def touch(self, path: str, first: int, last: int) -> bool:
        """Whether any of these lines of a file changed."""
        changed = self.lines.get(Path(path).resolve(), ())
        return any(each.start <= last and first < each.stop for each in changed)


def changes_since(place: Path, revision: str) -> Changes:
    """What changed in the repository around a file or folder since it branched off from a revision.

    The working tree counts as it is, with files that git does not know yet. Raises UnknownRevision.
    """
    folder = place if place.is_dir() else place.parent
    try:
        top = Path(os.fsdecode(git(folder, "rev-parse", "--show-toplevel").removesuffix(b"\n")))
    except GitFailed as error:
        raise UnknownRevision(f"{place} is in no repository that git can read: {error}") from None
    found: dict[Path, tuple[range, ...]] = {}
    for path, lines in _changed(top, _branching_point(top, revision)):
        found[path] = (*found.get(path, ()), lines)
    return Changes(found)


def _changed(top: Path, commit: str) -> Iterator[tuple[Path, range]]:
    """What changed in a repository since a commit, and in the submodules that are there."""
    for name, lines in _hunks(git(top, *_AS_READ, commit, "--")):
        yield (top / os.fsdecode(name)).resolve(), lines
    for unknown in names_of(git(top, "ls-files", "-z", "--others", "--exclude-standard")):
        yield (top / unknown).resolve(), _WHOLE
    for name, before in _submodules(git(top, *_RAW, commit, "--")):
        inner = top / os.fsdecode(name)
        if (inner / ".git").exists():
            yield from _changed_inside(inner, before)


def _changed_inside(inner: Path, before: str) -> Iterator[tuple[Path, range]]:
    """The same of a submodule, since the commit that was recorded of it; none was of a new one."""
    try:
        yield from _changed(inner, before if before.strip("0") else _no_file(inner))
    except GitFailed as error:
        raise UnknownRevision(
            f"what changed in the submodule {inner} cannot be told ({error}): fetch its history there"
        ) from None


def _no_file(top: Path) -> str:
    """The tree of no file."""
    return git(top, "hash-object", "-t", "tree", "--stdin").decode().strip()


def _branching_point(top: Path, revision: str) -> str:
    if revision == "HEAD" and not _has_commits(top):
        return _no_file(top)
    try:
        if revision.startswith("-"):
            raise GitFailed("a revision does not begin with a dash")
        commit = git(top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except GitFailed:
        raise UnknownRevision(
            f"{revision or 'nothing'} is no revision of {top}: name a branch, tag or commit; "
            "in a shallow clone, fetch it first"
        ) from None
    try:
        return git(top, "merge-base", commit.decode().strip(), "HEAD").decode().split()[0]
    except (GitFailed, IndexError):
        raise UnknownRevision(
            f"{revision} and HEAD have no common ancestor in {top}: in a shallow clone, "
            "fetch more history (git fetch --unshallow, or fetch-depth: 0)"
        ) from None


def _has_commits(top: Path) -> bool:
    try:
        return bool(git(top, "rev-parse", "--verify", "--quiet", "HEAD"))
    except GitFailed:
        return False


def _hunks(diff: bytes) -> Iterator[tuple[bytes, range]]:
    """Each file of a diff without context, and the lines that it has now and had not."""
    name = b""
    lines = iter(diff.split(b"\n"))
    for line in lines:
        if line.startswith(b"+++ "):
            name = _path(line[len(b"+++ ") :])
        elif hunk := _HUNK.match(line):
            removed, first, added = (1 if each is None else int(each) for each in hunk.groups())
            _pass(lines, removed + added)
            if added and name:
                yield name, range(first, first + added)


def _submodules(raw: bytes) -> Iterator[tuple[bytes, str]]:
    """Each submodule that changed, and the commit that was recorded of it: zeros where none was."""
    entries = iter(raw.split(b"\0"))
    for about, name in zip(entries, entries, strict=False):
        old, new, before, *_ = about.removeprefix(b":").split()
        if new == _SUBMODULE:
            yield name, before.decode() if old == _SUBMODULE else "0"


def _pass(lines: Iterator[bytes], count: int) -> None:
    """Steps over the text of a hunk, which may look like anything."""
    while count:
        # "\\ No newline at end of file" belongs to no side.
        count -= not next(lines, b"+").startswith(b"\\")


def _path(written: bytes) -> bytes:
    """A file's name out of a diff's header: with a tab behind it if it has blanks, quoted if need be."""
    written = written.removesuffix(b"\t")
    if written.startswith(b'"'):
        written = _ESCAPE.sub(_unescaped, written[1:-1])
    return written.removeprefix(b"b/") if written != b"/dev/null" else b""


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes([int(code, 8) if len(code) > 1 else _ESCAPED[code[0]]])
