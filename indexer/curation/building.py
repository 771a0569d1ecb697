"""The whole build: fetch, refine each source, select over all, write shards."""

import gc
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from indexer.curation import optout
from indexer.curation.archives import ArchiveError
from indexer.curation.fetching import archive_path, fetch_all
from indexer.curation.filters import Drop
from indexer.curation.parameters import Parameters
from indexer.curation.progress import megabytes
from indexer.curation.refining import Task, refine
from indexer.curation.selecting import Row, documents, select
from indexer.curation.sources import Recipe, Source
from indexer.home import corpus_folder, data_home, downloads_folder, held_out_folder
from indexer.processes import end_with_the_parent
from indexer.shards import Manifest, write_shards

DROPPED = "dropped.parquet"


class Progress(Protocol):
    """Told what happens; the command line draws it."""

    def stage(self, name: str, total: int) -> None: ...

    def step(self, label: str, amount: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build and how the work is shared."""

    recipe: Recipe
    parameters: Parameters
    small: bool = False
    jobs: int = 1
    rank: int = 0  # this process does every `of`-th source in stage 1
    of: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    manifest: Manifest | None  # None when other ranks still have to do their share
    failed: tuple[str, ...]  # one line for each refused source


def build(plan: Plan, progress: Progress) -> Outcome:
    """Build the corpus and the held-out set into the data home.

    A source that cannot be had or read is left out and named in `failed`. With `of` > 1 only
    stage 1 of this rank's share is done; a last run with `of` = 1 finds it done and goes on.
    """
    wanted = (*plan.recipe.held_out, *plan.recipe.selected(small=plan.small))
    share = [each for number, each in enumerate(wanted) if number % plan.of == plan.rank]
    failed: dict[str, str] = {}
    fetched = _fetch(share, progress, failed)
    tasks = [_task(each, plan) for each in share if each.label in fetched]
    summaries = _refine(tasks, plan.jobs, progress, failed)
    if plan.of > 1:
        return Outcome(None, tuple(failed.values()))
    tasks = [task for task in tasks if task.source.label in summaries]
    manifest = _finish(plan, tasks, summaries, tuple(failed.values()), progress)
    return Outcome(manifest, tuple(failed.values()))


def _fetch(sources: Sequence[Source], progress: Progress, failed: dict[str, str]) -> set[str]:
    progress.stage("downloading", len(sources))
    fetched = set()
    for result in fetch_all(sources, downloads_folder()):
        if result.path is None:
            failed[result.source.label] = result.error
        else:
            fetched.add(result.source.label)
        progress.step(f"{result.source.name} ({megabytes(result.bytes)})", 1)
    return fetched


def _task(source: Source, plan: Plan) -> Task:
    """Stage 1 lies under a hash of what it depends on besides the source itself."""
    stage = plan.recipe.stage_hash(plan.parameters)
    return Task(
        source=source,
        archive=archive_path(source, downloads_folder()),
        output=data_home() / "work" / stage[:16],
        licenses=plan.recipe.licenses,
        parameters=plan.parameters,
    )


def _refine(
    tasks: Sequence[Task], jobs: int, progress: Progress, failed: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Summaries by label. The largest archives start first, so that no straggler remains."""
    progress.stage("reading", len(tasks))
    order = sorted(tasks, key=lambda task: -_size(task.archive))
    summaries: dict[str, dict[str, Any]] = {}
    for task, summary in _outcomes(order, jobs):
        if isinstance(summary, str):
            failed[task.source.label] = f"{task.source.label}: {summary}"
        else:
            summaries[task.source.label] = summary
        progress.step(task.source.name, 1)
    return summaries


def _outcomes(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, dict[str, Any] | str]]:
    if jobs <= 1:
        for task in tasks:
            yield task, _try(task)
        return
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_die_quietly)
    try:
        waiting = {pool.submit(_try, task): task for task in tasks}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _die_quietly() -> None:
    """Let Ctrl-C end a worker at once and without a trace; an unfinished source leaves nothing."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_the_parent()


def _try(task: Task) -> dict[str, Any] | str:
    gc.disable()  # syntax trees hold no cycles, and collecting among them doubles parsing time
    try:
        return refine(task)
    except ArchiveError as error:
        return str(error)
    finally:
        gc.enable()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _finish(
    plan: Plan,
    tasks: Sequence[Task],
    summaries: dict[str, dict[str, Any]],
    failed: tuple[str, ...],
    progress: Progress,
) -> Manifest:
    progress.stage("selecting", 3)
    homes = [str(summaries[task.source.label]["url"]) for task in tasks]
    opted_out = optout.matcher(optout.read_opt_outs(optout.optout_file()))
    keep, rows, drops = select(tasks, plan.parameters, opted_out)
    progress.step("duplicates", 1)
    stage_drops = _stage_drops(tasks)
    meta = {
        "name": plan.recipe.name,
        "version": plan.recipe.version,
        "recipe_hash": plan.recipe.hash(plan.parameters),
        "selection": "small" if plan.small else "full",
        "failed": list(failed),
    }
    corpus_meta = meta | _report(tasks, summaries, rows, drops, stage_drops, held_out=False)
    dropped = _write_dropped(tasks, rows, drops, stage_drops)
    manifest = write_shards(
        corpus_folder(),
        documents(tasks, homes, keep),
        meta={**corpus_meta, "attachments": {DROPPED: dropped}},
    )
    progress.step("shards", 1)
    held_out = [tasks[row.task].source.held_out for row in rows]
    write_shards(
        held_out_folder(),
        documents(tasks, homes, held_out),
        meta={**meta, "name": f"{plan.recipe.name}-held-out"}
        | _report(tasks, summaries, rows, {}, stage_drops, held_out=True),
    )
    progress.step("held-out set", 1)
    return manifest


def _stage_drops(tasks: Sequence[Task]) -> list[list[dict[str, Any]]]:
    import pyarrow.parquet as pq

    return [pq.read_table(task.dropped).to_pylist() for task in tasks]


def _report(
    tasks: Sequence[Task],
    summaries: dict[str, dict[str, Any]],
    rows: Sequence[Row],
    drops: dict[int, Drop],
    stage_drops: Sequence[Sequence[dict[str, Any]]],
    *,
    held_out: bool,
) -> dict[str, Any]:
    """Counts for the manifest: by language before, by reason, by step, by package."""
    before: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    reasons: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    packages: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    redactions: Counter[str] = Counter()

    def count(table: dict[Any, list[int]], key: Any, size: int) -> None:
        table[key][0] += 1
        table[key][1] += size

    for number, task in enumerate(tasks):
        if task.source.held_out != held_out:
            continue
        redactions.update(summaries[task.source.label]["redactions"])
        for item in stage_drops[number]:
            count(reasons, item["reason"], item["bytes"])
            if item["language"]:
                count(before, item["language"], item["bytes"])
    for at, row in enumerate(rows):
        if tasks[row.task].source.held_out != held_out:
            continue
        count(before, row.language, row.bytes)
        if at in drops:
            count(reasons, drops[at].reason, row.bytes)
        else:
            count(packages, row.task, row.bytes)
    return {
        "before": {name: list(values) for name, values in sorted(before.items())},
        "dropped": {name: list(values) for name, values in sorted(reasons.items())},
        "redactions": dict(sorted(redactions.items())),
        "packages": [
            _package(task.source, summaries, packages.get(number, [0, 0]))
            for number, task in enumerate(tasks)
            if task.source.held_out == held_out
        ],
    }


def _package(
    source: Source, summaries: dict[str, dict[str, Any]], counts: list[int]
) -> dict[str, Any]:
    return {
        "kind": source.kind,
        "name": source.name,
        "version": source.version,
        "license": source.license,
        "url": summaries[source.label]["url"],
        "sha256": source.sha256,
        "documents": counts[0],
        "bytes": counts[1],
    }


def _write_dropped(
    tasks: Sequence[Task],
    rows: Sequence[Row],
    drops: dict[int, Drop],
    stage_drops: Sequence[Sequence[dict[str, Any]]],
) -> Path:
    """Every dropped file of the corpus's own packages, one row each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table: list[dict[str, Any]] = []
    for task, items in zip(tasks, stage_drops, strict=True):
        if not task.source.held_out:
            package = {"package": task.source.name, "version": task.source.version}
            table.extend({**package, **item} for item in items)
    for at, drop in sorted(drops.items()):
        row, source = rows[at], tasks[rows[at].task].source
        table.append(
            {
                "package": source.name,
                "version": source.version,
                "path": row.path,
                "language": row.language,
                "bytes": row.bytes,
                "reason": drop.reason,
                "detail": drop.detail,
            }
        )
    table.sort(key=lambda item: (item["package"], item["path"], item["reason"]))
    names = ("package", "version", "path", "language", "bytes", "reason", "detail")
    schema = pa.schema([(name, pa.int64() if name == "bytes" else pa.string()) for name in names])
    path = data_home() / "work" / DROPPED
    pq.write_table(pa.Table.from_pylist(table, schema=schema), path, compression="zstd")
    return path
