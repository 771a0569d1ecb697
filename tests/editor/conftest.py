"""What the tests in real editors need; `make test-editor` provides it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from indexer.document import Document
    from lsp_server.demonstration.copying import Copy
    from tests.editor.vscode import Editor

ASKED = "FOOTNOTE_TEST_EDITOR"
# Read before the suite gives every test an empty home: here the real corpus and index are wanted.
_HOME = os.environ.get("FOOTNOTE_HOME")
HERE = Path(__file__).parent
POINT = '''"""Points in space."""


class Point:
    """A point with three coordinates."""

    def __init__(self, x: float, y: float, z: float) -> None:
        self.x = x
        self.y = y
'''
# A notebook of two cells; the names of the first are of nobody else's code.
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": each,
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for each, source in (
            ("first", ["gull_counts = [12, 7, 31]\n", "heron_counts = [2, 0, 5]"]),
            ("second", []),
        )
    ],
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get(ASKED) == "1":
        return
    skip = pytest.mark.skip(reason="needs real editors and a browser; `make test-editor` runs it")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def copy(empty_home: None) -> Copy:
    """A function of the corpus with all its names changed."""
    from indexer.home import corpus_folder
    from indexer.shards import read_documents
    from lsp_server.demonstration.copying import renamed_copy

    with pytest.MonkeyPatch.context() as patch:
        if _HOME is None:
            patch.delenv("FOOTNOTE_HOME")
        else:
            patch.setenv("FOOTNOTE_HOME", _HOME)
        columns = ["package", "version", "path", "language", "text"]
        documents: Iterator[Document] = read_documents(corpus_folder(), columns)
        found = renamed_copy(documents)
    assert found is not None, "the corpus has no function to copy: `footnote setup --small`"
    return found


@pytest.fixture(scope="session")
def vsix() -> Path:
    """The packaged extension."""
    from tests.editor.vscode import ROOT

    path = ROOT / "vscode-client" / "footnote.vsix"
    assert path.is_file(), "run `make vsix` first"
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the window go."""
    return Path(os.environ.get("FOOTNOTE_PICTURES") or tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def window(
    tmp_path_factory: pytest.TempPathFactory, copy: Copy, vsix: Path, pictures: Path
) -> Iterator[Editor]:
    """One VS Code for all: starting it is what takes the time."""
    from tests.editor.vscode import editor

    settings = {"footnote.serverPath": sys.executable}
    env = {"FOOTNOTE_HOME": _HOME or ""}  # empty: the platform's own folder
    # They are there before the window is: a file that comes later is found some time later.
    folder = tmp_path_factory.mktemp("folder")
    (folder / "point.py").write_text(POINT, "utf-8")
    (folder / "copied.py").write_text(copy.text, "utf-8")
    (folder / "birds.ipynb").write_text(json.dumps(NOTEBOOK), "utf-8")
    with editor(vsix, folder, pictures, settings, env) as opened:
        yield opened
