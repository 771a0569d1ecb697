"""A staged server for each test module: the real process, with a model that follows a script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.editor import Editor, Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("stage"))


@pytest.fixture(scope="module")
def editor(stage: Stage) -> Iterator[Editor]:
    """One process for the whole module, ready; checked when it ends."""
    with Editor(stage.command) as editor:
        editor.ready()
        yield editor
