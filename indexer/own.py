"""One's own folders as an index beside the corpus's: what git ignores, secrets and generated files stay out."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from indexer.attribution.builder import Plan, build_index
from indexer.attribution.projects import named_in
from indexer.attribution.schema import IndexInfo
from indexer.curation.folders import OWN, Gathered, gather
from indexer.curation.provenance import https
from indexer.document import Document
from indexer.git import GitFailed, git
from indexer.home import own_indexes_folder
from indexer.replacing import scratch
from indexer.shards import write_shards

_EXPRESSION = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def name_for(paths: Sequence[Path]) -> str:
    """What an index of these folders is called, unless somebody says so: like the first of them."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", paths[0].expanduser().resolve().name).strip("-._")
    return name[:64] if NAME.fullmatch(name[:64]) else "own"


def build_own_index(
    paths: Sequence[Path],
    name: str,
    plan: Plan,
    *,
    seen: Callable[[int], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[IndexInfo, Gathered]:
    """Reads the folders and builds their index, in place of an earlier one of this name.

    Raises NothingToRead, and OSError when it cannot be written.
    """
    roots = _roots(paths)
    names = {root: package for package, root in roots.items()}
    found = gather(paths, looked_at=seen, package_of=names.__getitem__, as_it_is=True)
    folder = own_indexes_folder() / name
    documents = _named(found.documents, roots)
    with scratch(folder) as place:
        meta = {"name": name, "recipe_hash": "", "selection": "own"}
        write_shards(place / "corpus", documents, meta=meta)
        listed = {package: str(root) for package, root in roots.items()}
        named = tuple(str(each.expanduser().resolve()) for each in paths)
        plan = replace(plan, roots=listed, paths=named)
        info = build_index(place / "corpus", folder, plan, progress=progress)
    assert info is not None, "a build without ranks ends with an index"
    return info, found


def _roots(paths: Sequence[Path]) -> dict[str, Path]:
    """The folders that are indexed, by the names of their projects; of a single file the one that it is in."""
    found: dict[str, Path] = {}
    for path in paths:
        resolved = path.expanduser().resolve()
        root = resolved if resolved.is_dir() else resolved.parent
        if root in found.values():
            continue
        name, number = _package(root), 1
        while name in found:  # a fork, or another folder called src
            number += 1
            name = f"{_package(root)}-{number}"
        found[name] = root
    return found


def _package(root: Path) -> str:
    """A project is called as its manifest calls it, else like its folder."""
    return next(iter(named_in(root)), root.name or "files")


def _named(documents: Sequence[Document], roots: Mapping[str, Path]) -> list[Document]:
    """The documents with the address of their project's repository, if it has one, and its licence."""
    address, licence = cache(_address), cache(_license)
    named = []
    for each in documents:
        root = roots[each.package]
        named.append(
            replace(
                each,
                url=address(root) or each.url,
                license=each.license if each.license != OWN else licence(root) or OWN,
            )
        )
    return named


def _license(root: Path) -> str:
    """The SPDX expression that a project's manifest gives; empty where it gives none."""
    for file, read in ((root / "pyproject.toml", _of_pyproject), (root / "package.json", _of_npm)):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            expression = read(file.read_text("utf-8-sig"))
            if isinstance(expression, str) and _EXPRESSION.fullmatch(expression):
                return expression
    return ""


def _of_pyproject(text: str) -> Any:
    return tomllib.loads(text)["project"]["license"]


def _of_npm(text: str) -> Any:
    return json.loads(text)["license"]


def _address(root: Path) -> str:
    """Where the repository of a folder comes from, without anybody's password."""
    try:
        remote = git(root, "remote", "get-url", "origin").decode("utf-8", "replace").strip()
    except GitFailed:
        return ""
    return https(re.sub(r"^(https?://)[^/@]*@", r"\1", remote)) or ""
