"""What an index folder is: its files, what it was made from, and when it must be refused."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from indexer.attribution.families import FAMILIES
from indexer.attribution.fingerprints import FORMS, winnow
from indexer.attribution.lexing import lexer_of_family
from indexer.home import own_indexes_folder
from indexer.replacing import recover

FORMAT = 2
RECORD = "index.json"
NOTES = "removed.json"  # see removal.py: the one file that may come later
# Files up to this size are hashed when an index is opened; of the large ones only the size is compared, unless
# they name the sources: what a table says of a place is compared with its text, but a licence with nothing.
HASHED_AT_OPEN = 1 << 18
_NAMING = frozenset({"files.npy", "paths.txt", "packages.json"})


class IndexUnavailable(Exception):
    """The index is missing, damaged or made by another version; the message says what to run."""


@dataclass(frozen=True, slots=True)
class IndexedFile:
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Removed:
    """Documents that the corpus has and the index, on request, has not."""

    package: str
    path: str  # a pattern
    documents: int
    bytes: int


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """The record of an index: `index.json`."""

    format: int
    lexer_hash: str
    corpus: str  # its name
    corpus_hash: str
    recipe_hash: str
    selection: str  # "full" or "small"
    documents: int
    packages: int
    bytes: int  # of text, as UTF-8
    lines: int
    stopped: dict[str, int]  # form of fingerprint -> how many are common idiom
    files: dict[str, IndexedFile]
    text: bool = True  # whether the texts are in it
    roots: dict[str, str] = field(default_factory=dict)  # own packages -> where their folders are
    paths: tuple[str, ...] = ()  # what was named to be read: these folders, or files in them
    removed: tuple[Removed, ...] = ()  # what was left out on request

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(each.size for each in self.files.values())

    @property
    def size_without_text(self) -> int:
        return sum(each.size for name, each in self.files.items() if not name.startswith("text."))


def remedy(folder: Path) -> str:
    """What to run to have a whole index in this folder again."""
    if folder.parent.name == own_indexes_folder().name:
        return f"run `footnote index build --from ... --name {folder.name}`"
    return "run `footnote index build`"


def damaged(folder: Path, error: Exception) -> IndexUnavailable:
    """What to raise when a file that looked whole cannot be read."""
    return IndexUnavailable(
        f"the index at {folder} is damaged ({error}): {remedy(folder)}; "
        "`footnote index info --verify` tells which file"
    )


_SPECIMEN = '''
# comment /* */ //
@decorated(key="value", other=0x1F)
def name(first, second: int = 1_000, *rest, **more) -> "Result":
    """Prose."""
    total = f"a {first!r}" "b" + r'c\\d' if first else [len(x) for x in rest if x.attribute >= 1.5e-3,]
    return self.call(total, format=format, print(total)); café = `t ${x} u`
query = """
    select one, two,\\tthree from four where five = 6 and seven is\u00a0not null order by eight
"""
export const f = (a, b) => { /* c */ return a / b > 2 ? /re[/]/g.test(a?.b) : "it\\'s" !== `x`; } // d
'''


@cache
def lexer_hash() -> str:
    """Names the way text becomes fingerprints: the tables of the lexer, and what it makes of a specimen."""
    digest = hashlib.sha256()
    for family in FAMILIES:
        digest.update(f"{family.name} {family.spans} {sorted(family.reserved().items())}".encode())
        tokens = lexer_of_family(family).tokens(_SPECIMEN * 3)
        for form in FORMS:
            hashes = form.grams(tokens).hashes
            digest.update(f"{form}".encode() + hashes[winnow(hashes, form.window)].tobytes())
    return digest.hexdigest()[:16]


def record_files(folder: Path) -> dict[str, IndexedFile]:
    """Size and hash of every file in an index folder, by path inside it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in (RECORD, NOTES) and path.suffix != ".lock":
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            found[path.relative_to(folder).as_posix()] = IndexedFile(path.stat().st_size, digest)
    return found


def stamp(folder: Path) -> tuple[int, ...] | None:
    """Changes when the index is replaced or something is removed from it; None while it is not there."""
    record, notes = _stamped(folder)
    try:
        about = os.stat(record)
    except OSError:
        return None
    found = (about.st_ino, about.st_mtime_ns)
    try:
        about = os.stat(notes)
    except OSError:
        return found
    return (*found, about.st_ino, about.st_mtime_ns)


@cache
def _stamped(folder: Path) -> tuple[str, str]:
    """What is looked at before every question: as text, which costs a third of a path."""
    return str(folder / RECORD), str(folder / NOTES)


def write_info(folder: Path, info: IndexInfo) -> None:
    (folder / RECORD).write_text(json.dumps(asdict(info), indent=1) + "\n", "utf-8")


def read_info(folder: Path) -> IndexInfo:
    """The record of an index that this version can use. Raises IndexUnavailable otherwise."""
    recover(folder)
    try:
        raw = json.loads((folder / RECORD).read_text("utf-8"))
    except FileNotFoundError:
        raise IndexUnavailable(f"no attribution index at {folder}: {remedy(folder)}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise IndexUnavailable(
            f"{folder / RECORD} cannot be read ({error}): {remedy(folder)}"
        ) from error
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise IndexUnavailable(f"the index at {folder} has another format: {remedy(folder)}")
    if raw.get("lexer_hash") != lexer_hash():
        raise IndexUnavailable(f"the index at {folder} was made by another lexer: {remedy(folder)}")
    try:
        return _info(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IndexUnavailable(f"{folder / RECORD} is damaged: {remedy(folder)}") from error


def _info(raw: dict[str, Any]) -> IndexInfo:
    values = {each.name: raw[each.name] for each in fields(IndexInfo) if each.name in raw}
    values["files"] = {name: IndexedFile(**each) for name, each in raw["files"].items()}
    values["paths"] = tuple(raw.get("paths") or raw.get("roots", {}).values())
    values["removed"] = tuple(Removed(**each) for each in raw.get("removed", ()))
    return IndexInfo(**values)


def verify(folder: Path, info: IndexInfo, *, fully: bool = False) -> None:
    """Compares sizes and hashes with the record. Raises IndexUnavailable at the first difference.

    Large files that name no source are hashed only when asked to be thorough: at open their size must do.
    """
    for name, expected in info.files.items():
        path = folder / name
        if not path.is_file():
            raise IndexUnavailable(f"{path} is missing: {remedy(folder)}")
        if path.stat().st_size != expected.size:
            raise IndexUnavailable(f"{path} is damaged (its size differs): {remedy(folder)}")
        if fully or expected.size <= HASHED_AT_OPEN or name in _NAMING:
            with path.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != expected.sha256:
                    raise IndexUnavailable(
                        f"{path} is damaged (its hash differs): {remedy(folder)}"
                    )
