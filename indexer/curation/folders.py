"""One's own folders as documents: the quality steps and the redaction of the corpus, any licence.

What is read stays on this machine: it is for a model of one's own, not for the corpus that ships.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.curation import benchmarks, provenance
from indexer.curation.filters import (
    STEPS,
    VENDOR_FOLDERS,
    Drop,
    check_license,
    check_path,
    check_syntax,
    compiled_copies,
)
from indexer.curation.parameters import Parameters
from indexer.curation.redaction import redact
from indexer.decoding import NoText, decoded
from indexer.document import Document, content_hash
from indexer.git import GitFailed, git, listed
from indexer.languages import language_of
from indexer.seen import seen

OWN = "LicenseRef-Own"  # SPDX's way to name a licence that is not on its list
_BUILT = frozenset("build dist target htmlcov __pycache__ venv virtualenv".split())
_QUALITY = tuple(step for step in STEPS if step is not check_license)
_VENV = "pyvenv.cfg"


class NothingToRead(Exception):
    """The folders are not there or hold no file that can be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Dropped:
    path: str
    bytes: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was taken from the folders, and what was not."""

    documents: tuple[Document, ...]
    dropped: tuple[Dropped, ...]
    redactions: dict[str, int]  # e-mail addresses, IP addresses and keys that were replaced
    without_git: tuple[str, ...]  # folders where nobody could say what git ignores

    def reasons(self) -> dict[str, tuple[int, int]]:
        """Reason to (files or folders, bytes), the most common first."""
        counts: Counter[str] = Counter(each.reason for each in self.dropped)
        sizes: Counter[str] = Counter()
        for each in self.dropped:
            sizes[each.reason] += each.bytes
        return {reason: (count, sizes[reason]) for reason, count in counts.most_common()}


@dataclass(frozen=True, slots=True)
class _File:
    place: Path
    package: str
    version: str
    path: str  # inside the folder that was named


def folder_name(root: Path) -> str:
    """What a folder's documents belong to, unless somebody knows better."""
    return root.name or "files"


def gather(
    paths: Sequence[Path],
    *,
    package_of: Callable[[Path], str] = folder_name,
    languages: Sequence[str] = (),
    parameters: Parameters | None = None,
    as_it_is: bool = False,
    looked_at: Callable[[int], None] = lambda _: None,
) -> Gathered:
    """Read files and folders; `looked_at` is told how many files were.

    Where git is there, what it ignores is left out. `as_it_is` takes texts that are not UTF-8 as well, and
    Python that this Python cannot parse: newer, older, or a template of some. Raises NothingToRead.
    """
    parameters = parameters or Parameters()
    dropped: list[Dropped] = []
    redactions: Counter[str] = Counter()
    documents: dict[str, Document] = {}
    places: set[Path] = set()
    plain: list[str] = []
    looked = 0
    for root in paths:
        for item in _files(root, plain, package_of):
            looked += 1
            looked_at(looked)
            if isinstance(item, Dropped):
                dropped.append(item)
                continue
            if item.place in places:  # folders may overlap
                continue
            places.add(item.place)
            size = _size(item.place)
            outcome = _document(item, size, languages, parameters, redactions, as_it_is=as_it_is)
            if isinstance(outcome, Document) and outcome.sha256 in documents:
                outcome = Drop("duplicate", documents[outcome.sha256].path)
            if isinstance(outcome, Drop):
                dropped.append(Dropped(item.path, size, outcome.reason, outcome.detail))
            else:
                documents[outcome.sha256] = outcome
    kept = _without_copies(documents.values(), dropped)
    found = Gathered(
        documents=tuple(sorted(kept, key=lambda each: (each.package, each.path))),
        dropped=tuple(sorted(dropped, key=lambda each: (each.reason, each.path))),
        redactions=dict(sorted(redactions.items())),
        without_git=tuple(plain),
    )
    if not found.documents:
        raise NothingToRead(_nothing(paths, found, languages))
    return found


def _nothing(paths: Sequence[Path], found: Gathered, languages: Sequence[str]) -> str:
    where = ", ".join(map(str, paths))
    of = f" of {', '.join(languages)}" if languages else ""
    why = ", ".join(f"{count} {reason}" for reason, (count, _) in found.reasons().items())
    other = ", or leave out --language" if languages else ""
    return (
        f"no file{of} in {where} can be used ({why or 'there is none'}): name a folder with source "
        f"files{other}"
    )


