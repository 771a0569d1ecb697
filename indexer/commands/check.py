"""`footnote check`: near-verbatim passages of indexed code in files and folders."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from indexer import IndexUnavailable, Match, match_json, open_indexes
from indexer.attribution.changes import Changes, UnknownRevision, changes_since
from indexer.attribution.ignoring import IgnoreFileUnusable, add_ignored, ignore_file
from indexer.attribution.inspection import (
    Finding,
    Inspection,
    WorkerDied,
    inspect_files,
    inspect_text,
    surroundings,
)
from indexer.attribution.licensing import COPYLEFT, UNKNOWN, class_of
from indexer.attribution.sarif import NoLog, Run, fingerprint_of, fingerprints_in, sarif
from indexer.attribution.selecting import NoSuchFile, files_of
from indexer.curation.progress import Bar
from indexer.decoding import decoded
from indexer.git import GitFailed, git

_PATIENCE_S = 2.0  # from which a bar tells that something is going on
_NAMED = 10  # files not checked that are named one by one
_FAILING = {"copyleft": {COPYLEFT, UNKNOWN}, "unknown": {UNKNOWN}}
_STDIN = "-"
_NOTHING = (
    "nothing to check there: in folders, files with the ending of a language and scripts "
    "with a #! line are checked; name any other file itself"
)
_EPILOG = """\
exit code: 0 nothing found, 1 something found (see --fail-on), 2 an error.

examples:
  footnote check src                                  a folder; what git ignores is left out
  footnote check --changed-since origin/main          what a pull request adds
  footnote check --fail-on copyleft src               tell all, fail for some licences only
  footnote check --format sarif --output footnote.sarif
                                                      for code scanning; also a later --baseline
  git show HEAD:a.py | footnote check - --language python

Matches that somebody looked at are settled in .footnote/ignore.toml, by --settle, in an editor or by hand;
matches of the project's own packages, as its pyproject.toml or package.json names them, are none.
Nothing leaves this machine. A match says where a text also occurs; it is no verdict about rights.
"""


def main(argv: list[str]) -> int:
    """0 nothing found, 1 something found, 2 an error."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.settle is not None and not arguments.settle.strip():
        parser.error("--settle needs a reason that says something")
    started = datetime.now(UTC)
    try:
        inspections = list(_telling_problems(_inspections(arguments)))
        if arguments.settle:
            return _settle(inspections, arguments.settle)
        code = _exit_code(inspections, arguments.fail_on)
        text = _formatted(inspections, arguments.format, started, code)
        _write(text, arguments.output)
    except _ERRORS as error:
        print(f"footnote check: {error}", file=sys.stderr)
        return 2
    _tell_skipped(inspections)
    if arguments.format == "text":
        took = datetime.now(UTC) - started
        nothing = not inspections and arguments.changed_since is None
        print(
            f"footnote check: {_NOTHING if nothing else _summary(inspections, took)}",
            file=sys.stderr,
        )
    return code


class _NotWritten(Exception):
    """The output file cannot be written; the message names it."""


_ERRORS = (
    IgnoreFileUnusable,
    IndexUnavailable,
    NoLog,
    NoSuchFile,
    UnknownRevision,
    WorkerDied,
    _NotWritten,
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote check",
        description="Find passages of files that occur almost word for word in the indexed code, and say where.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("paths", nargs="*", default=["."], metavar="PATH",
        help="files and folders (default: the folder you are in); - reads standard input")  # fmt: skip
    add(
        "--format", choices=("text", "json", "sarif"), default="text", help="(default: %(default)s)"
    )
    add("--output", type=Path, metavar="FILE", help="write the result there instead of printing it")
    add("--tier", choices=("warning", "information"), default="warning",
        help="the weakest matches to report (default: %(default)s)")  # fmt: skip
    add("--changed-since", metavar="REV",
        help="report what touches lines changed since the branch left REV, uncommitted and new files included")  # fmt: skip
    add("--fail-on", choices=("copyleft", "unknown", "any"), default="any",
        help="which licences of sources make the exit code 1: copyleft or unknown ones, unknown ones, any (default)")  # fmt: skip
    add("--baseline", type=Path, metavar="FILE", help="leave out what stands in this SARIF log")
    add("--settle", metavar="REASON",
        help="enter what is found in .footnote/ignore.toml, with this reason; look at it first")  # fmt: skip
    add("--no-ignore", action="store_true",
        help="check what git ignores as well, and report what .footnote/ignore.toml settles")  # fmt: skip
    add("--index", action="append", default=[], metavar="NAME",
        help="search this index, by name or folder; may be repeated (default: all there are)")  # fmt: skip
    add("--language", default="", help="language id, where the file name does not tell")
    add("--jobs", type=int, default=_processors(), metavar="N", help="processes (%(default)s)")
    return parser


