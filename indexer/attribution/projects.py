"""Which packages a file belongs to: what matches the user's own project is no finding."""

import ast
import configparser
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple


def named_in(folder: Path) -> list[str]:
    """The names that the manifests in a folder give."""
    return list(_names(str(folder)))


def own_packages(path: Path) -> frozenset[str]:
    """The names that the manifests around a file or folder give its project, up to the repository's root."""
    start = path.absolute()
    return names_around(str(start if start.is_dir() else start.parent))


class Level(NamedTuple):
    """What a folder says."""

    names: tuple[str, ...]  # that its manifests give
    is_root: bool  # of a repository


def level(folder: str) -> Level:
    return Level(tuple(_names(folder)), os.path.exists(os.path.join(folder, ".git")))


def names_around(folder: str, told: Callable[[str], Level] = level) -> frozenset[str]:
    """The same of an absolute path; who asks for many gives a `told` that remembers."""
    found: set[str] = set()
    for each in _upwards(folder):
        said = told(each)
        found.update(said.names)
        if said.is_root:
            break
    return frozenset(found)


def folders_around(path: Path | str) -> frozenset[str]:
    """The folders that a file or folder lies in: a project without a manifest is known by where it is."""
    return frozenset(_upwards(os.path.realpath(path)))


def _upwards(path: str) -> Iterator[str]:
    """A path and all that it lies in."""
    before = ""
    while path != before:
        yield path
        before, path = path, os.path.dirname(path)


def _names(folder: str) -> Iterator[str]:
    for manifest, names in _MANIFESTS.items():
        path = os.path.join(folder, manifest)  # most are not there
        if not os.path.exists(path):
            continue
        # A manifest that is broken, or of another shape, names nothing: it is not ours to complain about.
        with suppress(OSError, ValueError, SyntaxError, KeyError, TypeError, AttributeError,
                      RecursionError, configparser.Error):  # fmt: skip
            text = Path(path).read_text("utf-8-sig")
            yield from (name for name in names(text) if isinstance(name, str) and name)


def _pyproject(text: str) -> list[Any]:
    raw = tomllib.loads(text)
    tables = raw.get("project", {}), raw.get("tool", {}).get("poetry", {})
    return [table.get("name") for table in tables]


def _package_json(text: str) -> list[Any]:
    return [json.loads(text).get("name")]


def _setup_cfg(text: str) -> list[Any]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return [parser.get("metadata", "name", fallback=None)]


def _setup_py(text: str) -> list[Any]:
    """The name given to `setup(...)`, where it is written out; nothing is run."""
    calls = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.Call)]
    return [
        word.value.value
        for call in calls
        if re.fullmatch(r"(?:\w+\.)*setup", ast.unparse(call.func))
        for word in call.keywords
        if word.arg == "name" and isinstance(word.value, ast.Constant)
    ]


def _cargo(text: str) -> list[Any]:
    return [tomllib.loads(text).get("package", {}).get("name")]


_MANIFESTS: dict[str, Callable[[str], list[Any]]] = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "setup.py": _setup_py,
    "package.json": _package_json,
    "Cargo.toml": _cargo,
}
