"""A folder is replaced as one, and whatever dies meanwhile leaves the old one or the new."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from indexer import replacing
from indexer.replacing import prefix, recover, replacement, sweep

if TYPE_CHECKING:
    from pathlib import Path

DIES = """
import os, signal, sys
from pathlib import Path
from indexer import replacing

folder, at = Path(sys.argv[1]), int(sys.argv[2])
seen = 0

def step(event, args):
    global seen
    if event == "os.rename":
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

replacing._exchanged = lambda one, other: False
sys.addaudithook(step)
with replacing.replacement(folder) as new:
    (new / "content").write_text("new")
"""


def content(folder: Path) -> str:
    return (folder / "content").read_text()


def replace(folder: Path, text: str) -> None:
    with replacement(folder) as new:
        (new / "content").write_text(text)


def beside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.iterdir() if path != folder)


@pytest.mark.parametrize("exchange", [True, False])
def test_the_new_folder_takes_the_place_of_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(replacing, "_exchanged", lambda one, other: False)
    folder = tmp_path / "thing"
    for text in ("first", "second"):
        replace(folder, text)
        assert content(folder) == text
    assert beside(folder) == []


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    replace(tmp_path / "thing", "old")
    with pytest.raises(KeyboardInterrupt), replacement(tmp_path / "thing"):
        raise KeyboardInterrupt

    assert content(tmp_path / "thing") == "old"
    assert beside(tmp_path / "thing") == []


@pytest.mark.parametrize("rename", [1, 2])
def test_killed_at_either_of_two_renames_the_old_folder_is_found_again(
    tmp_path: Path, rename: int
) -> None:
    folder = tmp_path / "thing"
    replace(folder, "old")
    done = subprocess.run([sys.executable, "-c", DIES, str(folder), str(rename)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert folder.exists() == (rename == 1)

    recover(folder)

    assert content(folder) == "old"
    replace(folder, "new")
    assert beside(folder) == []


def test_a_failing_second_rename_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "thing"
    replace(folder, "old")
    monkeypatch.setattr(replacing, "_exchanged", lambda one, other: False)
    with pytest.raises(OSError, match="new"), replacement(folder) as new:
        new.rmdir()

    assert content(folder) == "old"


def test_what_the_living_work_on_is_left_alone_and_so_are_others_remains(tmp_path: Path) -> None:
    folder = tmp_path / "thing"
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    owners = {"dead": dead.stdout.decode().strip(), "alive": str(os.getpid()), "nobody": "?"}
    for name, owner in owners.items():
        place = tmp_path / (prefix(folder) + name)
        place.mkdir()
        (place / "owner").write_text(owner)
    (tmp_path / ".thing-2~x").mkdir()
    sweep(folder)

    assert beside(folder) == [".thing-2~x", ".thing~alive"]
