"""Stage 2: all sources together. Duplicates, opt-outs and caps decide what stays."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.curation.filters import Drop
from indexer.curation.minhash import near_duplicates
from indexer.curation.parameters import Parameters
from indexer.curation.refining import FIELDS, Task
from indexer.document import Document
from indexer.languages import NEAR_CODE


@dataclass(frozen=True, slots=True)
class Row:
    """A refined document without its text."""

    task: int  # index into the tasks
    path: str
    language: str
    sha256: str
    bytes: int


def load_rows(tasks: Sequence[Task], parameters: Parameters) -> tuple[list[Row], Any, list[bool]]:
    """Rows in order of tasks and paths, signatures [n, permutations], and who has none."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rows: list[Row] = []
    signatures: list[Any] = []
    missing: list[bool] = []
    zero = bytes(4 * parameters.permutations)
    for number, task in enumerate(tasks):
        table = pq.read_table(
            task.kept, columns=["text", "path", "language", "sha256", "signature"]
        )
        sizes = pc.binary_length(table["text"]).to_pylist()
        columns = (table[name].to_pylist() for name in ("path", "language", "sha256", "signature"))
        for path, language, sha256, marks, size in zip(*columns, sizes, strict=True):
            rows.append(Row(number, path, language, sha256, size))
            signatures.append(np.frombuffer(marks or zero, np.uint32))
            missing.append(marks is None)
    shape = (len(rows), parameters.permutations)
    stacked = np.stack(signatures) if signatures else np.empty(shape, np.uint32)
    return rows, stacked, missing


def select(
    tasks: Sequence[Task],
    parameters: Parameters,
    opted_out: Callable[[str, str], str | None],
) -> tuple[list[bool], list[Row], dict[int, Drop]]:
    """Which rows stay: flags, the rows, and why the others go.

    Tasks of held-out packages come first, so that whatever resembles them is the one to go;
    their own rows never stay and carry no drop.
    """
    rows, signatures, missing = load_rows(tasks, parameters)
    held_out = [tasks[row.task].source.held_out for row in rows]
    drops: dict[int, Drop] = {}
    _drop_opted_out(rows, tasks, opted_out, drops)
    _drop_exact(rows, tasks, held_out, drops)
    skip = [missing[at] or at in drops for at in range(len(rows))]
    near = near_duplicates(signatures, parameters, skip=skip, always=held_out)
    for at, found in near.items():
        other = rows[found.kept]
        reason = "near_held_out" if held_out[found.kept] else "near_duplicate"
        name = tasks[other.task].source.name
        drops[at] = Drop(reason, f"{found.similarity:.2f} {name} {other.path}")
    _drop_over_cap(rows, held_out, parameters, drops)
    keep = [at not in drops and not held_out[at] for at in range(len(rows))]
    return keep, rows, drops


def _drop_opted_out(
    rows: Sequence[Row],
    tasks: Sequence[Task],
    opted_out: Callable[[str, str], str | None],
    drops: dict[int, Drop],
) -> None:
    for at, row in enumerate(rows):
        found = opted_out(tasks[row.task].source.name, row.path)
        if found:
            drops[at] = Drop("opted_out", found)


def _drop_exact(
    rows: Sequence[Row], tasks: Sequence[Task], held_out: Sequence[bool], drops: dict[int, Drop]
) -> None:
    first: dict[str, int] = {}
    for at, row in enumerate(rows):
        if at in drops:
            continue
        kept = first.setdefault(row.sha256, at)
        if kept != at and not held_out[at]:
            reason = "held_out" if held_out[kept] else "exact_duplicate"
            drops[at] = Drop(reason, f"{tasks[rows[kept].task].source.name} {rows[kept].path}")


def _drop_over_cap(
    rows: Sequence[Row], held_out: Sequence[bool], parameters: Parameters, drops: dict[int, Drop]
) -> None:
    """Keep capped kinds of file down to their share of the corpus.

    Which ones stay is decided by a hash of package order and path: even over the packages,
    the same on every machine. Uncapped code is the measure: with all caps full, the caps'
    sum is their exact share of the whole.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    free = 0
    for at, row in enumerate(rows):
        if at in drops or held_out[at]:
            continue
        group = cap_group(row)
        if group in parameters.caps:
            groups[group].append(at)
        else:
            free += row.bytes
    total = free / (1 - sum(parameters.caps.values()))
    for group, members in groups.items():
        budget = parameters.caps[group] * total
        members.sort(key=lambda at: hashlib.sha256(rows[at].sha256.encode()).digest())
        for at in members:
            budget -= rows[at].bytes
            if budget < 0:
                drops[at] = Drop("language_cap", group)


def cap_group(row: Row) -> str:
    """Near-code by its language; declaration files, which hold no statements, apart."""
    if row.path.endswith((".d.ts", ".d.mts", ".d.cts")):
        return "declarations"
    return row.language if row.language in NEAR_CODE else ""


def documents(
    tasks: Sequence[Task], homes: Sequence[str], keep: Sequence[bool]
) -> Iterator[Document]:
    """The kept documents with their text, source by source."""
    import pyarrow.parquet as pq

    at = 0
    for task, home in zip(tasks, homes, strict=True):
        source = task.source
        with pq.ParquetFile(task.kept) as file:
            for batch in file.iter_batches(batch_size=1024, columns=list(FIELDS)):
                for values in batch.to_pylist():
                    if keep[at]:
                        yield Document(
                            package=source.name,
                            version=source.version,
                            kind=source.kind,
                            url=home,
                            **values,
                        )
                    at += 1
