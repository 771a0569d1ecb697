"""The wheel holds the four packages with their data, and nothing else."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

import hatch_build
from engine.native import building
from indexer.attribution.native import building as lexer
from tests.support.repository import PACKAGES, ROOT, name_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    build = subprocess.run(
        [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "--target",
            "wheel",
            "--directory",
            str(folder),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        return archive.namelist()


def test_it_holds_the_four_packages_and_nothing_else(wheel_names: list[str]) -> None:
    folders = {name.partition("/")[0] for name in wheel_names}

    assert {folder for folder in folders if not folder.endswith(".dist-info")} == set(PACKAGES)


def test_it_holds_every_module_and_every_file_of_data(wheel_names: list[str]) -> None:
    ours = {name_of(path) for path in _package_files()}

    assert ours - set(wheel_names) == set()


@pytest.mark.parametrize("needed", ["indexer/curation/corpus.toml", "trainer/recipes/"])
def test_it_holds_what_an_installation_cannot_do_without(
    wheel_names: list[str], needed: str
) -> None:
    assert any(name.startswith(needed) for name in wheel_names)


def _package_files() -> list[Path]:
    return [
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]


def test_it_holds_kernels_for_every_kind_of_processor_like_this_one(wheel_names: list[str]) -> None:
    if hatch_build.compiler(os.environ) is None:
        pytest.skip("no C compiler")
    made = {name.split("/kernel-")[1].split("-")[0] for name in wheel_names if "/kernel-" in name}

    assert set(building.kinds(platform.machine())) <= made


def test_it_holds_the_compiled_lexer(wheel_names: list[str]) -> None:
    if hatch_build.compiler(os.environ) is None:
        pytest.skip("no C compiler")

    assert {f"indexer/attribution/native/{name}" for name in lexer.libraries("")} < set(wheel_names)
