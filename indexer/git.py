"""Asks git: what a folder's repository tracks, ignores and changed."""

import os
import shutil
import subprocess
from pathlib import Path

# In a hook git names the repository of the commit; we ask about the folder that we are given.
_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_PREFIX")


class GitFailed(Exception):
    """git is not there or refuses; the message is git's own."""


def git(folder: Path, *arguments: str) -> bytes:
    """What git prints about the repository around a folder. Raises GitFailed."""
    program = shutil.which("git")
    if program is None:
        raise GitFailed("there is no git on PATH")
    environment = {key: value for key, value in os.environ.items() if key not in _OF_A_HOOK}
    # A repository can name programs that git would start for this; none of them is.
    command = [program, "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=environment
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["git failed"]
        raise GitFailed(said[0].removeprefix("fatal: "))
    return done.stdout


def listed(folder: Path) -> list[str]:
    """What git tracks or would track under a folder, relative to it; nothing where git cannot say."""
    try:
        out = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except GitFailed:
        return []
    return names_of(out)


def names_of(out: bytes) -> list[str]:
    """The paths of an answer to `-z`."""
    return [os.fsdecode(name) for name in out.split(b"\0") if name]
