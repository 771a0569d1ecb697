"""Stage 1: one package in, one Parquet file of kept documents and one of drops out.

Sources do not depend on each other here, so any number of processes or machines can share
the work: rank i of N takes every N-th source. The summary is written last and is the
done-marker; an interrupted source leaves none and is done again.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from indexer.curation import archives, benchmarks, provenance
from indexer.curation.filters import Drop, check_path, compiled_copies, first_drop
from indexer.curation.minhash import signature
from indexer.curation.parameters import Parameters
from indexer.curation.redaction import redact
from indexer.curation.sources import Source
from indexer.document import Document, content_hash
from indexer.languages import language_of

FIELDS = ("text", "path", "license", "license_source", "language", "sha256")


@dataclass(frozen=True, slots=True)
class Task:
    """All that a worker needs for one source."""

    source: Source
    archive: Path
    output: Path  # folder of this stage
    licenses: frozenset[str]
    parameters: Parameters

    @property
    def marker(self) -> Path:
        return self.output / f"{self.source.key}.json"

    @property
    def kept(self) -> Path:
        return self.output / f"{self.source.key}.parquet"

    @property
    def dropped(self) -> Path:
        return self.output / f"{self.source.key}.dropped.parquet"


@dataclass(frozen=True, slots=True)
class Dropped:
    path: str
    language: str
    bytes: int
    reason: str
    detail: str


@dataclass
class _Tally:
    documents: list[tuple[Document, bytes | None]] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    redactions: Counter[str] = field(default_factory=Counter)
    home: str | None = None


def refine(task: Task) -> dict[str, Any]:
    """Do one source, unless its marker says it is done; answers its summary.

    Raises ArchiveError when the file cannot be read.
    """
    if task.marker.exists():
        summary: dict[str, Any] = json.loads(task.marker.read_text(encoding="utf-8"))
        return summary
    tally = _read(task)
    home = tally.home or provenance.package_url(
        task.source.kind, task.source.name, task.source.version
    )
    _drop_copies(tally)
    tally.documents.sort(key=lambda item: item[0].path)
    tally.dropped.sort(key=lambda item: item.path)
    task.output.mkdir(parents=True, exist_ok=True)
    _write_documents(task.kept, tally.documents)
    _write_drops(task.dropped, tally.dropped)
    summary = {
        "label": task.source.label,
        "url": home,
        "documents": len(tally.documents),
        "redactions": dict(sorted(tally.redactions.items())),
    }
    text = json.dumps(summary, sort_keys=True)
    _atomically(task.marker, lambda part: part.write_text(text, encoding="utf-8"))
    return summary


def _read(task: Task) -> _Tally:
    tally = _Tally()
    seen: set[str] = set()
    for document, size in _candidates(task, tally):
        if document.path in seen:  # an archive may hold a name twice; the first one counts
            continue
        seen.add(document.path)
        outcome = _refined(document, task, tally)
        if isinstance(outcome, Drop):
            _note(tally, document.path, size, outcome)
        else:
            marks = signature(outcome.text, task.parameters)
            tally.documents.append((outcome, None if marks is None else marks.tobytes()))
    return tally


def _drop_copies(tally: _Tally) -> None:
    """What a package holds twice, as source and as compiler output, it keeps as source."""
    copies = compiled_copies(document.path for document, _ in tally.documents)
    for document, _ in tally.documents:
        if document.path in copies:
            _note(tally, document.path, document.size, Drop("compiled", "the source is here"))
    tally.documents = [item for item in tally.documents if item[0].path not in copies]


def _note(tally: _Tally, path: str, size: int, drop: Drop) -> None:
    language = language_of(path) or ""
    tally.dropped.append(Dropped(path, language, size, drop.reason, drop.detail))


def _candidates(task: Task, tally: _Tally) -> Iterator[tuple[Document, int]]:
    """Documents as they stand in the package; those a path or the size rules out are noted."""
    if task.source.kind == "parquet":
        yield from _rows(task, tally)
        return
    limit = task.parameters.max_bytes
    for entry in archives.entries(task.source.kind, task.archive):
        _read_home(task.source.kind, entry, tally)
        held_out = task.source.held_out
        drop = check_path(entry.path, task.source.kind, held_out=held_out)
        data = b"" if drop else entry.read(limit + 1)
        drop = drop or _size_drop(max(entry.size, len(data)), task.parameters)
        text = "" if drop else _decoded(data)
        if drop or text is None:
            _note(tally, entry.path, entry.size, drop or Drop("not_utf8"))
        else:
            yield _document(task.source, entry.path, text), entry.size


def _size_drop(size: int, parameters: Parameters) -> Drop | None:
    if size > parameters.max_bytes:
        return Drop("too_large", str(size))
    return Drop("too_small", str(size)) if size < parameters.min_bytes else None


def _decoded(data: bytes) -> str | None:
    """UTF-8 with LF line ends and without a byte order mark; None for anything else."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.replace("\r\n", "\n").replace("\r", "\n")


