"""House rules that need nothing but the files themselves."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatch
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from engine.native import building as kernels
from indexer.attribution.native import building as comparing
from tests.support.repository import ROOT, all_files, modules, name_of, text_files

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

LONGEST_MODULE = 400  # lines; the median should stay near 150
AVOIDED_NAMES = {
    # These say nothing about what is inside.
    "base", "common", "helper", "helpers", "manager", "misc", "shared", "util", "utils",
    # These shadow the standard library when a file is run by its path.
    "types", "secrets", "tokenize", "queue", "json", "logging", "typing", "token",
}  # fmt: skip

# Somebody's machine: homes, mounts. Written so that this line does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.<:])/(?:root|work|opt|home/\w+|Users/\w+|mnt)/")
PUBLIC_HOSTS = {
    "download.pytorch.org",
    "github.com",
    "nodejs.org",
    "pypi.org",
}


@pytest.mark.parametrize("module", modules(), ids=name_of)
def test_a_module_is_short_says_what_it_is_for_and_has_a_telling_name(module: Path) -> None:
    text = module.read_text()
    docstring = ast.get_docstring(ast.parse(text))

    assert len(text.splitlines()) <= LONGEST_MODULE, "split it: a file is a page"
    assert docstring, "the first line of a module says what it is for"
    assert text.startswith('"""'), "nothing stands before that line"
    assert module.stem not in AVOIDED_NAMES
    assert not {part.lower() for part in module.relative_to(ROOT).parts[1:-1]} & AVOIDED_NAMES


def test_nothing_is_left_for_later() -> None:
    # The brackets keep this line from matching itself.
    marks = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b|raise NotImpl[e]mentedError")
    left = [
        f"{name_of(path)}: {line.strip()}"
        for path, text in text_files()
        if path.suffix in {".py", ".ts", ".toml"}
        for line in text.splitlines()
        if marks.search(line)
    ]
    assert left == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    named = [
        f"{name_of(path)}: {found.group()}"
        for path, text in text_files()
        for found in MACHINE_PATH.finditer(text)
    ]
    assert named == []


def test_set_up_names_no_package_host_but_the_public_ones() -> None:
    set_up = [
        (path, text)
        for path, text in text_files()
        if path.name in {"Makefile", "pyproject.toml", ".npmrc", "package.json"}
        or path.parent.name == ".ci"
    ]
    strange = [
        f"{name_of(path)}: {address}"
        for path, text in set_up
        for address in re.findall(r"(?:https?|file|git\+ssh)://[^\s\"'<>)]*", text)
        if urlsplit(address).hostname not in PUBLIC_HOSTS
    ]
    assert len(set_up) >= 5
    assert strange == []
    lock = (ROOT / "vscode-client" / "package-lock.json").read_text()
    assert '"resolved"' not in lock, "write it with npm install --omit-lockfile-registry-resolved"


def test_text_ends_with_a_line_break_and_has_no_spaces_before_one() -> None:
    # Case files, recorded texts and Markdown (two spaces break a line there) are exempt from the latter.
    exempt = {".md", ".txt", ".json", ".jsonl"}
    wrong = [
        name_of(path)
        for path, text in text_files()
        if "tests" not in path.parts
        and (
            (text and not text.endswith("\n") and path.suffix != ".json")
            or (path.suffix not in exempt and re.search(r"[ \t]+$", text, re.MULTILINE))
        )
    ]
    assert wrong == []


def test_no_file_is_too_large_for_a_repository() -> None:
    sizes = {name_of(path): path.stat().st_size for path in all_files()}
    weights = {name: size for name, size in sizes.items() if name.startswith("engine/models/")}

    counted = {"indexer/attribution/phrases.npz": 4_000_000}
    assert [
        name
        for name, size in sizes.items()
        if size > counted.get(name, 1_000_000) and name not in weights
    ] == []
    assert all(size < 50_000_000 for size in weights.values()), "hosts refuse or warn above 50 MB"
    assert sum(weights.values()) < 110_000_000


@pytest.mark.parametrize("building", [kernels, comparing], ids=["engine", "indexer"])
def test_what_is_compiled_is_not_kept(building: ModuleType) -> None:
    ignored = (ROOT / ".gitignore").read_text().split()
    folder = f"/{building.SOURCE.parent.relative_to(ROOT).as_posix()}"

    for name in (*building.libraries("x86_64"), building.HASHES):
        assert any(fnmatch(f"{folder}/{name}", each) for each in ignored), name
