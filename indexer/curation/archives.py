"""Lists what is inside a package file, in memory: nothing is unpacked, nothing is run."""

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

_MEMBERS = 200_000  # more members than any real package has
_PLAIN_LIMIT = 1 << 30  # bytes of one unpacked .deb data member


_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,  # an encrypted zip, a compression nobody uses
)


class ArchiveError(Exception):
    """The file is no package of its kind, or is built to hurt."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in a package. `read(limit)` gives at most `limit` bytes."""

    path: str  # inside the package, with forward slashes
    size: int  # bytes as stated by the archive
    read: Callable[[int], bytes]


def entries(kind: str, path: Path) -> Iterator[Entry]:
    """Entries of a source's file in archive order; each is to be read before the next.

    Names that leave the package (absolute, or with `..`) are skipped: no writer of
    packages makes them. Raises ArchiveError.
    """
    reader = {
        "pypi": _wheel,
        "npm": _npm,
        "debian": _debian,
        "git": _tar_file,
        "folder": _folder,
    }[kind]
    with _refusing(path):
        for count, entry in enumerate(reader(path)):
            if count >= _MEMBERS:
                raise ArchiveError(f"{path.name} has more than {_MEMBERS} files")
            parts = entry.path.split("/")
            if not entry.path.startswith("/") and ".." not in parts and "\\" not in entry.path:
                yield replace(entry, read=_guarded(entry.read, path))


def _guarded(read: Callable[[int], bytes], path: Path) -> Callable[[int], bytes]:
    """Reading a member can fail as well as listing it."""

    def guarded(limit: int) -> bytes:
        with _refusing(path):
            return read(limit)

    return guarded


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ArchiveError(f"{path.name} cannot be read: {error}") from error


def _wheel(path: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue

            def read(limit: int, info: zipfile.ZipInfo = info) -> bytes:
                with archive.open(info) as stream:
                    return stream.read(limit)

            yield Entry(info.filename, info.file_size, read)


def _npm(path: Path) -> Iterator[Entry]:
    """An npm tarball holds one folder, usually `package`, which is no part of the paths."""
    with tarfile.open(path, mode="r:gz") as archive:
        for entry in _tar(archive):
            inner = entry.path.partition("/")[2]
            if inner:
                yield Entry(inner, entry.size, entry.read)


def _tar_file(path: Path) -> Iterator[Entry]:
    with tarfile.open(path) as archive:
        yield from _tar(archive)


def _tar(archive: tarfile.TarFile) -> Iterator[Entry]:
    for member in archive:
        if not member.isfile():
            continue

        def read(limit: int, member: tarfile.TarInfo = member) -> bytes:
            stream = archive.extractfile(member)
            return stream.read(limit) if stream else b""

        name = member.name.removeprefix("./")
        yield Entry(name, member.size, read)


def _debian(path: Path) -> Iterator[Entry]:
    """A .deb is an `ar` of three members; the files are in data.tar.*."""
    name, data = _ar_member(path.read_bytes(), "data.tar")
    with tarfile.open(fileobj=_unpacked(name, data)) as archive:
        yield from _tar(archive)


def _ar_member(data: bytes, prefix: str) -> tuple[str, bytes]:
    if not data.startswith(b"!<arch>\n"):
        raise ArchiveError("not a Debian package: the ar header is missing")
    at = 8
    while at + 60 <= len(data):
        header = data[at : at + 60]
        name = header[:16].decode("ascii", "replace").strip().rstrip("/")
        size = int(header[48:58])
        if name.startswith(prefix):
            return name, data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    raise ArchiveError(f"not a Debian package: no {prefix}")


def _unpacked(name: str, data: bytes) -> IO[bytes]:
    """The tar inside; tarfile knows gz, bz2 and xz, and Arrow knows zstd."""
    if not name.endswith(".zst"):
        return io.BytesIO(data)
    import pyarrow as pa

    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        plain = stream.read(_PLAIN_LIMIT)
    return io.BytesIO(cast(bytes, plain))


def _folder(path: Path) -> Iterator[Entry]:
    """Files of a folder in sorted order; hidden folders and links are left alone."""
    for file in sorted(path.rglob("*")):
        inner = file.relative_to(path)
        if file.is_symlink() or not file.is_file():
            continue
        if any(part.startswith(".") for part in inner.parts[:-1]):
            continue

        def read(limit: int, file: Path = file) -> bytes:
            with file.open("rb") as stream:
                return stream.read(limit)

        yield Entry(inner.as_posix(), file.stat().st_size, read)