def _rows(task: Task, tally: _Tally) -> Iterator[tuple[Document, int]]:
    """Rows of a Parquet data set: `text` or `content`, `path`, and if there is one `license`."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(task.archive) as file:
        for batch in file.iter_batches(batch_size=256):
            for row in batch.to_pylist():
                text = row.get("text") or row.get("content") or ""
                path = str(row.get("path") or "")
                size = len(text.encode("utf-8", "surrogatepass"))
                drop = check_path(path, "parquet") or _size_drop(size, task.parameters)
                if drop:
                    _note(tally, path, size, drop)
                    continue
                plain = text.replace("\r\n", "\n").replace("\r", "\n")
                document = _document(task.source, path, plain)
                if row.get("license"):
                    document = replace(
                        document, license=str(row["license"]), license_source="metadata"
                    )
                yield document, size


def _document(source: Source, path: str, text: str) -> Document:
    return Document(
        text=text,
        path=path,
        package=source.name,
        version=source.version,
        kind=source.kind,
        license=source.license,
        license_source="manifest",
        url="",
        language=language_of(path) or "",
        sha256="",
    )


def _read_home(kind: str, entry: archives.Entry, tally: _Tally) -> None:
    if kind == "pypi" and entry.path.endswith(".dist-info/METADATA") and entry.path.count("/") == 1:
        tally.home = provenance.wheel_home(entry.read(1 << 20).decode("utf-8", "replace"))
    elif kind == "npm" and entry.path == "package.json":
        tally.home = provenance.npm_home(entry.read(1 << 20).decode("utf-8", "replace"))


def _refined(document: Document, task: Task, tally: _Tally) -> Document | Drop:
    """All steps in order; the first drop ends it."""
    parameters = task.parameters
    own = provenance.header_license(document.text, parameters.header_chars)
    if own:
        document = replace(document, license=own, license_source="header")
    if not provenance.permitted(document.license, task.licenses):
        reason = "license_header" if own else "license"
        return Drop(reason, document.license)
    if drop := first_drop(document, parameters):
        return drop
    exercise = benchmarks.packaged().match(document.text, parameters.benchmark_share)
    if exercise is not None:
        return Drop("benchmark", f"exercise {exercise}")
    text, counts = redact(document.text)
    tally.redactions.update(counts)
    return replace(document, text=text, sha256=content_hash(text))


def _write_documents(path: Path, documents: list[tuple[Document, bytes | None]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.string()) for name in FIELDS] + [("signature", pa.binary())])
    columns = {name: [getattr(each, name) for each, _ in documents] for name in FIELDS}
    table = pa.table({**columns, "signature": [marks for _, marks in documents]}, schema=schema)
    _atomically(
        path,
        lambda part: pq.write_table(
            table, part, compression="zstd", row_group_size=1024, use_dictionary=False
        ),
    )


def _write_drops(path: Path, drops: list[Dropped]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ("path", "language", "bytes", "reason", "detail")
    types = [pa.string(), pa.string(), pa.int64(), pa.string(), pa.string()]
    table = pa.table(
        {name: [getattr(each, name) for each in drops] for name in names},
        schema=pa.schema(list(zip(names, types, strict=True))),
    )
    _atomically(path, lambda part: pq.write_table(table, part, compression="zstd"))


def _atomically(path: Path, write: Any) -> None:
    """Write beside and rename, so that a reader sees the whole file or none."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
