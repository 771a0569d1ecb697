"""Our package names are common words: nobody else may own them in our environment."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path

import pytest

from tests.support.repository import PACKAGES, ROOT


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_name_has_no_second_owner(package: str) -> None:
    # PyPI has distributions called `trainer` and `indexer`; installing one would mix its files into ours.
    owners = set(packages_distributions().get(package, []))
    module = importlib.import_module(package)

    assert owners <= {"footnote"}
    assert module.__file__ is not None
    assert Path(module.__file__).is_relative_to(ROOT)


def test_the_console_script_is_ours_alone() -> None:
    scripts = [entry.value for entry in entry_points(group="console_scripts", name="footnote")]

    assert scripts == ["lsp_server.footnote:main"]
