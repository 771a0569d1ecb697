"""`footnote index`: build the attribution index of the corpus, or tell about the one there is."""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict

from indexer import AttributionIndex, IndexInfo, IndexUnavailable
from indexer.attribution import schema
from indexer.attribution.builder import Plan, build_index
from indexer.curation.progress import Bar
from indexer.home import corpus_folder, index_folder
from indexer.shards import CorpusUnavailable


def main(argv: list[str]) -> int:
    """0 done, 2 an error."""
    parser = argparse.ArgumentParser(prog="footnote index", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    build = commands.add_parser(
        "build", help="build the index; the old one serves until it is there"
    )
    build.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes (default: one for each core)",
    )
    build.add_argument("--without-text", action="store_true",
                       help="hashes and places only: no texts, no names")  # fmt: skip
    build.add_argument("--rank", type=int, default=0, metavar="I", help="do share I of the parts")
    build.add_argument("--of", type=int, default=1, metavar="N", help="... of N shares, and stop")
    build.set_defaults(run=_build)
    info = commands.add_parser("info", help="what the index was made from; verifies every file")
    info.add_argument("--json", action="store_true")
    info.set_defaults(run=_info)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except (CorpusUnavailable, IndexUnavailable, OSError) as error:
        print(f"footnote index: {error}", file=sys.stderr)
        return 2


def _build(arguments: argparse.Namespace) -> int:
    started = time.monotonic()
    with Bar() as bar:
        told = 0

        def progress(done: int, total: int) -> None:
            nonlocal told
            if not told:
                bar.stage("indexing, MB", total >> 20)
            step = (done >> 20) - (told >> 20)
            told = done
            bar.step("", step)

        plan = Plan(
            text=not arguments.without_text,
            jobs=max(1, arguments.jobs),
            rank=arguments.rank,
            of=arguments.of,
        )
        info = build_index(corpus_folder(), index_folder(), plan, progress=progress)
    if info is None:
        print(f"share {arguments.rank} of {arguments.of} is done; a run without --of merges all")
        return 0
    seconds = time.monotonic() - started
    print(_summary(info))
    print(f"built in {seconds:.0f} s, {info.bytes / 1e6 / seconds:.1f} MB a second")
    return 0


def _info(arguments: argparse.Namespace) -> int:
    info = AttributionIndex.open().info()
    schema.verify(index_folder(), info, fully=True)
    if arguments.json:
        values = {key: value for key, value in asdict(info).items() if key != "files"}
        print(
            json.dumps(
                {**values, "size": info.size, "size_without_text": info.size_without_text}, indent=1
            )
        )
    else:
        print(_summary(info))
    return 0


def _summary(info: IndexInfo) -> str:
    stopped = ", ".join(f"{count:,} {name}" for name, count in info.stopped.items())
    return "\n".join(
        (
            f"index of {info.corpus} ({info.selection}), corpus {info.corpus_hash[:16]}, recipe {info.recipe_hash[:16]}",
            f"{info.documents:,} documents of {info.packages:,} packages, {info.lines:,} lines, {info.bytes / 1e6:.1f} MB",
            f"{info.size / 1e6:.1f} MB on disk; {info.size_without_text / info.bytes:.3f} of the corpus without its text",
            f"format {info.format}, lexer {info.lexer_hash}; common idiom left out: {stopped} fingerprints",
        )
    )
