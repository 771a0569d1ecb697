"""Shards in, index out: parts of it by several processes, merged and put in place of the old one at the end."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from indexer.attribution import schema
from indexer.attribution.fingerprints import FORMS
from indexer.attribution.merging import Totals, merge_files, merge_names, merge_table
from indexer.attribution.parts import Part, Task, make_part
from indexer.attribution.removal import Removal, add_removals, read_removals
from indexer.attribution.text_store import TEXT, TOKENS
from indexer.processes import interrupts_held, work_for_the_parent
from indexer.replacing import prefix, recover, replacement, sweep
from indexer.shards import Manifest, open_shards, slices

_NAMES = "names"

Progress = Callable[[int, int], None]  # bytes done, bytes in all


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build, and how the work is shared."""

    text: bool = True  # keep the texts; without them an index holds hashes and places only
    leave_out: tuple[Removal, ...] = ()  # beside what was removed from the index that is there
    roots: dict[str, str] = field(default_factory=dict)  # own packages -> where their folders are
    paths: tuple[str, ...] = ()  # what of them is read
    made_from: schema.IndexInfo | None = (
        None  # the index that the corpus was taken from, to compact it
    )
    jobs: int = 2
    rank: int = 0  # this process makes every `of`-th part, and merges none when there are others
    of: int = 1


def build_index(
    corpus: Path,
    folder: Path,
    plan: Plan | None = None,
    *,
    jobs: int = 2,
    progress: Progress = lambda done, total: None,
) -> schema.IndexInfo | None:
    """Builds the index of a corpus folder and puts it in place of the one in `folder`.

    The old index serves until the last moment; a build that dies leaves it untouched, and the parts that it
    finished are used by the next build of the same corpus. None when other ranks have to do their share first.
    Raises CorpusUnavailable when there is no corpus.
    """
    plan = plan or Plan(jobs=jobs)
    manifest = open_shards(corpus)
    folder.parent.mkdir(parents=True, exist_ok=True)
    recover(folder)
    leave_out = tuple(dict.fromkeys((*plan.leave_out, *_removed(folder))))
    workplace = folder.parent / f"{prefix(folder)}parts-{_key(manifest, leave_out, text=plan.text)}"
    workplace.mkdir(exist_ok=True)
    owner = workplace / f"owner-{os.getpid()}"
    owner.write_text(str(os.getpid()), "utf-8")
    try:
        sweep(folder)
        tasks = [
            Task(corpus, each, workplace / f"part-{number:05}", plan.text, leave_out)
            for number, each in enumerate(slices(corpus))
        ]
        share = [task for number, task in enumerate(tasks) if number % plan.of == plan.rank]
        with _processes(plan.jobs) as pool:
            parts = _make(share, pool, manifest.bytes, progress)
        if plan.of > 1:
            return None
        # Other processes merge: what those before read and forgot they would keep from the system.
        with _processes(plan.jobs) as pool, replacement(folder) as new:
            info = _merge(parts, new, manifest, plan, leave_out, pool)
            _keep_notes(folder, new, leave_out)
        _keep_notes(new, folder, leave_out)  # what was removed in the last moment
    finally:
        owner.unlink(missing_ok=True)
    sweep(folder)  # the parts too, unless another build uses them
    return info


def _removed(folder: Path) -> tuple[Removal, ...]:
    """What was removed from the index that is there, if that can be read: else it was refused anyway."""
    try:
        return read_removals(folder)
    except (OSError, ValueError):
        return ()


def _keep_notes(old: Path, new: Path, leave_out: Iterable[Removal]) -> None:
    """Notes in the new index what it leaves out, and what was removed from the old one meanwhile."""
    add_removals(new, (*leave_out, *_removed(old)))


def _key(manifest: Manifest, leave_out: Iterable[Removal], *, text: bool) -> str:
    """Names what parts depend on."""
    about = (schema.FORMAT, schema.lexer_hash(), manifest.corpus_hash, text, *leave_out)
    return hashlib.sha256(repr(about).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _make(
    tasks: Sequence[Task], pool: Executor | None, total: int, progress: Progress
) -> list[Part]:
    """The parts, in the order of the tasks."""
    made: dict[Path, Part] = {}
    for part in _results(make_part, tasks, pool):
        made[part.folder] = part
        progress(sum(each.bytes for each in made.values()), total)
    return [made[task.folder] for task in tasks]


def _merge(
    parts: Sequence[Part],
    new: Path,
    manifest: Manifest,
    plan: Plan,
    leave_out: Sequence[Removal],
    pool: Executor | None,
) -> schema.IndexInfo:
    totals = merge_files(parts, new, TEXT if plan.text else TOKENS)
    # The names take longest, so they begin.
    tables = [_NAMES] * plan.text + [form.name for form in FORMS]
    stopped = dict(_results(_merge_one, [(name, parts, new) for name in tables], pool))
    before = plan.made_from
    info = schema.IndexInfo(
        format=schema.FORMAT,
        lexer_hash=schema.lexer_hash(),
        corpus=manifest.name,
        corpus_hash=before.corpus_hash if before else manifest.corpus_hash,
        recipe_hash=manifest.recipe_hash,
        selection=manifest.selection,
        documents=totals.documents,
        packages=totals.packages,
        bytes=totals.bytes,
        lines=totals.lines,
        stopped={form.name: stopped[form.name] for form in FORMS},
        files=schema.record_files(new),
        text=plan.text,
        roots=plan.roots,
        paths=plan.paths,
        removed=(*(before.removed if before else ()), *_left_out(totals, leave_out)),
    )
    schema.write_info(new, info)
    return info


def _merge_one(task: tuple[str, Sequence[Part], Path]) -> tuple[str, int]:
    name, parts, folder = task
    if name == _NAMES:
        merge_names(parts, folder)
        return name, 0
    return name, merge_table(name, parts, folder)


def _left_out(totals: Totals, leave_out: Sequence[Removal]) -> tuple[schema.Removed, ...]:
    return tuple(
        schema.Removed(leave_out[number].package, leave_out[number].path, *counts)
        for number, counts in sorted(totals.left_out.items())
    )


def _results(
    work: Callable[[Any], Any], tasks: Sequence[Any], pool: Executor | None
) -> Iterator[Any]:
    """What the work returns for each task, as soon as it is there."""
    if pool is None:
        yield from map(work, tasks)
        return
    waiting: list[Future[Any]] = []
    for task in tasks:
        with interrupts_held():
            waiting.append(pool.submit(work, task))
    for future in as_completed(waiting):
        yield future.result()


@contextmanager
def _processes(jobs: int) -> Iterator[Executor | None]:
    """A pool of processes, or none for one job."""
    if jobs < 2:
        yield None
        return
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), work_for_the_parent)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
