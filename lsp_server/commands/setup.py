"""`footnote setup`: all that serving needs, step by step; what is there already is left alone."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.shards import Manifest


def main(argv: list[str]) -> int:
    """0 when everything is in place, 1 when a part is missing, 2 on wrong use."""
    parser = argparse.ArgumentParser(
        prog="footnote setup",
        description="Fetch the pinned corpus, build the attribution index, check the model. An "
        "interrupted run goes on where it was; what is there and whole is not done again.",
    )
    parser.add_argument(
        "--small",
        action="store_true",
        help="only the sources marked small: about 60 MB of text instead of 690 MB",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="processes (default: one for each core)"
    )
    options = parser.parse_args(argv)
    jobs = [] if options.jobs is None else ["--jobs", str(max(1, options.jobs))]
    code = _corpus(jobs, small=options.small) or _index() or _model()
    if code == 0:
        print("ready: `footnote demo` shows it at work, the README how to connect an editor")
    return code


def _corpus(jobs: list[str], *, small: bool) -> int:
    from indexer.home import corpus_folder, held_out_folder

    manifest = _valid_corpus(small=small)
    if manifest is not None:
        _say("corpus", f"{_about(manifest)}, there already")
        return 0
    _say("corpus", "fetching the pinned sources" + (", the small selection" if small else ""))
    from indexer.commands import corpus

    code = corpus.main(["build", *(["--small"] if small else []), *jobs])
    if code:
        print(
            "footnote setup: the corpus is not complete; run the same command again, it goes on "
            "where it was",
            file=sys.stderr,
        )
        return code
    _say("corpus", f"in {corpus_folder()}, held-out packages in {held_out_folder()}")
    return 0


def _valid_corpus(*, small: bool) -> Manifest | None:
    """The corpus of this recipe, if it is there; a full one serves for a small one as well."""
    from indexer.curation.parameters import Parameters
    from indexer.curation.sources import default_manifest, read_recipe
    from indexer.home import corpus_folder, held_out_folder
    from indexer.shards import CorpusUnavailable, open_shards

    try:
        manifest = open_shards(corpus_folder())
        open_shards(held_out_folder())
    except CorpusUnavailable:
        return None
    wanted = read_recipe(default_manifest()).hash(Parameters())
    enough = manifest.selection == "full" or small
    if manifest.recipe_hash != wanted or not enough or manifest.meta.get("failed"):
        return None
    return manifest


def _index() -> int:
    from indexer import IndexUnavailable
    from indexer.attribution.schema import read_info, verify
    from indexer.home import corpus_folder, index_folder
    from indexer.shards import open_shards

    manifest = open_shards(corpus_folder())
    try:
        info = read_info(index_folder())
        verify(index_folder(), info)
    except IndexUnavailable:
        info = None
    if info is not None and info.corpus_hash == manifest.corpus_hash:
        _say("index", f"{info.documents:,} documents, {info.packages} packages, there already")
        return 0
    _say("index", "building, some 10 MB of text a second")
    from indexer.commands import index

    return index.main(["build"])


def _model() -> int:
    from engine.api import ModelUnavailable
    from engine.checkpoint import read_checkpoint
    from engine.loading import DEFAULT_MODEL

    try:
        checkpoint = read_checkpoint(DEFAULT_MODEL)
    except ModelUnavailable as unavailable:
        print(f"footnote setup: {unavailable}", file=sys.stderr)
        return 1
    _say("model", f"{checkpoint.name}, hashes verified")
    return 0


def _about(manifest: Manifest) -> str:
    size = f"{manifest.documents:,} documents, {manifest.bytes / 1e6:,.0f} MB"
    return f"{size} ({manifest.selection})"


def _say(what: str, text: str) -> None:
    print(f"{what:<8} {text}", flush=True)
