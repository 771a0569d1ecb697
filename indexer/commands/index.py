"""`footnote index`: build the attribution indexes, tell about them, take packages out of them."""

import argparse
import errno
import json
import os
import re
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from indexer import AttributionIndex, IndexInfo, IndexUnavailable
from indexer.attribution import schema
from indexer.attribution.builder import Plan, build_index
from indexer.attribution.compaction import compact
from indexer.attribution.federation import PUBLIC, Place, places
from indexer.attribution.removal import Removal, remove, restore
from indexer.curation.folders import Gathered, NothingToRead
from indexer.curation.optout import optout_file, read_opt_outs
from indexer.curation.progress import Bar, counted, megabytes
from indexer.curation.sources import RecipeError
from indexer.home import corpus_folder, data_home, index_folder, own_indexes_folder
from indexer.own import NAME, build_own_index, name_for
from indexer.shards import CorpusUnavailable

_REASONS = 4  # for which files were left out that are listed
_FOLDERS = 4  # without git, likewise
_PATIENCE_S = 2.0  # from which a bar tells that something is going on
_FULL = re.compile(r"No space left|\d+ requested and \d+ written")  # tantivy's words, and numpy's


class WrongUse(Exception):
    """What was asked for does not go together; the message says what does."""


_ERRORS = (CorpusUnavailable, IndexUnavailable, NothingToRead, RecipeError, WrongUse, OSError)


