"""What the corpus holds and what it does not, as values and as tables."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from indexer.curation.building import DROPPED
from indexer.shards import CorpusUnavailable, Manifest, read_documents

Table = list[tuple[str, ...]]


def statistics(manifest: Manifest) -> dict[str, Any]:
    """StarCoder's table (arXiv 2305.06161, table 1), drops by reason, and licences. Bytes."""
    before = manifest.meta.get("before", {})
    languages = []
    for name in sorted({*before, *manifest.languages}):
        files, size = manifest.languages.get(name, (0, 0))
        files_before, size_before = before.get(name, (0, 0))
        languages.append(
            {
                "language": name,
                "files_before": files_before,
                "bytes_before": size_before,
                "files": files,
                "bytes": size,
                "weight": size / size_before if size_before else 0.0,
                "percent": 100 * size / manifest.bytes if manifest.bytes else 0.0,
            }
        )
    languages.sort(key=lambda row: -row["bytes"])
    return {
        "corpus_hash": manifest.corpus_hash,
        "recipe_hash": manifest.recipe_hash,
        "selection": manifest.selection,
        "documents": manifest.documents,
        "bytes": manifest.bytes,
        "languages": languages,
        "dropped": [
            {"reason": reason, "files": files, "bytes": size}
            for reason, (files, size) in sorted(
                manifest.meta.get("dropped", {}).items(), key=lambda item: -item[1][1]
            )
        ],
        "redactions": manifest.meta.get("redactions", {}),
        "licenses": _licenses(manifest),
    }


def _licenses(manifest: Manifest) -> list[dict[str, Any]]:
    """Per licence of the manifest; a file's own header may name another allowed one."""
    table: dict[str, dict[str, Any]] = {}
    for package in manifest.meta.get("packages", ()):
        row = table.setdefault(
            package["license"],
            {"license": package["license"], "packages": 0, "files": 0, "bytes": 0},
        )
        row["packages"] += 1
        row["files"] += package["documents"]
        row["bytes"] += package["bytes"]
    return sorted(table.values(), key=lambda row: (-row["bytes"], row["license"]))


def statistics_tables(values: dict[str, Any]) -> Iterator[tuple[str, Table]]:
    """Title and rows, head first, ready to be aligned."""
    head = ("language", "files before", "MB before", "files", "MB", "weight", "percent")
    yield (
        "Languages",
        [
            head,
            *(
                (
                    row["language"],
                    f"{row['files_before']:,}",
                    _mb(row["bytes_before"]),
                    f"{row['files']:,}",
                    _mb(row["bytes"]),
                    f"{row['weight']:.2f}",
                    f"{row['percent']:.2f}",
                )
                for row in values["languages"]
            ),
        ],
    )
    for title, key, name in (("Dropped", "dropped", "reason"), ("Licences", "licenses", "license")):
        rows = [(row[name], f"{row['files']:,}", _mb(row["bytes"])) for row in values[key]]
        yield title, [(name, "files", "MB"), *rows]
    redacted = [(kind, f"{count:,}") for kind, count in values["redactions"].items()]
    yield "Redacted", [("kind", "places"), *redacted]


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f}"


def aligned(rows: Table) -> Iterator[str]:
    """Lines of a table: the first column to the left, the others to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        first = row[0].ljust(widths[0])
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        yield "  ".join((first, *rest)).rstrip()


def dropped_files(
    folder: Path, *, reason: str | None, package: str | None, path: str | None
) -> Iterator[dict[str, Any]]:
    """Rows of what was dropped; None matches everything, a path matches its end too."""
    import pyarrow.parquet as pq

    file_path = folder / DROPPED
    if not file_path.is_file():
        raise CorpusUnavailable(f"there is no {file_path}: run `footnote corpus build`")
    with pq.ParquetFile(file_path) as file:
        for batch in file.iter_batches():
            yield from (
                row
                for row in batch.to_pylist()
                if reason in (None, "", row["reason"])
                and package in (None, row["package"])
                and _fits(row["path"], path)
            )


def kept_documents(
    folder: Path, *, package: str | None, path: str | None
) -> Iterator[dict[str, Any]]:
    """Provenance of kept documents; with a path also their text."""
    columns = ["package", "version", "path", "license", "license_source", "url", "language"]
    for document in read_documents(folder, columns if path is None else [*columns, "text"]):
        if package in (None, document.package) and _fits(document.path, path):
            row = {name: getattr(document, name) for name in columns}
            yield row if path is None else {**row, "text": document.text}


def _fits(path: str, wanted: str | None) -> bool:
    return wanted is None or path == wanted or path.endswith("/" + wanted)


def lines(rows: Iterable[dict[str, Any]], *, dropped: bool) -> Iterator[str]:
    """One line for each row, with the text under it when there is one."""
    for row in rows:
        where = f"{row['package']} {row['version']} {row['path']}"
        if dropped:
            yield f"{row['reason']}\t{where}\t{row['detail']}".rstrip()
        else:
            yield f"{where}\t{row['license']} ({row['license_source']})\t{row['url']}"
            if "text" in row:
                yield row["text"]
