"""Which files does the corpus have, and which file is this corpus line in?

Lines of all files are numbered through, so that a place in the corpus is one 32-bit number.
"""

import json
import re
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_KEPT_FILES = 1024  # whose details are at hand
_KEPT_NAMES = 4096
NO_LINE = 0xFFFF_FFFF  # stands where a table says that a hash has no place


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    version: str
    kind: str
    license: str
    url: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class File:
    """One file of the corpus."""

    number: int
    path: str
    package: Package
    license: str
    language: str
    sha256: str
    first_line: int  # corpus line of its first line
    lines: int


class Catalogue:
    """The files of an index, read from its folder. All is mapped; paths are taken apart when first needed.

    Nothing is opened later on: the folder may be another one then.
    """

    def __init__(self, folder: Path) -> None:
        details = json.loads((folder / "packages.json").read_text("utf-8"))
        self.all_packages = tuple(Package(**each) for each in details["packages"])
        self.licenses: list[str] = details["licenses"]
        self.languages: list[str] = details["languages"]
        self._table = np.load(folder / "files.npy", mmap_mode="r")
        self._listed = mapped(folder / "paths.txt", np.dtype(np.uint8))
        self.first_lines: npt.NDArray[np.uint32] = np.ascontiguousarray(self._table["first_line"])
        self.file = lru_cache(_KEPT_FILES)(self._file)
        self.hide(np.zeros(len(self._table), bool))

    def hide(self, files: npt.NDArray[np.bool_]) -> None:
        """From now on these files, and packages that have no others, are not found by name or content."""
        self.hidden = files
        shown = set(np.unique(self._table["package"][~files]).tolist())
        self.packages = tuple(
            each for number, each in enumerate(self.all_packages) if number in shown
        )

    def hides(self, lines: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Which of these corpus lines are in hidden files; a mark that is no line is in none."""
        known = lines != NO_LINE
        files = self.files_of_lines(np.where(known, lines, np.uint32(0)))
        hidden: npt.NDArray[np.bool_] = known & self.hidden[files]
        return hidden

    @property
    def package_numbers(self) -> npt.NDArray[np.uint32]:
        """For each file, the number of its package."""
        numbers: npt.NDArray[np.uint32] = self._table["package"]
        return numbers

    def path(self, number: int) -> str:
        return self._paths[number]

    @cached_property
    def families(self) -> npt.NDArray[np.intp]:
        """For each file, the number of its package's family."""
        numbers: dict[str, int] = {}
        of_package = [
            numbers.setdefault(family_of_package(each.name), len(numbers))
            for each in self.all_packages
        ]
        families: npt.NDArray[np.intp] = np.array(of_package, np.intp)[self._table["package"]]
        return families

    def __len__(self) -> int:
        return len(self._table)

    def files_of_lines(self, lines: npt.NDArray[np.uint32]) -> npt.NDArray[np.intp]:
        """The number of the file each corpus line is in."""
        return np.searchsorted(self.first_lines, lines, "right") - 1

    def file_of_line(self, line: int) -> int:
        """Likewise of one."""
        # Of the same kind as the row, which would all be made like it otherwise.
        return int(self.first_lines.searchsorted(np.uint32(line), "right")) - 1

    def _file(self, number: int) -> File:
        row = self._table[number]
        return File(
            number=number,
            path=self.path(number),
            package=self.all_packages[row["package"]],
            license=self.licenses[row["license"]],
            language=self.languages[row["language"]],
            sha256=row["sha256"].tobytes().hex(),
            first_line=int(row["first_line"]),
            lines=int(row["lines"]),
        )

    def place(self, number: int) -> tuple[int, int, int]:
        """Block, offset and size of a file's text in the text store."""
        row = self._table[number]
        return int(row["block"]), int(row["offset"]), int(row["size"])

    def files_with_hash(self, sha256: str) -> list[File]:
        """Files whose content has this SHA-256."""
        wanted = np.frombuffer(bytes.fromhex(sha256), np.uint8)
        same = (self._table["sha256"] == wanted).all(axis=1) & ~self.hidden
        return [self.file(number) for number in np.flatnonzero(same).tolist()]

    def files_named(self, path: str) -> list[File]:
        """Files of exactly this path, in any package."""
        numbers = self._numbers.get(path, ())
        return [self.file(number) for number in numbers if not self.hidden[number]]

    def files_under(self, path: str, *, limit: int) -> list[File]:
        """Files whose path is `path`, ends with it, or lies in a folder of that name."""
        inner = f"/{path}/"
        names = enumerate(self._paths)
        found = (n for n, name in names if inner in f"/{name}/" and not self.hidden[n])
        return [self.file(n) for n, _ in zip(found, range(limit), strict=False)]

    @cached_property
    def _paths(self) -> list[str]:
        return self._listed.tobytes().decode("utf-8", "surrogatepass").split("\n")

    @cached_property
    def _numbers(self) -> dict[str, list[int]]:
        numbers: dict[str, list[int]] = {}
        for number, path in enumerate(self._paths):
            numbers.setdefault(path, []).append(number)
        return numbers


def mapped(path: Path, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """The numbers in a file, mapped, not loaded."""
    if not path.stat().st_size:
        return np.zeros(0, kind)
    return np.asarray(np.memmap(path, kind, mode="r"))


FILE_COLUMNS = np.dtype(
    [
        ("package", np.uint32),
        ("license", np.uint16),
        ("language", np.uint16),
        ("first_line", np.uint32),
        ("lines", np.uint32),
        ("block", np.uint32),
        ("offset", np.uint32),
        ("size", np.uint32),
        ("sha256", np.uint8, 32),
    ]
)


def write(
    folder: Path,
    *,
    files: npt.NDArray[Any],
    paths: list[str],
    packages: list[Package],
    licenses: list[str],
    languages: list[str],
) -> None:
    """Writes what `Catalogue` reads. `files` has FILE_COLUMNS."""
    np.save(folder / "files.npy", files)
    (folder / "paths.txt").write_text("\n".join(paths), "utf-8", "surrogatepass", newline="\n")
    details = {
        "packages": [asdict(each) for each in packages],
        "licenses": licenses,
        "languages": languages,
    }
    (folder / "packages.json").write_text(json.dumps(details, indent=1), "utf-8")


@lru_cache(_KEPT_NAMES)
def plain_name(name: str) -> str:
    """A package's name without what registries ignore in names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def family_of_package(name: str) -> str:
    """A rough name for who is behind a package: its scope, or the first word of its name.

    Packages of one family share code by nature, so together they count once as evidence that something
    is common idiom.
    """
    if name.startswith("@"):
        return name.split("/", 1)[0].lower()
    return name.replace("_", "-").replace(".", "-").split("-", 1)[0].lower()
