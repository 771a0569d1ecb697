"""Files as parts of a size that travels, and files again: compressed, hashed, in an order.

A group of files is one stream of compressed pieces, cut into parts wherever one is full. Weights
are split into their bytes' planes first: exponents compress, mantissas do not.
"""

import hashlib
import json
import lzma
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from engine.checkpoint import sha256_of

INDEX = "results.json"
FORMAT = 1
_PIECE = 8 << 20
_PLANES = (1, 2, 4)  # as text; as bfloat16; as float32
_TRIED = 1 << 18  # bytes that tell how many planes are best

Group = dict[str, Any]  # files with their pieces, and parts; see `cut`


class PartsMissing(Exception):
    """Parts are missing or damaged; the message names them."""


def cut(name: str, files: Mapping[str, Path], folder: Path, part_bytes: int) -> Group:
    """Write `folder`/`name`-001.part and so on; returns what `join` needs to know of them."""
    writer = _Parts(name, folder, part_bytes)
    listed = []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for shown, path in files.items():
            pieces: list[list[int]] = []
            raw = _read(path)
            while several := list(islice(raw, os.cpu_count() or 1)):
                for piece, (planes, packed) in zip(
                    several, threads.map(_compress, several), strict=True
                ):
                    pieces.append([len(piece), len(packed), planes])
                    writer.write(packed)
            size = sum(each[0] for each in pieces)
            listed.append(
                {"path": shown, "bytes": size, "sha256": sha256_of(path), "pieces": pieces}
            )
    return {"name": name, "files": listed, "parts": writer.finish()}


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _compress(piece: bytes) -> tuple[int, bytes]:
    """How many planes it was split into, and what it became."""
    start = piece[: _TRIED - _TRIED % 4]
    planes = min(_PLANES, key=lambda each: len(lzma.compress(_split(start, each), preset=0)))
    return planes, lzma.compress(_split(piece, planes), preset=2)


def _split(piece: bytes, planes: int) -> bytes:
    """Every first byte of `planes`, then every second; a rest that does not fill them at the end."""
    whole = len(piece) - len(piece) % planes
    matrix = np.frombuffer(piece[:whole], np.uint8).reshape(-1, planes)
    return matrix.T.tobytes() + piece[whole:]


def _joined(split: bytes, planes: int) -> bytes:
    whole = len(split) - len(split) % planes
    matrix = np.frombuffer(split[:whole], np.uint8).reshape(planes, -1)
    return matrix.T.tobytes() + split[whole:]


class _Parts:
    """A stream that begins a new file when one is full."""

    def __init__(self, name: str, folder: Path, part_bytes: int) -> None:
        self._name, self._folder, self._most = name, folder, part_bytes
        self._held = bytearray()
        self._made: list[dict[str, Any]] = []

    def write(self, data: bytes) -> None:
        self._held += data
        while len(self._held) >= self._most:
            self._put(bytes(self._held[: self._most]))
            del self._held[: self._most]

    def finish(self) -> list[dict[str, Any]]:
        if self._held:
            self._put(bytes(self._held))
        return self._made

    def _put(self, data: bytes) -> None:
        name = f"{self._name}-{len(self._made) + 1:03}.part"
        (self._folder / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        self._made.append({"name": name, "bytes": len(data), "sha256": digest})


def read_index(folders: Sequence[Path]) -> dict[str, Any]:
    """The newest list of results that came home. PartsMissing when there is none to be read."""
    found = []
    for path in (each / INDEX for each in folders):
        try:
            index = json.loads(path.read_text(encoding="utf-8"))
            if index["format"] != FORMAT:
                raise ValueError(f"format {index['format']!r}, not {FORMAT}")
            _check_paths(index)
            found.append((float(index["made"]), index))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PartsMissing(f"{path} cannot be read ({error}): bring it again") from error
    if not found:
        raise PartsMissing(
            f"no {INDEX} in {', '.join(map(str, folders))}: bring it, `go.py out 1` writes it"
        )
    return dict(max(found, key=lambda each: each[0])[1])


def _check_paths(index: Mapping[str, Any]) -> None:
    """What came from elsewhere names files inside its own folder only."""
    for group in index["groups"]:
        for path in [each["path"] for each in group["files"]]:
            if Path(path).is_absolute() or ".." in Path(path).parts:
                raise ValueError(f"it names {path!r}")
        for name in [each["name"] for each in group["parts"]]:
            if Path(name).name != name:
                raise ValueError(f"it names {name!r}")


def find_parts(groups: Sequence[Group], folders: Sequence[Path]) -> dict[str, Path]:
    """Where each part lies. PartsMissing names all that do not lie there, or not whole."""
    found: dict[str, Path] = {}
    missing: list[str] = []
    damaged: list[str] = []
    for part in [each for group in groups for each in group["parts"]]:
        name = part["name"]
        there = [folder / name for folder in folders if (folder / name).is_file()]
        whole = [each for each in there if sha256_of(each) == part["sha256"]]
        if whole:
            found[name] = whole[0]
        else:
            (damaged if there else missing).append(name)
    said = [f"missing: {', '.join(missing)}"] if missing else []
    said += [f"damaged (other hash than in {INDEX}): {', '.join(damaged)}"] if damaged else []
    if said:
        raise PartsMissing(f"{'; '.join(said)}: bring them with `go.py out N`, or once more")
    return found


def join(group: Group, found: Mapping[str, Path], folder: Path) -> None:
    """Put the group's files where they belong in `folder`; each folder in it is swapped in whole."""
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".unpack-", dir=folder))
    try:
        source = _Joined([found[each["name"]] for each in group["parts"]])
        for file in group["files"]:
            target = staging / file["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as stream:
                for _, packed, planes in file["pieces"]:
                    stream.write(_joined(lzma.decompress(source.read(packed)), planes))
                stream.flush()
                os.fsync(stream.fileno())
            if sha256_of(target) != file["sha256"]:
                raise PartsMissing(f"{file['path']} has another hash than it had: bring it again")
        for each in sorted(staging.iterdir()):
            _swap(each, folder / each.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _swap(new: Path, target: Path) -> None:
    old = new.with_name(f"{new.name}.old")
    if target.is_dir():
        target.replace(old)
    new.replace(target)


class _Joined:
    """The parts as one stream again."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._held = b""

    def read(self, size: int) -> bytes:
        while len(self._held) < size and self._paths:
            self._held += self._paths.pop(0).read_bytes()
        out, self._held = self._held[:size], self._held[size:]
        return out
