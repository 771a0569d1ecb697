"""`footnote lookup`: is this package, path or file in the corpus? Answered offline."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from indexer import AttributionIndex, IndexUnavailable, match_json, open_indexes
from indexer.attribution.catalogue import File, Package
from indexer.attribution.inspection import inspect_text
from indexer.attribution.matches import percent
from indexer.curation.progress import counted, megabytes


def main(argv: list[str]) -> int:
    """0 it is there, 1 it is not, 2 an error."""
    parser = argparse.ArgumentParser(prog="footnote lookup", description=__doc__)
    parser.add_argument(
        "name", metavar="NAME|FILE", help="package name, path inside a package, or a file here"
    )
    parser.add_argument(
        "--index", action="append", default=[], metavar="NAME",
        help="look into this index, by name or folder; may be repeated (default: all there are)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    try:
        index = open_indexes(arguments.index)
        for problem in index.problems:
            print(f"footnote lookup: {problem}", file=sys.stderr)
        answer = _answer(index, arguments.name)
    except IndexUnavailable as error:
        print(f"footnote lookup: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"footnote lookup: {arguments.name} cannot be read: {error.strerror}", file=sys.stderr
        )
        return 2
    if arguments.json:
        print(json.dumps(answer, indent=1))
    else:
        for line in _lines(answer):
            print(line)
    return 0 if answer["found"] else 1


def _answer(index: AttributionIndex, name: str) -> dict[str, Any]:
    found = index.lookup(name)
    answer: dict[str, Any] = {
        "name": name,
        "packages": [_package(each) for each in found.packages],
        # A package's name is often a folder elsewhere; that is not what was asked.
        "files": [] if found.packages else [_file(each) for each in found.files],
        "identical": [],
        "matches": [],
    }
    path = Path(name)
    if path.is_file():
        data = path.read_bytes()
        text = data.decode("utf-8", "replace")
        answer["identical"] = [_file(each) for each in index.lookup_text(text)]
        if not answer["identical"]:
            answer["matches"] = [
                match_json(each) for each in inspect_text(index, name, data).matches
            ]
    answer["found"] = any(answer[key] for key in ("packages", "files", "identical", "matches"))
    answer["corpus_hash"] = index.info().corpus_hash
    return answer


def _package(package: Package) -> dict[str, Any]:
    return asdict(package)


def _file(file: File) -> dict[str, Any]:
    package = file.package
    return {
        "package": package.name,
        "version": package.version,
        "path": file.path,
        "license": file.license,
        "url": package.url,
        "language": file.language,
        "sha256": file.sha256,
        "lines": file.lines,
    }


def _lines(answer: dict[str, Any]) -> list[str]:
    lines = [
        f"package {_release(each['name'], each)}, {each['license']}: {counted(each['files'], 'file')}, "
        f"{megabytes(each['bytes'])}, {each['url']}"
        for each in answer["packages"]
    ]
    for key, what in (("identical", "identical to"), ("files", "path in")):
        lines += [
            f"{what} {_release(each['package'], each)}, {each['path']} ({each['license']})"
            for each in answer[key]
        ]
    for each in answer["matches"]:
        source = each["source"]
        lines.append(
            f"lines {each['start_line']}-{each['end_line']}: {each['kind']} {percent(each['similarity'])}, "
            f"{_release(source['package'], source)}, {source['path']} "
            f"L{source['start_line']}-{source['end_line']} ({source['license']})"
        )
    return lines or [f"{answer['name']} is not in the corpus ({answer['corpus_hash'][:16]})"]


def _release(name: str, of: dict[str, Any]) -> str:
    return f"{name} {of['version']}".strip()
