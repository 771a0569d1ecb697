"""`footnote corpus`: build the corpus, count it, look into it, opt out of it."""

import argparse
import json
import os
import sys
from pathlib import Path

from indexer.attribution.removal import Removal, remove
from indexer.attribution.schema import IndexUnavailable
from indexer.curation import benchmarks, building, optout, reports
from indexer.curation.fetching import DiskFull
from indexer.curation.parameters import Parameters
from indexer.curation.progress import Bar, counted, megabytes
from indexer.curation.sources import RecipeError, default_manifest, read_recipe
from indexer.home import corpus_folder, index_folder
from indexer.shards import CorpusUnavailable, open_shards


def main(argv: list[str]) -> int:
    """0 done, 1 some sources were refused or nothing was found, 2 wrong use."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except (RecipeError, CorpusUnavailable, DiskFull, OSError) as error:
        print(f"footnote corpus: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="footnote corpus", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    build = commands.add_parser("build", help="download, filter and deduplicate the pinned sources")
    build.add_argument("--small", action="store_true", help="only the sources marked small")
    build.add_argument("--manifest", type=Path, help="another corpus.toml")
    build.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
                       help="processes (default: one for each core)")  # fmt: skip
    build.add_argument("--rank", type=int, default=0, metavar="I", help="do share I of stage 1")
    build.add_argument("--of", type=int, default=1, metavar="N", help="... of N shares, and stop")
    build.set_defaults(run=_build)

    stats = commands.add_parser("stats", help="what is in the corpus, and what was dropped why")
    stats.add_argument("--json", action="store_true")
    stats.set_defaults(run=_stats)

    inspect = commands.add_parser("inspect", help="list documents or dropped files, show a text")
    inspect.add_argument("path", nargs="?", help="path in its package, or the end of one")
    inspect.add_argument("--dropped", nargs="?", const="", metavar="REASON",
                         help="dropped files instead, of one reason or all")  # fmt: skip
    inspect.add_argument("--package", metavar="NAME")
    inspect.add_argument("--json", action="store_true", help="one JSON object a line")
    inspect.set_defaults(run=_inspect)

    out = commands.add_parser("optout", help="leave a package or files out of the next build")
    out.add_argument("package", help="package name, or * for any")
    out.add_argument("path", nargs="?", default="*", help="path pattern, such as tests/*")
    out.set_defaults(run=_optout)

    prints = commands.add_parser("fingerprints", help="hash benchmarks for decontamination")
    prints.add_argument("folder", type=Path, help="holds *.jsonl.gz")
    prints.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.npz")
    prints.set_defaults(run=_fingerprints)
    return parser


def _build(arguments: argparse.Namespace) -> int:
    if not 0 <= arguments.rank < arguments.of:
        raise RecipeError("--rank counts from 0 and stays below --of")
    plan = building.Plan(
        recipe=read_recipe(arguments.manifest or default_manifest()),
        parameters=Parameters(),
        small=arguments.small,
        jobs=max(1, arguments.jobs),
        rank=arguments.rank,
        of=arguments.of,
    )
    with Bar() as bar:
        outcome = building.build(plan, bar)
    if manifest := outcome.manifest:
        size = f"{counted(manifest.documents, 'document')}, {megabytes(manifest.bytes)}"
        print(f"corpus {manifest.corpus_hash}: {size}")
    for line in outcome.failed:
        print(f"footnote corpus: refused {line}", file=sys.stderr)
    return 1 if outcome.failed else 0


def _stats(arguments: argparse.Namespace) -> int:
    values = reports.statistics(open_shards(corpus_folder()))
    if arguments.json:
        print(json.dumps(values, indent=1))
        return 0
    print(f"{counted(values['documents'], 'document')}, {megabytes(values['bytes'])}, "
          f"{values['selection']}, corpus {values['corpus_hash'][:16]}")  # fmt: skip
    for title, rows in reports.statistics_tables(values):
        print(f"\n{title}")
        for line in reports.aligned(rows):
            print("  " + line)
    return 0


def _inspect(arguments: argparse.Namespace) -> int:
    dropped = arguments.dropped is not None
    package, path = arguments.package, arguments.path
    if dropped:
        rows = reports.dropped_files(
            corpus_folder(), reason=arguments.dropped, package=package, path=path
        )
    else:
        rows = reports.kept_documents(corpus_folder(), package=package, path=path)
    found = False
    for row in rows:
        found = True
        if arguments.json:
            print(json.dumps(row))
        else:
            print("\n".join(reports.lines([row], dropped=dropped)))
    return 0 if found else 1


def _optout(arguments: argparse.Namespace) -> int:
    entry = optout.OptOut(arguments.package, arguments.path)
    added = optout.add_opt_out(optout.optout_file(), entry)
    state = "noted in" if added else "already in"
    print(
        f"{state} {optout.optout_file()}; run `footnote corpus build` for it to take effect there"
    )
    try:
        count = remove(index_folder(), Removal(entry.package, entry.path))
    except IndexUnavailable:
        return 0  # there is no index that could report it
    if count:
        print(
            f"the index reports {count:,} files of it no more; `footnote index compact` deletes them"
        )
    return 0


def _fingerprints(arguments: argparse.Namespace) -> int:
    made = benchmarks.build(arguments.folder, gram=Parameters().benchmark_gram)
    benchmarks.save(made, arguments.output)
    print(f"{len(made.windows):,} exercises, {len(made.hashes):,} windows: {arguments.output}")
    return 0
