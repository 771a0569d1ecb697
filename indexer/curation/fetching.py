"""Downloads pinned sources with each registry's ordinary client, and verifies them.

Nothing from a package is run: wheels only from PyPI, tarballs from npm, archives from apt.
A finished file is kept under its name, so a build that was stopped goes on where it was.
"""

import errno
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from indexer.curation.archives import entries
from indexer.curation.sources import Source

PLATFORMS = (
    "any",
    "manylinux1_x86_64",
    "manylinux2010_x86_64",
    "manylinux2014_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_28_x86_64",
    "manylinux_2_34_x86_64",
)
"""Pinned, so that every machine is given the same wheel."""

PARALLEL = 6
_ATTEMPTS = 3
_FULL = re.compile(
    r"No space left on device|\bENOSPC\b|\[Errno 28\]|not enough space|don't have enough free space",
    re.I,
)
_SECONDS = 900


class FetchError(Exception):
    """A source could not be had, or is not the one that was pinned."""


class DiskFull(Exception):
    """Nothing more can be written; the message says where, and what to do."""


@dataclass(frozen=True, slots=True)
class Fetched:
    source: Source
    path: Path | None  # None when refused
    error: str = ""
    bytes: int = 0


def archive_path(source: Source, downloads: Path) -> Path:
    """Where a source's file is, or will be."""
    if source.kind in ("folder", "parquet"):
        return Path(source.file)
    if source.kind == "git":
        return downloads / "git" / f"{source.name.replace('/', '-')}-{source.version}.tar"
    return downloads / source.kind / source.file


def fetch_all(sources: Iterable[Source], downloads: Path) -> Iterator[Fetched]:
    """Fetch and verify, six at a time, in the order they finish. Never raises FetchError.

    Raises DiskFull, and asks for no further one then.
    """
    pool, full = ThreadPoolExecutor(PARALLEL), threading.Event()

    def attempt(source: Source) -> Fetched:
        # Who takes the results may be slower to see it than the others are to ask for more.
        if full.is_set():
            raise _disk_full(downloads)
        try:
            return _attempt(source, downloads)
        except DiskFull:
            full.set()
            raise

    try:
        waiting = [pool.submit(attempt, source) for source in sources]
        for future in as_completed(waiting):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _attempt(source: Source, downloads: Path) -> Fetched:
    try:
        path = fetch(source, downloads)
    except FetchError as error:
        return Fetched(source, None, str(error))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _disk_full(downloads) from error
        raise
    return Fetched(source, path, "", path.stat().st_size if path.is_file() else 0)


def fetch(source: Source, downloads: Path) -> Path:
    """The verified file of a source. Raises FetchError naming the source."""
    path = archive_path(source, downloads)
    if source.kind in ("folder", "parquet"):
        return _verified_local(source, path)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(source, path)
    if source.kind != "git" and (actual := file_hash(path)) != source.sha256:
        path.unlink(missing_ok=True)
        raise FetchError(
            f"{source.label}: {path.name} has SHA-256 {actual}, pinned is {source.sha256}; "
            "the file was refused and deleted"
        )
    return path


def _verified_local(source: Source, path: Path) -> Path:
    if not path.exists():
        raise FetchError(f"{source.label}: there is nothing at {path}")
    if not source.sha256:
        return path
    actual = folder_hash(path) if source.kind == "folder" else file_hash(path)
    if actual != source.sha256:
        raise FetchError(f"{source.label}: {path} has SHA-256 {actual}, pinned is {source.sha256}")
    return path


def _download(source: Source, path: Path) -> None:
    """Let the client write into a folder of its own, then move the file into place."""
    client: Callable[[Source, Path], None] = {
        "pypi": _pip,
        "npm": _npm,
        "debian": _apt,
        "git": _git,
    }[source.kind]
    error = ""
    for _ in range(_ATTEMPTS):
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent.resolve()) as name:
            folder = Path(name)
            try:
                client(source, folder)
                if (folder / path.name).is_file():
                    (folder / path.name).replace(path)
                    return
                given = ", ".join(sorted(each.name for each in folder.iterdir())) or "nothing"
                raise FetchError(f"{source.label}: expected {path.name}, was given {given}")
            except FetchError as problem:
                error = str(problem)
    raise FetchError(error)


