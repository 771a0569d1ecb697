"""The corpus laid out for training: one file that all worker processes map and share."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.shards import CorpusUnavailable, Manifest, open_shards
from trainer.locking import locked

Indices = npt.NDArray[np.int64]
_COLUMNS = ("text", "path", "package", "language")
_FORMAT = b"1"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """What training needs to know of a file."""

    text: str
    path: str
    package: str
    language: str


class Texts:
    """Source files by number, each decoded when it is asked for; empty ones are left out."""

    def __init__(self, table: Any) -> None:
        """Wrap a `pyarrow.Table` with the columns text, path, package and language."""
        self._columns = [table.column(name) for name in _COLUMNS]
        self._languages, self._language_of = _coded(table.column("language"))
        _, package_of = _coded(table.column("package"))
        self._by_package = np.argsort(package_of, kind="stable")
        self._package_of = package_of
        self._sorted = package_of[self._by_package]

    def __len__(self) -> int:
        return len(self._language_of)

    def __getitem__(self, index: int) -> SourceFile:
        return SourceFile(*(column[index].as_py() for column in self._columns))

    def path(self, index: int) -> str:
        return str(self._columns[1][index].as_py())

    @property
    def languages(self) -> dict[str, Indices]:
        """The numbers of the files of each language, in stored order; languages sorted by name."""
        return {
            name: np.flatnonzero(self._language_of == code)
            for name, code in sorted(zip(self._languages, range(len(self._languages)), strict=True))
        }

    def siblings(self, index: int) -> Indices:
        """The numbers of all files of this one's package, itself among them, in stored order."""
        package = self._package_of[index]
        low, high = np.searchsorted(self._sorted, [package, package + 1])
        return self._by_package[low:high]


def _coded(column: Any) -> tuple[list[str], Indices]:
    """The distinct values, and for each row the number of its value."""
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def texts_of(files: Iterable[SourceFile]) -> Texts:
    """A few files in memory, as one has them in a test."""
    import pyarrow as pa

    kept = [each for each in files if each.text]
    schema = pa.schema([(name, pa.string()) for name in _COLUMNS])
    columns = {name: [getattr(each, name) for each in kept] for name in _COLUMNS}
    return Texts(pa.table(columns, schema=schema))


def cache_folder(corpus: Path) -> Path:
    """Where the layout of a corpus is kept: beside it. It can be deleted at any time."""
    return corpus.parent / f"{corpus.name}.cache"


def open_texts(corpus: Path) -> Texts:
    """Map the texts of a corpus, laying them out first if that was not done yet.

    The shards' hashes are checked when they are laid out and whenever a shard was touched since.
    The layout of another corpus is removed. Raises CorpusUnavailable, which says what to do.
    """
    manifest = open_shards(corpus)
    folder = cache_folder(corpus)
    path = folder / f"{manifest.corpus_hash}.arrow"
    try:
        folder.mkdir(exist_ok=True)
        # Where there is no lock the last process to finish wins, which is as good.
        with locked(folder / "lock", wait=True):
            table = _checked(corpus, manifest, path)
            if table is None:
                _lay_out(corpus, manifest, path)
                table = _mapped(path)
    except OSError as error:
        raise CorpusUnavailable(
            f"the corpus cannot be laid out for training in {folder} ({error}): it takes "
            f"{manifest.bytes / 1e6:.0f} MB there; make room, or copy the corpus to a folder "
            "that can be written"
        ) from error
    if table is None:
        raise CorpusUnavailable(f"{path} was just written and cannot be read: remove {folder}")
    if not table.num_rows:
        raise CorpusUnavailable(f"the corpus at {corpus} is empty: build it again")
    return Texts(table)


def _stamp(corpus: Path, manifest: Manifest) -> str:
    """What would change if somebody touched a shard."""
    found = [(corpus / shard.file).stat() for shard in manifest.shards]
    hashes = [shard.sha256 for shard in manifest.shards]
    return json.dumps([hashes, [[each.st_size, each.st_mtime_ns] for each in found]])


def _checked(corpus: Path, manifest: Manifest, path: Path) -> Any | None:
    """The layout that was made before, or None: there is none that can be used."""
    table = _mapped(path)
    if table is None:
        return None
    stamp, verified = _stamp(corpus, manifest), path.with_suffix(".verified")
    if not verified.is_file() or verified.read_text(encoding="utf-8") != stamp:
        open_shards(corpus, verify=True)
        verified.write_text(stamp, encoding="utf-8")
    return table


def _mapped(path: Path) -> Any | None:
    import pyarrow as pa

    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    return table if (table.schema.metadata or {}).get(b"footnote") == _FORMAT else None


def _lay_out(corpus: Path, manifest: Manifest, path: Path) -> None:
    """Write all texts uncompressed, whole or not at all."""
    import pyarrow as pa

    open_shards(corpus, verify=True)
    stamp = _stamp(corpus, manifest)
    for old in (*path.parent.glob("*.arrow"), *path.parent.glob("*.verified")):
        old.unlink()
    for left in path.parent.glob(".layout-*"):
        left.unlink()  # of a process that was killed: we hold the lock
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".layout-")
    staging = Path(name)
    schema = pa.schema([(each, pa.string()) for each in _COLUMNS], metadata={b"footnote": _FORMAT})
    try:
        with os.fdopen(handle, "wb") as stream, pa.ipc.new_file(stream, schema) as writer:
            for batch in _batches(corpus, [shard.file for shard in manifest.shards]):
                writer.write_batch(batch.cast(schema))
            stream.flush()
            os.fsync(stream.fileno())
        staging.replace(path)
    except BaseException:
        staging.unlink(missing_ok=True)
        raise
    path.with_suffix(".verified").write_text(stamp, encoding="utf-8")


def _batches(corpus: Path, shards: Sequence[str]) -> Iterator[Any]:
    """The rows that have a text, checked to be UTF-8, with progress on standard error."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    said = time.monotonic()
    for number, shard in enumerate(shards):
        if time.monotonic() - said > 2:
            said = time.monotonic()
            sys.stderr.write(f"laying out the corpus: shard {number + 1} of {len(shards)}\n")
        try:
            with pq.ParquetFile(corpus / shard) as file:
                for batch in file.iter_batches(batch_size=1024, columns=list(_COLUMNS)):
                    batch.validate(full=True)
                    yield batch.select(_COLUMNS).filter(
                        pc.greater(pc.binary_length(batch.column("text")), 0)
                    )
        except (pa.ArrowException, KeyError) as error:
            raise CorpusUnavailable(
                f"{corpus / shard} does not hold source files as UTF-8 ({error}): "
                "run `footnote corpus build` again"
            ) from error
