"""What a GGUF file says of itself: its head is read here, its weights by llama.cpp."""

import mmap
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.api import ModelUnavailable

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
# The kinds of value by their number; a text and a list have lengths of their own.
_PLAIN = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_TEXT, _LIST = 8, 9
_KEPT = 512  # entries of a list; longer ones, such as the vocabulary, are counted only
_PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf")


@dataclass(frozen=True, slots=True)
class GgufHead:
    """A model in one file or several, all of them there."""

    parts: tuple[Path, ...]
    values: Mapping[str, Any]  # a long list stands for its length

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", ""))

    def number(self, key: str, default: int = 0) -> int:
        """A measure of the architecture's; of a list with one for each layer, the largest."""
        found = self.values.get(f"{self.architecture}.{key}", default)
        return int(max(found, default=default) if isinstance(found, list) else found)


def read_head(path: Path) -> GgufHead:
    """Of a file, or of the first part of several; ModelUnavailable with a remedy."""
    named = _PART.fullmatch(path.name)
    if named and int(named[2]) != 1:
        path = path.with_name(f"{named[1]}-00001-of-{named[3]}.gguf")
        if not path.is_file():
            raise _missing(path, int(named[3]))
    values = _read(path)
    count = int(values.get("split.count") or 1)
    parts = [path]
    if count > 1:
        named = _PART.fullmatch(path.name)
        if named is None:
            raise ModelUnavailable(
                f"{path} is one of {count} parts but has another name than their publisher gave it: "
                f"name them NAME-00001-of-{count:05}.gguf and so on"
            )
        parts = [
            path.with_name(f"{named[1]}-{n:05}-of-{count:05}.gguf") for n in range(1, count + 1)
        ]
        for each in parts[1:]:
            if not each.is_file():
                raise _missing(each, count)
            _read(each)
    return GgufHead(tuple(parts), values)


def _missing(path: Path, count: int) -> ModelUnavailable:
    return ModelUnavailable(f"{path} is missing: copy all {count} parts into one folder")


def _read(path: Path) -> dict[str, Any]:
    try:
        with (
            path.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as held,
        ):
            return _Reader(held, path).values()
    except (OSError, ValueError) as error:  # of an empty file mmap says ValueError
        raise ModelUnavailable(f"{path} cannot be read ({error}): copy it again") from error
    except (struct.error, UnicodeDecodeError, KeyError, RecursionError) as error:
        raise ModelUnavailable(
            f"{path} is damaged or was not copied to its end: copy it again"
        ) from error


class _Reader:
    """Goes through a file from its start."""

    def __init__(self, held: mmap.mmap, path: Path) -> None:
        self._held, self._path, self._at = held, path, 0

    def values(self) -> dict[str, Any]:
        """All keys; then whether the file goes on as long as its tensors say."""
        if self._held[:4] != _MAGIC:
            raise ModelUnavailable(
                f"{self._path} is no GGUF file: name one, or the folder of a checkpoint"
            )
        self._at = 4
        version, n_tensors, n_values = self._take("<I"), self._take("<Q"), self._take("<Q")
        if version not in _VERSIONS:
            raise ModelUnavailable(
                f"{self._path} has version {version} of GGUF, 2 and 3 are read: convert the model again"
            )
        values = {}
        for _ in range(n_values):
            key = self._text()
            values[key] = self._value(self._take("<I"))
        last = 0
        for _ in range(n_tensors):
            self._text()
            n_sizes = self._take("<I")
            self._at += 8 * n_sizes + 4
            last = max(last, self._take("<Q"))
        if n_tensors and self._at + last >= len(self._held):
            raise struct.error("the tensors go on beyond the end")
        return values

    def _take(self, kind: str) -> Any:
        (found,) = struct.unpack_from(kind, self._held, self._at)
        self._at += struct.calcsize(kind)
        return found

    def _text(self) -> str:
        length = self._take("<Q")
        self._at += length
        if self._at > len(self._held):
            raise struct.error("a text goes on beyond the end")
        return self._held[self._at - length : self._at].decode("utf-8", "replace")

    def _value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self._text()
        if kind != _LIST:
            return self._take(_PLAIN[kind])
        inner, count = self._take("<I"), self._take("<Q")
        if count <= _KEPT:
            return [self._value(inner) for _ in range(count)]
        if inner == _TEXT:
            self._pass_texts(count)
        else:
            self._at += count * struct.calcsize(_PLAIN[inner])
        return count

    def _pass_texts(self, count: int) -> None:
        at, held, length_at = self._at, self._held, struct.Struct("<Q").unpack_from
        for _ in range(count):
            at += 8 + length_at(held, at)[0]
        self._at = at