def main(argv: list[str]) -> int:
    """0 done, 1 nothing found, 2 an error."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except BrokenPipeError:  # is an OSError, and nobody's mistake
        raise
    except _ERRORS as error:
        print(f"footnote index: {_cause(error)}", file=sys.stderr)
    except BrokenProcessPool:
        print(
            "footnote index: a process ended by itself, perhaps for want of memory: run the same command "
            "with --jobs 1, it goes on where it was",
            file=sys.stderr,
        )
    return 2


def _cause(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    if error.errno == errno.ENOSPC or _FULL.search(str(error)):
        return (
            f"no space is left in {data_home()}: make room, or name a folder on another disk by "
            "FOOTNOTE_HOME, and run the same command again; what was there before is as it was"
        )
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="footnote index", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    processes: dict[str, Any] = {
        "type": int, "default": os.cpu_count() or 1, "metavar": "N",
        "help": "processes (default: one for each core)",
    }  # fmt: skip
    name_help = "the index of this name or folder (default: all there are)"

    build = commands.add_parser(
        "build",
        help="build the index of the corpus, or of your own folders; the old one serves until it is there",
    )
    add = build.add_argument
    add("--from", nargs="+", type=Path, dest="paths", metavar="PATH",
        help="index these folders, repositories and files beside the corpus; nothing leaves this machine")  # fmt: skip
    add("--name", help="what the index of one's own folders is called (default: like the first); "
        "without --from the folders are those of last time")  # fmt: skip
    add("--without-text", action="store_true", help="hashes and places only: no texts, no names")
    add("--jobs", **processes)
    add("--rank", type=int, default=0, metavar="I", help="do share I of the parts")
    add("--of", type=int, default=1, metavar="N", help="... of N shares, and stop")
    build.set_defaults(run=_build)

    info = commands.add_parser("info", help="what the indexes were made from")
    info.add_argument("--json", action="store_true")
    info.add_argument("--verify", action="store_true", help="compare every file with its hash")
    info.add_argument("--name", help=name_help)
    info.set_defaults(run=_info)

    out = commands.add_parser("remove", help="report a package no more, from now on")
    out.add_argument("packages", nargs="+", metavar="PACKAGE", help="package name, or * for any")
    out.add_argument("--path", default="*", help="only files whose path fits, such as tests/*")
    out.add_argument("--undo", action="store_true", help="report it again")
    out.add_argument("--name", help=name_help)
    out.set_defaults(run=_remove)

    less = commands.add_parser("compact", help="delete what was removed, for good")
    less.add_argument("--jobs", **processes)
    less.add_argument("--name", help=name_help)
    less.set_defaults(run=_compact)
    return parser


def _build(arguments: argparse.Namespace) -> int:
    if not 0 <= arguments.rank < arguments.of:
        raise WrongUse("--rank counts from 0 and stays below --of")
    started = time.monotonic()
    gathered = None
    with ExitStack() as drawn:
        told = _Told(drawn)
        plan = Plan(
            text=not arguments.without_text,
            leave_out=_opted_out(),
            jobs=max(1, arguments.jobs),
            rank=arguments.rank,
            of=arguments.of,
        )
        if arguments.paths or arguments.name:
            info, gathered = _build_own(arguments, plan, told)
        else:
            made = build_index(corpus_folder(), index_folder(), plan, progress=told.indexing)
            if made is None:
                print(
                    f"share {arguments.rank} of {arguments.of} is done; without --of, all are merged"
                )
                return 0
            info = made
    seconds = max(time.monotonic() - started, 0.001)
    print(_summary(info))
    if gathered:
        print(_left_out(gathered))
    print(f"built in {seconds:.1f} s, {info.bytes / 1e6 / seconds:.1f} MB a second")
    return 0


def _opted_out() -> tuple[Removal, ...]:
    return tuple(Removal(each.package, each.path) for each in read_opt_outs(optout_file()))


def _build_own(
    arguments: argparse.Namespace, plan: Plan, told: "_Told"
) -> tuple[IndexInfo, Gathered]:
    if arguments.of > 1:
        raise WrongUse("--of shares the corpus's index alone")
    paths, name = arguments.paths, arguments.name or name_for(arguments.paths)
    if name == PUBLIC or not NAME.fullmatch(name):
        raise WrongUse(f"{name!r} cannot be the name of an index: give another with --name")
    folder = own_indexes_folder() / name
    text = plan.text
    if not paths:
        before = schema.read_info(folder)
        paths = [Path(each) for each in before.paths]
        text &= before.text  # who once left the texts out did not ask for them now
    elif not arguments.name and (folder / schema.RECORD).is_file():
        _refuse_anothers(folder, paths)
    plan = Plan(text=text, jobs=plan.jobs)  # opting out of the corpus is another thing
    return build_own_index(paths, name, plan, seen=told.reading, progress=told.indexing)


def _refuse_anothers(folder: Path, paths: list[Path]) -> None:
    """Two projects whose folders have the same name would otherwise replace each other's index."""
    try:
        before = set(schema.read_info(folder).paths)
    except IndexUnavailable:
        return
    if before and before.isdisjoint(str(each.expanduser().resolve()) for each in paths):
        raise WrongUse(
            f"there is an index {folder.name!r}, of {', '.join(sorted(before))}: give this one another "
            f"name with --name, or replace that one with --name {folder.name}"
        )


def _left_out(gathered: Gathered) -> str:
    reasons = list(gathered.reasons().items())
    listed = ", ".join(f"{count} {reason}" for reason, (count, _) in reasons[:_REASONS])
    more = ", ..." if reasons[_REASONS:] else ""
    said = f"left out: {listed}{more}" if listed else "no file was left out"
    if plain := gathered.without_git:
        named = ", ".join(plain[:_FOLDERS]) + (", ..." if plain[_FOLDERS:] else "")
        said += f"; not under git, so nothing is known to be ignored: {named}"
    return said


def _info(arguments: argparse.Namespace) -> int:
    told, problems = {}, []
    for place in _places(arguments):
        try:
            info = AttributionIndex.open(place.folder).info()
            schema.verify(place.folder, info, fully=arguments.verify)
            told[place.name] = info
        except IndexUnavailable as unavailable:
            problems.append(str(unavailable))
    if arguments.json:
        listed = [_as_json(name, info) for name, info in told.items()]
        print(json.dumps(listed[0] | {"others": listed[1:]} if listed else {}, indent=1))
    else:
        print("\n\n".join(f"{name}: {_summary(info)}" for name, info in told.items()))
    for problem in problems:
        print(f"footnote index: {problem}", file=sys.stderr)
    return 2 if problems else 0


