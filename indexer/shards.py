"""Documents on disk: Parquet shards beside a manifest of hashes, replaced as one."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from indexer.document import Document
from indexer.replacing import recover, replacement

FORMAT = 1
MANIFEST = "manifest.json"
_COLUMNS = tuple(each.name for each in fields(Document))
_BATCH_BYTES = 16 << 20


class CorpusUnavailable(Exception):
    """The shards are missing or damaged; the message says what to run."""


@dataclass(frozen=True, slots=True)
class ShardInfo:
    file: str
    sha256: str  # of the file
    documents: int
    bytes: int  # of text as UTF-8


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder of shards holds, and what it was made from."""

    format: int
    name: str
    corpus_hash: str  # over (package, version, path, sha256) of all documents, in order
    recipe_hash: str
    selection: str  # "full" or "small"
    shards: tuple[ShardInfo, ...]
    documents: int
    bytes: int  # of text as UTF-8
    languages: dict[str, tuple[int, int]]  # language -> (files, bytes)
    meta: dict[str, Any]


def write_shards(
    folder: Path,
    documents: Iterable[Document],
    *,
    meta: Mapping[str, Any],
    shard_bytes: int = 64 << 20,
) -> Manifest:
    """Write the documents in their order and swap the folder in at the end.

    `meta` gives `name`, `recipe_hash` and `selection`; the rest of it is kept as it is. A key
    `attachments` maps file names to paths that are moved in beside the shards.
    A build that dies leaves the folder as it was.
    """
    with replacement(folder) as staging:
        return _write(staging, documents, meta, shard_bytes)


def _write(
    staging: Path, documents: Iterable[Document], meta: Mapping[str, Any], shard_bytes: int
) -> Manifest:
    rest = dict(meta)
    for name, path in rest.pop("attachments", {}).items():
        Path(path).replace(staging / name)
    tally = _Tally()
    shards = []
    for number, shard in enumerate(_shards_of(_counted(documents, tally), shard_bytes)):
        shards.append(_write_shard(staging / f"shard-{number:05}.parquet", shard))
    manifest = Manifest(
        format=FORMAT,
        name=str(rest.pop("name", "")),
        corpus_hash=tally.digest.hexdigest(),
        recipe_hash=str(rest.pop("recipe_hash", "")),
        selection=str(rest.pop("selection", "full")),
        shards=tuple(shards),
        documents=tally.documents,
        bytes=tally.bytes,
        languages=dict(sorted(tally.languages.items())),
        meta=rest,
    )
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n"
    (staging / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


@dataclass
class _Tally:
    """Running totals over the documents as they stream past."""

    documents: int = 0
    bytes: int = 0
    languages: dict[str, tuple[int, int]] = field(default_factory=dict)
    digest: Any = field(default_factory=hashlib.sha256)


def _counted(documents: Iterable[Document], tally: _Tally) -> Iterator[tuple[Document, int]]:
    for document in documents:
        size = document.size
        tally.documents += 1
        tally.bytes += size
        files, total = tally.languages.get(document.language, (0, 0))
        tally.languages[document.language] = (files + 1, total + size)
        identity = (document.package, document.version, document.path, document.sha256)
        tally.digest.update(("\0".join(identity) + "\n").encode("utf-8", "surrogatepass"))
        yield document, size


def hash_documents(documents: Iterable[Document]) -> str:
    """The `corpus_hash` of these documents in this order, without writing them."""
    tally = _Tally()
    for _ in _counted(documents, tally):
        pass
    return str(tally.digest.hexdigest())


def _shards_of(
    documents: Iterable[tuple[Document, int]], shard_bytes: int
) -> Iterator[Iterator[tuple[Document, int]]]:
    """Cut the stream into streams of about `shard_bytes`; each must be used up in turn."""
    stream = iter(documents)
    for first in stream:

        def shard(
            item: tuple[Document, int] | None = first, budget: int = shard_bytes
        ) -> Iterator[tuple[Document, int]]:
            while item is not None:
                yield item
                budget -= item[1]
                item = next(stream, None) if budget > 0 else None

        yield shard()


def _write_shard(path: Path, documents: Iterator[tuple[Document, int]]) -> ShardInfo:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.string()) for name in _COLUMNS])
    count = total = pending = 0
    batch: list[Document] = []
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=6) as writer:
        for document, size in documents:
            batch.append(document)
            count, total, pending = count + 1, total + size, pending + size
            if pending >= _BATCH_BYTES:
                writer.write_table(_table(batch, schema))
                batch, pending = [], 0
        if batch:
            writer.write_table(_table(batch, schema))
    return ShardInfo(path.name, _file_hash(path), count, total)