def _processors() -> int:
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


def _inspections(arguments: argparse.Namespace) -> Iterator[Inspection]:
    """File by file, what is to be reported."""
    if arguments.output and not arguments.output.absolute().parent.is_dir():
        raise _NotWritten(f"there is no folder {arguments.output.parent} to write in")
    known = fingerprints_in(arguments.baseline) if arguments.baseline else Counter()
    changes = _changes(arguments) if arguments.changed_since is not None else None

    def wanted(path: str, finding: Finding) -> bool:
        match = finding.match
        if arguments.tier not in {match.tier, "information"}:
            return False
        if (
            changes is None
            or path == _STDIN
            or changes.touch(path, match.start_line, match.end_line)
        ):
            return not _taken(known, fingerprint_of(finding))
        return False

    for each in _inspected(arguments, changes):
        kept = tuple(one for one in each.findings if wanted(each.path, one))
        yield replace(each, findings=kept)


def _changes(arguments: argparse.Namespace) -> Changes:
    """What changed in all the repositories that are asked about."""
    found: dict[Path, tuple[range, ...]] = {}
    for path in arguments.paths:
        if path != _STDIN:
            found.update(changes_since(Path(path), arguments.changed_since).lines)
    return Changes(found)


def _taken(known: Counter[str], fingerprint: str) -> bool:
    """Whether a finding is one of the known ones; each of them is met once."""
    known[fingerprint] -= 1
    return known[fingerprint] >= 0


def _inspected(arguments: argparse.Namespace, changes: Changes | None) -> Iterator[Inspection]:
    """Every file, with all that was found in it."""
    index = open_indexes(arguments.index)
    for problem in index.problems:
        print(f"footnote check: {problem}", file=sys.stderr)
    ignoring = not arguments.no_ignore
    paths = files_of([each for each in arguments.paths if each != _STDIN], ignoring=ignoring)
    if changes is not None:
        lines = changes.lines
        paths = (each for each in paths if Path(each).resolve() in lines)
    listed: list[str] = []
    if _STDIN in arguments.paths:
        if sys.stdin is None:
            raise NoSuchFile("there is no standard input to read: it is closed")
        data, here = sys.stdin.buffer.read(), surroundings(ignoring=ignoring)("")
        yield inspect_text(index, _STDIN, data, arguments.language, here)
    found = inspect_files(
        index,
        _noted(paths, listed),
        indexes=arguments.index,
        ignoring=ignoring,
        language=arguments.language,
        jobs=arguments.jobs,
    )
    yield from _with_progress(found, listed)


def _noted(paths: Iterable[str], listed: list[str]) -> Iterator[str]:
    for each in paths:
        listed.append(each)
        yield each


def _with_progress(
    inspections: Iterator[Inspection], listed: Sequence[str]
) -> Iterator[Inspection]:
    """The same, with a bar as soon as it takes long; all files are listed when the first was inspected."""
    started = time.monotonic()
    bar = None
    with ExitStack() as stack:
        for done, each in enumerate(inspections, 1):
            yield each
            if bar:
                bar.step(_shown(each.path), 1)
            elif time.monotonic() - started > _PATIENCE_S:
                bar = stack.enter_context(Bar())
                bar.stage("checking", len(listed))
                bar.step(_shown(each.path), done)


def _settle(inspections: Sequence[Inspection], reason: str) -> int:
    """Enters all that was found in the ignore files of its projects."""
    today = datetime.now().astimezone().date()
    found = [each for each in inspections if each.matches and each.path != _STDIN]
    for each in found:
        path = Path(each.path)
        text = decoded(path.read_bytes())
        for match in each.matches:
            add_ignored(ignore_file(path), match, text, reason=reason, today=today)
    matches = sum(len(each.matches) for each in found)
    for file in sorted({ignore_file(Path(each.path)) for each in found}):
        print(f"footnote check: look at {file}", file=sys.stderr)
    print(f"footnote check: {matches} settled", file=sys.stderr)
    return 0


