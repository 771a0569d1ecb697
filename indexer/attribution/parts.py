"""A slice of a corpus as a part of its index: sorted fingerprints and names, files, and their texts or tokens.

A part is made by one process, in a few seconds, and written as one: what is there is done. Lines and blocks
are counted from the part's own first.
"""

import itertools
import json
import os
import shutil
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.attribution import catalogue, text_store, token_store
from indexer.attribution.candidates import names_of
from indexer.attribution.families import family_of
from indexer.attribution.fingerprints import FORMS, winnow
from indexer.attribution.lexing import lexer_of_family
from indexer.attribution.removal import Removal, covering
from indexer.attribution.tokens import ARGUMENT, NAME, Ids, Reading, Tokens
from indexer.attribution.voting import CHUNK_LINES
from indexer.document import Document
from indexer.shards import Slice, read_slice

_RECORD = "part.json"
TABLES = tuple(form.name for form in FORMS)


@dataclass(frozen=True, slots=True)
class Task:
    """What one part is made of."""

    corpus: Path
    slice: Slice
    folder: Path
    text: bool = True  # keep the texts, and the names of passages; else the tokens of each file
    leave_out: tuple[Removal, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A finished part."""

    folder: Path
    bytes: int  # of text
    lines: int
    packages: list[catalogue.Package]
    licenses: list[str]
    languages: list[str]
    paths: list[str]
    left_out: dict[int, tuple[int, int]]  # number of the removal -> documents, bytes

    @property
    def files(self) -> npt.NDArray[Any]:
        """FILE_COLUMNS of the catalogue, with this part's own numbers."""
        rows: npt.NDArray[Any] = np.load(self.folder / "files.npy")
        return rows

    @property
    def block_sizes(self) -> npt.NDArray[np.uint64]:
        return np.fromfile(self.folder / "blocks.sizes", np.uint64)

    def table(self, name: str) -> tuple[Ids, npt.NDArray[np.uint32]]:
        """Sorted hashes and their lines, mapped."""
        hashes, lines = self.folder / f"{name}.hashes", self.folder / f"{name}.lines"
        if not hashes.stat().st_size:
            return np.zeros(0, np.uint64), np.zeros(0, np.uint32)
        return np.memmap(hashes, np.uint64, mode="r"), np.memmap(lines, np.uint32, mode="r")

    def chunks(self) -> Iterator[tuple[int, str]]:
        """The names of the passages: line, names separated by blanks."""
        listed = zlib.decompress((self.folder / "chunks").read_bytes()).decode(
            "utf-8", "surrogatepass"
        )
        for each in listed.split("\n")[:-1]:
            line, _, names = each.partition(" ")
            yield int(line), names


def read_part(folder: Path) -> Part | None:
    """The part in a folder, or None while it is not done."""
    try:
        raw = json.loads((folder / _RECORD).read_text("utf-8"))
    except FileNotFoundError:
        return None
    raw["packages"] = [catalogue.Package(**each) for each in raw["packages"]]
    raw["left_out"] = {int(key): tuple(value) for key, value in raw["left_out"].items()}
    return Part(folder=folder, **raw)


def make_part(task: Task) -> Part:
    """Makes a part, unless it is there already."""
    if (done := read_part(task.folder)) is not None:
        return done
    growing = _Growing(task.text, task.leave_out)
    for document in read_slice(task.corpus, task.slice):
        growing.add(document)
    scratch = task.folder.with_name(f".{task.folder.name}.{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    growing.write(scratch)
    try:
        scratch.replace(task.folder)
    except OSError:  # another process made the same part meanwhile
        shutil.rmtree(scratch, ignore_errors=True)
    done = read_part(task.folder)
    assert done is not None, "a part that was written is there"
    return done


@dataclass
class _Growing:
    """A part while its documents arrive."""

    text: bool
    leave_out: tuple[Removal, ...]
    hashes: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in TABLES})
    lines: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in TABLES})
    first_line: int = 0
    size: int = 0  # bytes of text
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    packer: text_store.Packer = field(default_factory=text_store.Packer)
    chunks: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    packages: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    licenses: dict[str, int] = field(default_factory=dict)
    languages: dict[str, int] = field(default_factory=dict)
    left_out: Counter[tuple[int, str]] = field(default_factory=Counter)

    def add(self, document: Document) -> None:
        data = document.text.encode("utf-8", "surrogatepass")
        removal = covering(self.leave_out, document.package, document.path)
        if removal is not None:
            number = self.leave_out.index(removal)
            self.left_out[number, "documents"] += 1
            self.left_out[number, "bytes"] += len(data)
            return
        family = family_of(document.language)
        reading = lexer_of_family(family).read(document.text)
        for name, hashes, lines in _entries(reading.tokens, abstract=family.abstract):
            self.hashes[name].append(hashes)
            self.lines[name].append(lines + np.uint32(self.first_line))
        if self.text:
            self.chunks += [
                f"{self.first_line + line} {names}\n" for line, names in _chunks(reading)
            ]
        self.packer.add(data if self.text else token_store.encode(reading.tokens))
        self._add_file(document, len(data), reading.data.count(b"\n") + 1)

    def _add_file(self, document: Document, size: int, line_count: int) -> None:
        key = (document.package, document.version)
        package = self.packages.setdefault(key, [len(self.packages), document, 0, 0])
        package[2] += 1
        package[3] += size
        self.size += size
        self.rows.append(
            (
                package[0],
                self.licenses.setdefault(document.license, len(self.licenses)),
                self.languages.setdefault(document.language, len(self.languages)),
                self.first_line,
                line_count,
                0,
                0,
                0,
                np.frombuffer(bytes.fromhex(document.sha256), np.uint8),
            )
        )
        self.paths.append(document.path.replace("\n", " "))
        self.first_line += line_count

    def write(self, folder: Path) -> None:
        for name in TABLES:
            hashes = np.concatenate([np.zeros(0, np.uint64), *self.hashes[name]])
            lines = np.concatenate([np.zeros(0, np.uint32), *self.lines[name]])
            order = np.argsort(hashes, kind="stable")  # lines ascend already
            hashes[order].tofile(folder / f"{name}.hashes")
            lines[order].tofile(folder / f"{name}.lines")
        packed = self.packer.finish()
        files = np.array(self.rows, catalogue.FILE_COLUMNS)
        files["block"], files["offset"], files["size"] = (
            packed.block_of, packed.offset_of, packed.size_of,
        )  # fmt: skip
        np.save(folder / "files.npy", files)
        np.array([len(data) for data in packed.blocks], np.uint64).tofile(folder / "blocks.sizes")
        (folder / "blocks").write_bytes(b"".join(packed.blocks))
        listed = "".join(self.chunks).encode("utf-8", "surrogatepass")
        (folder / "chunks").write_bytes(zlib.compress(listed, 1))
        self._write_record(folder)

    def _write_record(self, folder: Path) -> None:
        packages = [
            {"name": each.package, "version": each.version, "kind": each.kind,
             "license": each.license, "url": each.url, "files": count, "bytes": size}
            for _, each, count, size in self.packages.values()
        ]  # fmt: skip
        numbers = sorted({number for number, _ in self.left_out})
        record = {
            "bytes": self.size,
            "lines": self.first_line,
            "packages": packages,
            "licenses": list(self.licenses),
            "languages": list(self.languages),
            "paths": self.paths,
            "left_out": {
                number: (self.left_out[number, "documents"], self.left_out[number, "bytes"])
                for number in numbers
            },
        }
        (folder / _RECORD).write_text(json.dumps(record), "utf-8")


