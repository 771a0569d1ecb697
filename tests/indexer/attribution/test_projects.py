"""The names of the project that a file belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from indexer.attribution.projects import own_packages

if TYPE_CHECKING:
    from pathlib import Path

MANIFESTS = {
    "pyproject.toml": ('[project]\nname = "Mine"\n', "Mine"),
    "setup.cfg": ("[metadata]\nname = mine\nversion = %(x)s\n", "mine"),
    "setup.py": ("import setuptools as s\ns.setup(version=v(), name='mine')\n", "mine"),
    "package.json": ('{"name": "@me/mine"}', "@me/mine"),
    "Cargo.toml": ('[package]\nname = "mine"\n', "mine"),
}


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_a_manifest_names_the_project(tmp_path: Path, manifest: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "src").mkdir()
    text, name = MANIFESTS[manifest]
    (tmp_path / manifest).write_text(text)

    assert own_packages(tmp_path / "src" / "not_yet_there.py") == {name}


def test_poetry_names_it_too(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.poetry]\nname = "mine"\n')

    assert own_packages(tmp_path) == {"mine"}


def test_every_level_counts_up_to_the_repository_and_no_further(tmp_path: Path) -> None:
    inner = tmp_path / "repository" / "packages" / "one"
    inner.mkdir(parents=True)
    (tmp_path / "repository" / ".git").write_text("gitdir: elsewhere")
    for folder, name in ((inner, "one"), (inner.parent.parent, "whole"), (tmp_path, "foreign")):
        (folder / "package.json").write_text(f'{{"name": "{name}"}}')

    assert own_packages(inner) == {"one", "whole"}


@pytest.mark.parametrize("manifest", MANIFESTS)
@pytest.mark.parametrize("data", [b"", b"[", b'{"name": 3}', b"\xff", b"name = 1", b"[project]\nname = 1", b"[tool]\npoetry = 1", b"[1]", b"("])  # fmt: skip
def test_a_broken_manifest_names_nothing(tmp_path: Path, manifest: str, data: bytes) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / manifest).write_bytes(data)

    assert own_packages(tmp_path) == frozenset()
