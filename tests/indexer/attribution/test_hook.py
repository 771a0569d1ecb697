"""The hook for other projects, run by pre-commit itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from indexer.attribution.families import DATA_LANGUAGES
from indexer.languages import LANGUAGES, NEAR_CODE, NOTEBOOK_ENDING
from tests.indexer.attribution.conftest import FOREIGN, LEDGER
from tests.indexer.attribution.test_changes import git
from tests.support.repository import ROOT

PROGRAMS = Path(sys.executable).parent


@pytest.fixture
def commit(tmp_path: Path, built_home: Path) -> subprocess.CompletedProcess[str]:
    """A commit of a copied file and of another one, with the hook in place."""
    hook, project = tmp_path / "hook", tmp_path / "project"
    for folder in (hook, project):
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hook)
    git(hook, "add", ".")
    git(hook, "commit", "-qm", "the hook")
    (project / "copied.py").write_text(LEDGER)
    (project / "own.py").write_text(FOREIGN)
    (project / "notes.txt").write_text(LEDGER)
    git(project, "add", ".")
    environment = os.environ | {
        "FOOTNOTE_HOME": str(built_home),
        "PRE_COMMIT_HOME": str(tmp_path / "cache"),
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
    }
    return subprocess.run(
        [PROGRAMS / "pre-commit", "try-repo", str(hook), "footnote"],
        cwd=project, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_staged_files_are_checked_and_a_match_stops_the_commit(
    commit: subprocess.CompletedProcess[str],
) -> None:
    assert commit.returncode == 1, commit.stdout + commit.stderr
    assert "copied.py:1-14 warning verbatim 100% books/ledger.py" in commit.stdout
    assert "1 match in 1 of 2 files" in commit.stdout


def test_the_hook_takes_code_in_every_language_that_is_known() -> None:
    hook = (ROOT / ".pre-commit-hooks.yaml").read_text()
    files = re.compile(textwrap.dedent(hook[hook.index("(?xi)") : hook.index("$\n") + 1]))
    settings = DATA_LANGUAGES | NEAR_CODE - {"shellscript"}

    for language, endings in LANGUAGES.items():
        taken = {bool(files.search(f"src/a{ending}")) for ending in endings}
        assert taken == {language not in settings}, language
    assert files.search(f"a{NOTEBOOK_ENDING}")
    assert not files.search("notes.txt")