def _entries(
    tokens: Tokens, *, abstract: bool
) -> Iterator[tuple[str, Ids, npt.NDArray[np.uint32]]]:
    """What a file adds to each table: hashes, and the lines they are on, ascending."""
    for form in FORMS:
        if form.abstract and not abstract:
            continue
        grams = form.grams(tokens)
        kept = winnow(grams.hashes, form.window)
        # One entry per fingerprint and file: repetitive text would fill the table with itself.
        unique, first = np.unique(grams.hashes[kept], return_index=True)
        yield form.name, unique, tokens.lines[grams.starts[kept[first]]].astype(np.uint32)


def _chunks(reading: Reading) -> Iterator[tuple[int, str]]:
    """The different names of every CHUNK_LINES lines, with the first of the lines."""
    tokens = reading.tokens
    names = np.flatnonzero((tokens.kinds == NAME) | (tokens.kinds == ARGUMENT))
    number, name = tokens.lines[names] // CHUNK_LINES, tokens.exact[names]
    order = np.lexsort((name, number))
    number, name = number[order], name[order]
    first = np.ones(len(order), bool)
    first[1:] = (number[1:] != number[:-1]) | (name[1:] != name[:-1])
    words, number = reading.words(names[order[first]]), number[first]
    cuts = np.flatnonzero(np.diff(number)) + 1
    for start, end in itertools.pairwise([0, *cuts.tolist(), len(words)]):
        if start < end:
            yield int(number[start]) * CHUNK_LINES, " ".join(sorted(names_of(words[start:end])))