def _pip(source: Source, folder: Path) -> None:
    platforms = [part for each in PLATFORMS for part in ("--platform", each)]
    command = [*_pip_client(), "download", "--quiet", "--no-deps", "--no-input",
               "--disable-pip-version-check", "--only-binary=:all:", *platforms,
               "--implementation", "cp", "--python-version", "3.11", "-d", str(folder),
               f"{source.name}=={source.version}"]  # fmt: skip
    _run(source, command, folder)


def _pip_client() -> list[str]:
    """pip of this environment; environments made by uv have none, so one from elsewhere."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    for name in ("pip", "pip3"):
        if found := shutil.which(name):
            return [found]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "pip"]
    raise FetchError(f"pip is not installed: run `{sys.executable} -m ensurepip`, then build again")


def _npm(source: Source, folder: Path) -> None:
    command = [_client("npm"), "pack", "--silent", "--ignore-scripts",
               f"{source.name}@{source.version}"]  # fmt: skip
    _run(source, command, folder)
    packed = list(folder.glob("*.tgz"))
    if len(packed) == 1:  # npm names scoped packages in its own way; the manifest decides
        packed[0].rename(folder / source.file)


def _apt(source: Source, folder: Path) -> None:
    command = [_client("apt-get"), "download", f"{source.name}={source.version}"]
    _run(source, command, folder)
    packed = list(folder.glob("*.deb"))
    if len(packed) == 1:
        packed[0].rename(folder / source.file)


def _git(source: Source, folder: Path) -> None:
    """Clone the pinned commit alone and keep its tree as a tar; the tree hash is the pin."""
    git, clone = _client("git"), folder / "clone"
    steps = [
        ["init", "--quiet", str(clone)],
        ["-C", str(clone), "fetch", "--quiet", "--depth", "1", "--", source.file, source.version],
    ]
    for step in steps:
        _run(source, [git, *step], folder)
    tree = _run(source, [git, "-C", str(clone), "rev-parse", "FETCH_HEAD^{tree}"], folder).strip()
    if tree != source.sha256:
        raise FetchError(f"{source.label}: the tree is {tree}, pinned is {source.sha256}")
    name = archive_path(source, folder).name
    _run(source, [git, "-C", str(clone), "archive", "--format=tar", "-o", str(folder / name),
                  "FETCH_HEAD"], folder)  # fmt: skip
    shutil.rmtree(clone, ignore_errors=True)


def _client(name: str) -> str:
    path = shutil.which(name)
    if not path:
        raise FetchError(f"{name} is not installed: it is needed for some sources of the manifest")
    return path


def _run(source: Source, command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise _disk_full(folder) from error
        raise FetchError(f"{source.label}: {error}") from error
    if done.returncode:
        if _FULL.search(done.stderr + done.stdout):
            raise _disk_full(folder)
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise FetchError(f"{source.label}: {Path(command[0]).name} failed: {' / '.join(last)}")
    return done.stdout


def _disk_full(folder: Path) -> DiskFull:
    places = dict.fromkeys((str(folder.parent), tempfile.gettempdir()))
    free = ", ".join(f"{shutil.disk_usage(each).free / 1e6:,.0f} MB in {each}" for each in places)
    return DiskFull(
        f"no space is left on the disk (free: {free}): make room, or name a folder on another disk by "
        "FOOTNOTE_HOME, and for the clients by TMPDIR; then run the same command again, it goes on where it was"
    )


def file_hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_hash(path: Path) -> str:
    """SHA-256 over the names and contents of a folder's files, in sorted order."""
    digest = hashlib.sha256()
    for entry in entries("folder", path):
        content = hashlib.sha256(entry.read(entry.size + 1)).hexdigest()
        digest.update(f"{entry.path}\0{content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