def _as_json(name: str, info: IndexInfo) -> dict[str, Any]:
    values = {key: value for key, value in asdict(info).items() if key != "files"}
    sizes = {"size": info.size, "size_without_text": info.size_without_text}
    return {"name": name, **values, **sizes}


def _summary(info: IndexInfo) -> str:
    stopped = ", ".join(f"{count:,} {name}" for name, count in info.stopped.items())
    ratio = info.size_without_text / info.bytes if info.bytes else 0.0
    kept = (
        f"; {ratio:.3f} of the corpus without its text"
        if info.text
        else f", {ratio:.3f} of the corpus; without texts: no excerpts, and no passages found by their names"
    )
    lines = [
        f"index of {info.corpus} ({info.selection}), corpus {info.corpus_hash[:16]}"
        + (f", recipe {info.recipe_hash[:16]}" if info.recipe_hash else ""),
        f"{counted(info.documents, 'document')} of {counted(info.packages, 'package')}, "
        f"{counted(info.lines, 'line')}, {megabytes(info.bytes)}",
        f"{megabytes(info.size)} on disk{kept}",
        f"format {info.format}, lexer {info.lexer_hash}; common idiom left out: {stopped} fingerprints",
    ]
    lines += [f"from {path}" for path in info.paths]
    lines += [
        f"removed: {each.package} {each.path}, {counted(each.documents, 'document')}"
        for each in info.removed
    ]
    return "\n".join(lines)


def _remove(arguments: argparse.Namespace) -> int:
    found = False
    today = datetime.now(UTC).date().isoformat()
    for place in _places(arguments):
        for package in arguments.packages:
            removal = Removal(package, arguments.path, today)
            change = restore if arguments.undo else remove
            count = change(place.folder, removal)
            if count:
                found = True
                print(f"{place.name}: {_said(removal, count, undo=arguments.undo)}")
    if not found:
        print(
            "footnote index: nothing of it is in an index, or it is removed already; `footnote lookup` "
            "says what is there",
            file=sys.stderr,
        )
    return 0 if found else 1


def _said(removal: Removal, count: int, *, undo: bool) -> str:
    files = f"{count:,} {'file' if count == 1 else 'files'} of {removal.package}"
    if undo:
        return f"{files} reported again"
    return (
        f"{files} no longer reported; `footnote index compact` deletes what the index has of them"
    )


def _compact(arguments: argparse.Namespace) -> int:
    for place in _places(arguments):
        before = schema.read_info(place.folder)
        with ExitStack() as drawn:
            told = _Told(drawn)
            info = compact(place.folder, jobs=max(1, arguments.jobs), progress=told.indexing)
        gone, freed = before.documents - info.documents, before.size - info.size
        print(f"{place.name}: {counted(gone, 'document')} deleted, {megabytes(freed)} less")
    return 0


def _places(arguments: argparse.Namespace) -> list[Place]:
    return places([arguments.name] if arguments.name else [])


class _Told:
    """The stages of a build on one bar, drawn once it takes long."""

    def __init__(self, drawn: ExitStack) -> None:
        self._drawn = drawn
        self._started = time.monotonic()
        self._bar: Bar | None = None
        self._stage, self._done = "", 0

    def reading(self, files: int) -> None:
        self._tell("reading, files", files, None)

    def indexing(self, done: int, total: int) -> None:
        """Of so many bytes."""
        self._tell("indexing, MB", done // 1_000_000, total // 1_000_000)

    def _tell(self, stage: str, done: int, total: int | None) -> None:
        if self._bar is None:
            if time.monotonic() - self._started < _PATIENCE_S:
                return
            self._bar = self._drawn.enter_context(Bar())
        if stage != self._stage:
            self._bar.stage(stage, total)
            self._stage, self._done = stage, 0
        self._bar.step("", done - self._done)
        self._done = done
