"""One process at a time in a folder, by a lock that goes with the process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(file: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock that a file is; BlockingIOError where another process has it and none waits.

    Where there is no flock (Windows) nobody is kept out.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
