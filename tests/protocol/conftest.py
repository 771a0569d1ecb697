"""A staged server for each test module: the real process, with a model that follows a script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import tiny_corpus
from tests.support.editor import Editor, Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("stage"))


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data home with the tiny corpus and its index."""
    home = tmp_path_factory.mktemp("home")
    tiny_corpus.build(home)
    return home


@pytest.fixture(scope="module", params=[False, True], ids=["stdio", "tcp"])
def tcp(request: pytest.FixtureRequest) -> bool:
    """Whether the server is reached by a port, not by its standard streams."""
    return bool(request.param)


@pytest.fixture(scope="module")
def editor(stage: Stage, tcp: bool) -> Iterator[Editor]:
    """One process for the whole module, ready; checked when it ends."""
    with Editor(stage.command, tcp=tcp) as editor:
        editor.ready()
        yield editor
