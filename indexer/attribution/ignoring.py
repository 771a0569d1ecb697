"""The ignore file of a project: passages that somebody has looked at and that are not reported again.

An entry is keyed by the passage's text without white space, so it stays settled when it is moved or indented
anew, and comes back when it is edited. People edit the file too: what is wrong in it is said, never repaired.
"""

import hashlib
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from indexer.attribution.lexing import unify_line_ends
from indexer.attribution.matches import Match
from indexer.seen import seen

FOLDER, NAME = ".footnote", "ignore.toml"
_TABLE = "ignored"
_FIELDS = {"hash": True, "reason": True, "source": False, "date": False}  # whether it must be there
_HEAD = """\
# Passages that Footnote no longer reports: it adds entries at the end, and you may edit them.
# hash stands for the text without white space; source (optional): for that source alone.
"""
_HASH = re.compile(r"[0-9a-f]{32}")
_PARTS = 100  # of a key, with dots between
_SLACK = 2  # lines by which a match may begin or end elsewhere than when it was ignored
_SLACK_SHARE = 5  # but no more than one line in so many
_TOLD = 3  # wrong entries that are named


class IgnoreFileUnusable(Exception):
    """An entry cannot be added to the file as it is; the message says why. The file is untouched."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """One entry."""

    hash: str
    reason: str
    source: str = ""  # package, or package/path; of any source where it is empty
    day: date | None = None  # when it was settled


@dataclass(frozen=True, slots=True)
class Ignores:
    """What an ignore file says."""

    path: Path
    entries: tuple[Ignored, ...] = ()
    problem: str = ""  # what is wrong in the file and therefore without effect, in one sentence

    def covers(self, match: Match, text: str) -> bool:
        """Whether a match in this text is to be ignored."""
        if not self.entries:
            return False
        sources = {
            name
            for source in (match.source, *match.others)
            for name in (source.package, f"{source.package}/{source.path}")
        }
        wanted = {each.hash for each in self.entries if not each.source or each.source in sources}
        return bool(wanted) and any(each in wanted for each in _hashes_about(match, text))

    def reported(self, matches: Sequence[Match], text: str) -> list[Match]:
        """The matches that are not to be ignored."""
        return [each for each in matches if not self.covers(each, text)]


def ignore_file(path: Path) -> Path:
    """Where the ignore file of the project around a file or folder is, or would be.

    The nearest one on the way up to the repository's root; else at that root, else beside the file itself.
    """
    start = path.absolute()
    start = start if start.is_dir() else start.parent
    for folder in (start, *start.parents):
        file = folder / FOLDER / NAME
        if os.path.lexists(file) or seen((folder / ".git").exists):
            return file
    return start / FOLDER / NAME


def read_ignores(file: Path) -> Ignores:
    """What the file says; a missing one says nothing. Never fails: what cannot be used is in `problem`."""
    try:
        entries, wrong = _parse(file.read_bytes())
    except FileNotFoundError:
        return Ignores(file)
    except (OSError, ValueError) as error:
        return Ignores(file, problem=f"{file} ignores nothing: {_said(error)}")
    if not wrong:
        return Ignores(file, tuple(entries))
    named = "; ".join(wrong[:_TOLD]) + ("; ..." if len(wrong) > _TOLD else "")
    return Ignores(file, tuple(entries), f"{file}: not used: {named}")


def add_ignored(file: Path, match: Match, text: str, *, reason: str, today: date) -> None:
    """Adds an entry for a match in this text, unless there is one; what the file holds stays as it is.

    Raises IgnoreFileUnusable where that is not possible.
    """
    try:
        old = file.read_bytes() if os.path.lexists(file) else b""
        entries, _ = _parse(old)
        if Ignores(file, tuple(entries)).covers(match, text):
            return
        # A lone surrogate cannot be written.
        reason = reason.encode("utf-8", "replace").decode()
        entry = Ignored(passage_hash(match, text), reason, _name(match), today)
        new = _appended(old, _written(entry))
        if entry not in _parse(new)[0]:
            raise ValueError(f"an entry cannot stand behind what is there: use [[{_TABLE}]] tables")
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file.resolve(), new)
    except (OSError, ValueError) as error:
        raise IgnoreFileUnusable(f"{file} is left as it is: {_said(error)}") from error


def passage_hash(match: Match, text: str) -> str:
    """The key of a match's passage."""
    lines = unify_line_ends(text).split("\n")
    return _hash(_squeezed(lines[match.start_line - 1 : match.end_line]))


