"""`footnote check`: near-verbatim passages of the corpus in files and folders."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from indexer import AttributionIndex, IndexUnavailable, Match, match_json
from indexer.attribution.inspection import (
    Inspection,
    NoSuchFile,
    files_of,
    inspect_files,
    inspect_text,
)
from indexer.attribution.sarif import sarif
from indexer.curation.progress import Bar
from indexer.home import index_folder

_SHOW_PROGRESS = 50  # files


def main(argv: list[str]) -> int:
    """0 nothing found, 1 something found, 2 an error."""
    parser = argparse.ArgumentParser(prog="footnote check", description=__doc__)
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="file or folder; - reads standard input"
    )
    parser.add_argument("--format", choices=("text", "json", "sarif"), default="text")
    parser.add_argument(
        "--tier",
        choices=("warning", "information"),
        default="warning",
        help="the weakest matches to report (default: %(default)s)",
    )
    parser.add_argument(
        "--language", default="", help="language id, where the file name does not tell"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes"
    )
    arguments = parser.parse_args(argv)
    try:
        inspections = list(_inspections(arguments))
    except (IndexUnavailable, NoSuchFile) as error:
        print(f"footnote check: {error}", file=sys.stderr)
        return 2
    if arguments.format == "json":
        files = [each for each in inspections if not each.skipped]
        listed = [
            {"path": each.path, "matches": [match_json(m) for m in each.matches]} for each in files
        ]
        print(json.dumps({"files": listed}, indent=1))
    elif arguments.format == "sarif":
        print(json.dumps(sarif(inspections), indent=1))
    else:
        for line in _text(inspections):
            print(line)
    _tell_skipped(inspections)
    return 1 if any(each.matches for each in inspections) else 0


def _inspections(arguments: argparse.Namespace) -> Iterator[Inspection]:
    index = AttributionIndex.open()
    paths = files_of(path for path in arguments.paths if path != "-")
    if "-" in arguments.paths:
        found = inspect_text(index, "-", sys.stdin.buffer.read(), arguments.language)
        yield _of_tier(found, arguments.tier)
    found_in_files = inspect_files(
        index, paths, folder=index_folder(), language=arguments.language, jobs=arguments.jobs
    )
    for each in _with_progress(found_in_files, paths):
        yield _of_tier(each, arguments.tier)


def _of_tier(inspection: Inspection, tier: str) -> Inspection:
    if tier == "information":
        return inspection
    return replace(
        inspection, matches=tuple(each for each in inspection.matches if each.tier == tier)
    )


def _with_progress(inspections: Iterator[Inspection], paths: Sequence[str]) -> Iterator[Inspection]:
    if len(paths) < _SHOW_PROGRESS:
        yield from inspections
        return
    with Bar() as bar:
        bar.stage("checking", len(paths))
        for each in inspections:
            bar.step(each.path, 1)
            yield each


def _text(inspections: Sequence[Inspection]) -> Iterator[str]:
    for each in inspections:
        yield from (f"{each.path}:{_line(match)}" for match in each.matches)


def _line(match: Match) -> str:
    source = match.source
    same = len(match.others) + match.more
    return (
        f"{match.start_line}-{match.end_line} {match.tier} {match.kind} {match.similarity:.0%} "
        f"{source.path} L{source.start_line}-{source.end_line} "
        f"({source.package} {source.version}, {source.license}) {source.url}"
        + (f"  +{same} as similar" if same else "")
    )


def _tell_skipped(inspections: Sequence[Inspection]) -> None:
    for each in inspections:
        if each.skipped:
            print(f"footnote check: not checked: {each.path} ({each.skipped})", file=sys.stderr)