def _table(batch: Sequence[Document], schema: Any) -> Any:
    import pyarrow as pa

    columns = {name: [getattr(document, name) for document in batch] for name in _COLUMNS}
    return pa.table(columns, schema=schema)


def _file_hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def open_shards(folder: Path, *, verify: bool = False) -> Manifest:
    """The manifest of a folder; with `verify`, after hashing every shard.

    Raises CorpusUnavailable when something is missing or not as the manifest says.
    """
    remedy = "run `footnote setup` or `footnote corpus build`"
    recover(folder)
    try:
        raw = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CorpusUnavailable(f"no corpus at {folder}: {remedy}") from None
    except (OSError, ValueError) as error:
        raise CorpusUnavailable(
            f"the manifest in {folder} cannot be read ({error}): {remedy}"
        ) from error
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise CorpusUnavailable(f"the corpus at {folder} has another format: {remedy}")
    try:
        manifest = _manifest(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise CorpusUnavailable(f"the manifest in {folder} is damaged: {remedy}") from error
    for shard in manifest.shards:
        path = folder / shard.file
        if not path.is_file():
            raise CorpusUnavailable(f"{path} is missing: {remedy}")
        if verify and _file_hash(path) != shard.sha256:
            raise CorpusUnavailable(f"{path} is damaged (its hash differs): {remedy}")
    return manifest


def _manifest(raw: Mapping[str, Any]) -> Manifest:
    values = {each.name: raw[each.name] for each in fields(Manifest)}
    values["shards"] = tuple(ShardInfo(**shard) for shard in raw["shards"])
    values["languages"] = {name: (int(a), int(b)) for name, (a, b) in raw["languages"].items()}
    return Manifest(**values)


@dataclass(frozen=True, slots=True)
class Slice:
    """Some consecutive documents of a folder, about 16 MB of text: what one process works on at once."""

    shard: str
    group: int  # row group of the shard


def slices(folder: Path) -> list[Slice]:
    """All documents of a folder, in stored order, cut into slices."""
    import pyarrow.parquet as pq

    found = []
    for shard in open_shards(folder).shards:
        with _said_if_damaged(folder / shard.file), pq.ParquetFile(folder / shard.file) as file:
            found += [Slice(shard.file, group) for group in range(file.num_row_groups)]
    return found


def read_slice(folder: Path, part: Slice) -> Iterator[Document]:
    """The documents of a slice."""
    import pyarrow.parquet as pq

    with _said_if_damaged(folder / part.shard), pq.ParquetFile(folder / part.shard) as file:
        yield from _rows(file, _COLUMNS, row_groups=[part.group])


def read_documents(folder: Path, columns: Sequence[str] | None = None) -> Iterator[Document]:
    """Documents in stored order; columns that are not asked for come as empty strings."""
    import pyarrow.parquet as pq

    wanted = _COLUMNS if columns is None else columns
    for shard in open_shards(folder).shards:
        with _said_if_damaged(folder / shard.file), pq.ParquetFile(folder / shard.file) as file:
            yield from _rows(file, wanted)


def _rows(
    file: Any, columns: Sequence[str], *, row_groups: list[int] | None = None
) -> Iterator[Document]:
    blank = dict.fromkeys(_COLUMNS, "")
    for batch in file.iter_batches(batch_size=256, columns=list(columns), row_groups=row_groups):
        values = [column.to_pylist() for column in batch.columns]
        for row in zip(*values, strict=True):
            yield Document(**{**blank, **dict(zip(batch.schema.names, row, strict=True))})


@contextmanager
def _said_if_damaged(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise CorpusUnavailable(
            f"{path} is damaged ({error}): run `footnote setup` or `footnote corpus build`"
        ) from error