def _hashes_about(match: Match, text: str) -> Iterator[str]:
    """The keys of the passage and of those that begin or end a little earlier or later."""
    lines = unify_line_ends(text).split("\n")
    first, last = match.start_line - 1, match.end_line
    body = _squeezed(lines[first:last])
    slack = min(_SLACK, len(body) // _SLACK_SHARE)
    before = _squeezed(lines[max(0, first - 4 * slack) : first])[-slack:] if slack else []
    after = _squeezed(lines[last : last + 4 * slack])[:slack]
    near = before + body + after
    for start in range(len(before) + slack + 1):
        for end in range(len(before) + len(body) - slack, len(near) + 1):
            yield _hash(near[start:end])


def _squeezed(lines: Sequence[str]) -> list[str]:
    return [squeezed for line in lines if (squeezed := "".join(line.split()))]


def _hash(squeezed: Sequence[str]) -> str:
    return hashlib.sha256("".join(squeezed).encode("utf-8", "replace")).hexdigest()[:32]


def _name(match: Match) -> str:
    return f"{match.source.package}/{match.source.path}"


def _parse(data: bytes) -> tuple[list[Ignored], list[str]]:
    """The usable entries, and what is wrong with the rest. Raises ValueError where nothing can be read."""
    text = data.decode("utf-8-sig").replace("\r\n", "\n")
    # A key of a hundred thousand parts takes tomllib half a minute and all memory there is.
    if any(line.partition("=")[0].count(".") > _PARTS for line in text.split("\n")):
        raise ValueError("a key in it has too many parts")
    try:
        raw = tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    tables = raw.pop(_TABLE, [])
    wrong = [f"unknown key `{key}`" for key in raw]
    if not isinstance(tables, list):
        raise ValueError(f"`{_TABLE}` must be tables under [[{_TABLE}]]")
    entries = []
    for number, table in enumerate(tables, 1):
        try:
            entries.append(_entry(table))
        except ValueError as error:
            wrong.append(f"entry {number} ({error})")
    return entries, wrong


def _entry(table: Any) -> Ignored:
    if not isinstance(table, dict):
        raise ValueError("is no table")
    for key in table:
        if key not in _FIELDS:
            raise ValueError(f"unknown key `{key}`")
    for key, needed in _FIELDS.items():
        if needed and key not in table:
            raise ValueError(f"no `{key}`")
        if key in table and key != "date" and not isinstance(table[key], str):
            raise ValueError(f"`{key}` is no text")
    key = table["hash"].strip().lower()
    if not _HASH.fullmatch(key):
        raise ValueError("`hash` is no hash of a passage: --settle writes it")
    day = table.get("date")
    if isinstance(day, str):
        day = date.fromisoformat(day)
    if day is not None and not isinstance(day, date):
        raise ValueError("`date` is no date")
    source = table.get("source", "").strip().replace("\\", "/")  # as Windows writes it, too
    return Ignored(key, table["reason"], source, day)


def _written(entry: Ignored) -> str:
    return (
        f"[[{_TABLE}]]\nhash = {_text(entry.hash)}\nsource = {_text(entry.source)}\n"
        f"reason = {_text(entry.reason)}\ndate = {entry.day}\n"
    )


def _text(value: str) -> str:
    """A TOML string: JSON's, but for the one control character that JSON lets stand."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _appended(old: bytes, entry: str) -> bytes:
    text = entry if old.strip() else _HEAD + "\n" + entry
    between = "\n" if old.endswith(b"\n") else "\n\n"
    new = (between if old.strip() else "") + text
    if b"\r\n" in old:
        new = new.replace("\n", "\r\n")
    return old + new.encode()


def _replace(file: Path, data: bytes) -> None:
    """Writes the file beside itself first: whenever this stops, one of the two is whole."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        new.chmod(file.stat().st_mode if file.exists() else 0o644)
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _said(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 (byte {error.start + 1})"
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
