"""Code of other packages: what the matcher is to be silent about, but for what was copied."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.languages import language_of
from trainer.evaluation.attribution.passages import SCRIPTS
from trainer.evaluation.attribution.splits import is_in

_LARGEST = 200_000  # bytes of a file
_MOST_LINES = 40_000  # of one package, so that none decides
_LONGEST = 1_000  # characters of a line that people write
_NOT_ITS_OWN = frozenset(
    "_vendor vendored vendor vendors third_party thirdparty externals extern node_modules dist build bundle umd "
    "esm5 es5 es2015 cjs locales locale".split()
)
# What compilers put into what they emit is alike whoever calls them.
_EMITTED = re.compile(
    r"_classCallCheck|__extends\b|__decorate\b|__awaiter\b|__generator\b|regeneratorRuntime|__webpack_require__"
    r"|_interopRequire|__esModule|__spreadArray|_createClass\b|__assign\b|__commonJS|sourceMappingURL|__toESM"
    r"|_defineProperty\b"
)


@dataclass(frozen=True, slots=True)
class Other:
    """A file of a package that the corpus does not have."""

    package: str
    path: str
    text: str
    language: str


def packages_under(folders: Iterable[Path], split: str) -> Iterator[Other]:
    """The code that packages wrote themselves, package by package.

    A folder holds packages by name, `@scope__name` for those of a scope, as far as they are of the split.
    Of each package files are taken in the order of a hash of their path.
    """
    for root in roots_under(folders, split):
        yield from files_of(root)


def roots_under(folders: Iterable[Path], split: str) -> list[Path]:
    """The folders of the packages, likewise."""
    roots = (each for folder in folders for each in sorted(folder.iterdir()) if each.is_dir())
    return [each for each in roots if is_in(_package(each), split)]


def _package(root: Path) -> str:
    return root.name.replace("__", "/") if root.name.startswith("@") else root.name


def files_of(root: Path) -> Iterator[Other]:
    """The code that the package in a folder wrote itself."""
    package, lines = _package(root), 0
    for path in sorted(root.rglob("*"), key=lambda each: _order(each.relative_to(root))):
        language = language_of(path.name)
        inside = path.relative_to(root)
        if language not in ("python", *SCRIPTS) or _NOT_ITS_OWN.intersection(inside.parts[:-1]):
            continue
        if lines > _MOST_LINES or not path.is_file() or path.stat().st_size > _LARGEST:
            continue
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if text and max(map(len, text.split("\n"))) <= _LONGEST and not _is_emitted(text, language):
            lines += text.count("\n") + 1
            yield Other(package, inside.as_posix(), text, language)


def _order(path: Path) -> bytes:
    return hashlib.sha256(path.as_posix().encode("utf-8", "surrogateescape")).digest()


def _is_emitted(text: str, language: str) -> bool:
    return language != "python" and bool(_EMITTED.search(text))