def _exit_code(inspections: Sequence[Inspection], fail_on: str) -> int:
    licences = (match.source.license for each in inspections for match in each.matches)
    failing = _FAILING.get(fail_on)
    return int(any(failing is None or class_of(each) in failing for each in licences))


def _formatted(inspections: Sequence[Inspection], form: str, started: datetime, code: int) -> str:
    if form == "json":
        return _json(inspections)
    if form == "sarif":
        run = Run(_root(), started, datetime.now(UTC), code)
        return json.dumps(sarif(inspections, run), indent=1) + "\n"
    return "".join(
        f"{_shown(each.path)}:{_line(match)}\n" for each in inspections for match in each.matches
    )


def _line(match: Match) -> str:
    source = match.source
    same = len(match.others) + match.more
    return (
        f"{match.start_line}-{match.end_line} {match.tier} {match.kind} {match.percent} "
        f"{source.path} L{source.start_line}-{source.end_line} "
        f"({source.release}, {source.license}) {source.url}"
        + (f"  +{same} as similar" if same else "")
    )


def _shown(path: str) -> str:
    """A path on one line: what would break or colour it is written as in a literal."""
    if path.isprintable():
        return path
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in path)


def _json(inspections: Sequence[Inspection]) -> str:
    listed = [
        {"path": each.path, "matches": [match_json(match) for match in each.matches]}
        for each in inspections
        if not each.skipped
    ]
    return json.dumps({"files": listed}, indent=1) + "\n"


def _root() -> Path:
    """The repository's root, else the folder we are in."""
    try:
        return Path(
            os.fsdecode(git(Path.cwd(), "rev-parse", "--show-toplevel").removesuffix(b"\n"))
        )
    except GitFailed:
        return Path.cwd()


def _write(text: str, output: Path | None) -> None:
    data = text.encode("utf-8", "replace")  # a file's name may be no text
    if output is None:
        _print(text)
        return
    try:
        if output.exists() and not output.is_file():  # a device or a pipe stays what it is
            output.write_bytes(data)
            return
        place = output.resolve()
        new = place.with_name(f".{place.name}.{os.getpid()}")
        try:
            new.write_bytes(data)
            new.replace(place)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise _NotWritten(f"{output} cannot be written: {error.strerror}") from error


def _print(text: str) -> None:
    if sys.stdout is None:
        raise _NotWritten("the result cannot be printed: standard output is closed")
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _NotWritten(f"the result cannot be printed: {error.strerror}") from error


def _telling_problems(inspections: Iterator[Inspection]) -> Iterator[Inspection]:
    """The same; what is wrong in an ignore file is told once, as soon as it is met: who reads it may stop here."""
    told = {""}
    for each in inspections:
        if each.problem not in told:
            told.add(each.problem)
            print(f"footnote check: {each.problem}", file=sys.stderr)
        yield each


def _tell_skipped(inspections: Sequence[Inspection]) -> None:
    skipped = [each for each in inspections if each.skipped]
    for each in skipped[:_NAMED]:
        print(f"footnote check: not checked: {_shown(each.path)} ({each.skipped})", file=sys.stderr)
    if len(skipped) > _NAMED:
        print(f"footnote check: not checked: {len(skipped) - _NAMED} more", file=sys.stderr)


def _summary(inspections: Sequence[Inspection], took: timedelta) -> str:
    """How much was found in how much, in one line; how long it took where that was long."""
    checked = [each for each in inspections if not each.skipped]
    matches = sum(len(each.matches) for each in checked)
    where = sum(bool(each.matches) for each in checked)
    counts = {
        "not checked": len(inspections) - len(checked),
        "settled in .footnote/ignore.toml": sum(each.ignored for each in checked),
    }
    rest = "".join(f"; {count} {what}" for what, count in counts.items() if count)
    if took.total_seconds() > _PATIENCE_S:
        size = sum(each.size for each in checked) / 1e6
        rest = f", {size:.1f} MB in {took.total_seconds():.1f} s" + rest
    files = f"{len(checked)} {'file' if len(checked) == 1 else 'files'}"
    if not matches:
        return f"no match in {files}{rest}"
    return f"{matches} {'match' if matches == 1 else 'matches'} in {where} of {files}{rest}"
