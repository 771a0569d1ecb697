"""`footnote complete`: one completion on the command line, the same text as in the editor."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsp_server import citations
from lsp_server.asks import LARGEST_DOCUMENT
from lsp_server.convert import speakable
from lsp_server.documents import Place, body, shown_path, split_lines
from lsp_server.exclusions import IgnoreFiles, excluding
from lsp_server.reasons import in_words
from lsp_server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.api import Completion, Excerpt, Gap, ModelInfo
    from indexer import Match


@dataclass(frozen=True, slots=True)
class _Result:
    completion: Completion
    place: Place
    info: ModelInfo
    matches: Sequence[Match]
    context: Sequence[Excerpt]


def main(argv: list[str]) -> int:
    """0 answered, also where there is nothing to suggest; 2 wrong use, no model, or left alone."""
    from engine.api import ModelUnavailable

    options = _parser().parse_args(argv)
    if not options.anyway and (why := _left_alone(options.file.absolute())) is not None:
        said = f"{options.file} is left alone: {why}; --anyway completes it all the same"
        print(f"footnote complete: {said}", file=sys.stderr)
        return 2
    try:
        data = options.file.read_bytes()
    except OSError as error:
        print(f"footnote complete: {options.file}: {error.strerror}", file=sys.stderr)
        return 2
    try:
        result = _complete(data.decode("utf-8", "replace"), options)
    except ModelUnavailable as unavailable:
        print(f"footnote complete: {unavailable}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(_as_json(result), ensure_ascii=False))
    else:
        _print(result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote complete",
        description="Complete a file at one place. The completion goes to stdout, what is known "
        "about it to stderr.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--line", type=_from_one, required=True, help="from 1")
    parser.add_argument(
        "--column",
        type=_from_one,
        required=True,
        help="from 1, in characters: 1 is before the first",
    )
    parser.add_argument("--json", action="store_true", help="everything as one JSON object")
    parser.add_argument(
        "--model", metavar="PATH", help="another model: a checkpoint folder or a GGUF file"
    )
    parser.add_argument(
        "--backend",
        default="auto",
        metavar="NAME",
        help="native, openvino, torch or llama_cpp (default: the fastest here)",
    )
    parser.add_argument(
        "--index", metavar="NAME", action="append", default=[],
        help="search this attribution index, by name or folder; may be repeated (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--workspace",
        type=Path,
        metavar="FOLDER",
        help="the project that imports lead into (default: the folder around FILE that has .git)",
    )
    parser.add_argument(
        "--no-context", action="store_true", help="show the model nothing of other files"
    )
    parser.add_argument(
        "--language", metavar="ID", help="as editors name it (default: by the file name)"
    )
    parser.add_argument(
        "--anyway", action="store_true",
        help="also a file that is left alone in editors: a likely secret, or one that a "
        ".footnoteignore covers",
    )  # fmt: skip
    return parser


def _left_alone(file: Path) -> str | None:
    """Why nothing is suggested in a file, if nothing is: what holds in editors holds here."""
    if (glob := excluding(file.as_posix(), Settings().exclude)) is not None:
        return f"it fits `{glob}`, one of the patterns that are excluded"
    return "a .footnoteignore covers it" if IgnoreFiles().cover(file) else None


def _from_one(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _complete(text: str, options: argparse.Namespace) -> _Result:
    import engine
    from engine.api import CancelToken, Completion, CompletionOptions, Gap
    from engine.choice import FILE
    from indexer.home import data_home
    from indexer.languages import language_of

    lines = split_lines(speakable(text))
    line = min(options.line, len(lines)) - 1
    beyond = options.line > len(lines)
    column = len(lines[line]) if beyond else min(options.column - 1, len(body(lines[line])))
    place = Place(line, column)
    prefix = "".join(lines[:line]) + lines[line][:column]
    suffix = lines[line][column:] + "".join(lines[line + 1 :])
    language = options.language or language_of(str(options.file)) or ""
    gap = Gap(prefix, suffix, shown_path(str(options.file.absolute())), language)
    if not options.no_context:
        gap = replace(gap, context=_context(gap, options.file.absolute(), options.workspace))
    completer = engine.load(options.model, backend=options.backend, timings=data_home() / FILE)
    try:
        if len(prefix) + len(suffix) > LARGEST_DOCUMENT:
            completion = Completion("", "gated:large-file")
        else:
            completion = completer.complete(gap, CompletionOptions(), CancelToken())
        info = completer.describe()
    finally:
        completer.close()
    matches = _matches(options, gap, completion) if completion.text else []
    return _Result(completion, place, info, matches, gap.context)


def _context(gap: Gap, file: Path, folder: Path | None) -> tuple[Excerpt, ...]:
    """What the files say that the file imports."""
    from engine.context import Source, excerpts
    from lsp_server.workspace import Workspace

    around = next((each for each in file.parents if (each / ".git").exists()), file.parent)
    root = around if folder is None else folder.absolute()
    path = file.relative_to(root).as_posix() if file.is_relative_to(root) else gap.path
    workspace, exclude = Workspace(), Settings().exclude
    own = Source(path, gap.prefix + gap.suffix, gap.language)
    return excerpts(gap, own, [], lambda path: workspace.find(root, path, exclude))


def _matches(options: argparse.Namespace, gap: Gap, completion: Completion) -> list[Match]:
    from indexer import IndexUnavailable, open_indexes
    from indexer.attribution.projects import folders_around, own_packages

    try:
        index = open_indexes(options.index)
    except IndexUnavailable as unavailable:
        print(f"footnote complete: not checked against the corpus: {unavailable}", file=sys.stderr)
        return []
    for problem in index.problems:
        print(f"footnote complete: {problem}", file=sys.stderr)
    after = gap.suffix[completion.replace_after :]
    own = own_packages(options.file) | folders_around(options.file)
    return index.check_completion(
        gap.prefix, completion.text, after, language=gap.language, own=own
    )


def _as_json(result: _Result) -> dict[str, Any]:
    from indexer import match_json

    line, column = result.place.line + 1, result.place.index + 1
    end = column + result.completion.replace_after
    return {
        "text": result.completion.text,
        "range": {
            "start": {"line": line, "column": column},
            "end": {"line": line, "column": end},
        },
        "stop_reason": result.completion.stop_reason,
        "timings_ms": {name: round(ms, 3) for name, ms in result.completion.timings_ms.items()},
        "model": result.info.name,
        "matches": [match_json(match) for match in result.matches],
    }


def _print(result: _Result) -> None:
    completion = result.completion
    if completion.text:
        print(completion.text)
    total = completion.timings_ms.get("total")
    took = f", {total:.0f} ms" if total is not None else ""
    if completion.confidence is not None:
        took += f", {completion.confidence:.0%} sure"
    if result.context:
        took += ", shown " + ", ".join(each.path for each in result.context)
    outcome = (
        completion.stop_reason
        if completion.text
        else f"nothing: {in_words(completion.stop_reason)}"
    )
    print(f"{result.info.name}{took}, {outcome}", file=sys.stderr)
    for match in result.matches:
        print(citations.headline(match), file=sys.stderr)