def _without_copies(found: Collection[Document], dropped: list[Dropped]) -> list[Document]:
    """What a folder holds twice, as source and as compiler output, it keeps as source."""
    copies = compiled_copies(each.path for each in found)
    dropped.extend(
        Dropped(each.path, each.size, "compiled", "the source is here")
        for each in found
        if each.path in copies
    )
    return [each for each in found if each.path not in copies]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _document(
    file: _File,
    size: int,
    languages: Sequence[str],
    parameters: Parameters,
    redactions: Counter[str],
    *,
    as_it_is: bool,
) -> Document | Drop:
    """All steps in order; the first drop ends it."""
    if drop := check_path(file.path, "folder", held_out=True):
        return drop
    language = language_of(file.path) or ""
    if languages and language not in languages:
        return Drop("other_language", language)
    text = _text(file.place, size, parameters, as_it_is=as_it_is)
    if isinstance(text, Drop):
        return text
    own = provenance.header_license(text, parameters.header_chars)
    document = Document(
        text=text,
        path=file.path,
        package=file.package,
        version=file.version,
        kind="folder",
        license=own or OWN,
        license_source="header" if own else "given",
        url=provenance.package_url("folder", file.package, file.version),
        language=language,
        sha256="",
    )
    for step in _QUALITY:
        if as_it_is and step is check_syntax:
            continue
        if drop := step(document, parameters):
            return drop
    exercise = benchmarks.packaged().match(text, parameters.benchmark_share)
    if exercise is not None:
        return Drop("benchmark", f"exercise {exercise}")
    text, counts = redact(text)
    redactions.update(counts)
    return replace(document, text=text, sha256=content_hash(text))


def _text(place: Path, size: int, parameters: Parameters, *, as_it_is: bool) -> str | Drop:
    """With LF line ends and without a byte order mark."""
    if not parameters.min_bytes <= size <= parameters.max_bytes:
        return Drop("too_large" if size > parameters.max_bytes else "too_small", str(size))
    try:
        data = place.read_bytes()
        text = decoded(data) if as_it_is else data.decode("utf-8-sig")
    except OSError as error:
        return Drop("unreadable", str(error))
    except (UnicodeDecodeError, NoText):
        return Drop("not_utf8")
    if "\0" in text:
        return Drop("not_utf8", "a zero byte")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.strip() else Drop("too_small", "blank")


def _files(
    root: Path, plain: list[str], package_of: Callable[[Path], str]
) -> Iterator[_File | Dropped]:
    """The files under a path in sorted order, and what is passed over."""
    root = root.expanduser()
    if not root.exists():
        raise NothingToRead(f"there is no {root}: name files or folders with source")
    root = root.resolve()
    if not root.is_file() and not root.is_dir():
        raise NothingToRead(f"{root} is neither a file nor a folder: name one with source")
    if root.is_file():
        yield _File(root, package_of(root.parent), "", root.name)
        return
    package = package_of(root)
    names = listed(root)
    version = _revision(root) if names else ""
    if not names:
        plain.append(str(root))
        names = []
        for name in _walked(root):
            if isinstance(name, Dropped):
                yield name
            else:
                names.append(name)
    environments = tuple(name.removesuffix(_VENV) for name in names if name.endswith(f"/{_VENV}"))
    for name in sorted(set(names)):
        place = root / name
        drop = _passed_over(name, place, environments)
        if drop is None:
            yield _File(place, package, version, name)
        elif seen(place.exists):  # git also lists what was deleted and not committed
            yield Dropped(name.encode("utf-8", "replace").decode(), 0, drop.reason, drop.detail)


def _passed_over(name: str, place: Path, environments: tuple[str, ...]) -> Drop | None:
    """What is not opened at all."""
    folders = name.split("/")[:-1]
    if name.encode("utf-8", "replace").decode() != name:
        return Drop("odd_name")
    if place.is_symlink():
        return Drop("link")
    if not seen(place.is_file):
        return Drop("other_repository" if seen(place.is_dir) else "no_file")
    if environments and name.startswith(environments):
        return Drop("environment")
    return next(filter(None, map(_passed_folder, folders)), None)


def _passed_folder(name: str) -> Drop | None:
    if name.lower() in VENDOR_FOLDERS:
        return Drop("vendored", name)
    if name.lower() in _BUILT:
        return Drop("build_folder", name)
    return Drop("hidden_folder", name) if name.startswith(".") else None


def _walked(root: Path) -> Iterator[str | Dropped]:
    """Files without git's help; whole folders of no use are not entered."""
    closed: list[str] = []
    for folder, folders, files in os.walk(root, onerror=lambda one: closed.append(one.filename)):
        here = Path(folder)
        kept = []
        for name in sorted(folders):
            place = here / name
            inner = place.relative_to(root).as_posix() + "/"
            drop = _passed_folder(name)
            if seen((place / _VENV).is_file):
                drop = Drop("environment")
            if place.is_symlink():
                drop = Drop("link")
            if drop is None:
                kept.append(name)
            else:
                yield Dropped(inner, 0, drop.reason, drop.detail)
        folders[:] = kept
        yield from ((here / name).relative_to(root).as_posix() for name in files)
    for each in closed:
        yield Dropped(Path(each).relative_to(root).as_posix() + "/", 0, "unreadable", "")


def _revision(root: Path) -> str:
    try:
        out = git(root, "rev-parse", "--short=12", "HEAD").decode("ascii", "replace").strip()
    except GitFailed:
        return ""
    return out if re.fullmatch(r"[0-9a-f]+", out) else ""
