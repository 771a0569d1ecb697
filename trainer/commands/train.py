"""`footnote train`: learn a vocabulary, then a model."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from indexer.document import Document
from indexer.home import corpus_folder, data_home
from indexer.shards import CorpusUnavailable, open_shards, read_documents
from trainer.config import RecipeError, load_recipe

# Read by the C runtime before main: huge pages and no returned memory (a step frees and takes the
# same gigabyte again and again), and OpenMP threads that sleep, for the backward pass has threads
# of its own and spinning ones would steal its cores. Together they double the speed on two cores.
_RUNTIME = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0"
    ":glibc.malloc.trim_threshold=100000000000:glibc.malloc.top_pad=268435456",
    "OMP_WAIT_POLICY": "passive",
}


def main(argv: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        code: int = options.run(options)
    except (RecipeError, CorpusUnavailable, FileNotFoundError, ValueError) as error:
        sys.stderr.write(f"footnote train: {error}\n")
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote train", description="Learn a vocabulary and a model from the corpus."
    )
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    tokenizer = commands.add_parser("tokenizer", help="learn the byte-level BPE")
    tokenizer.add_argument("--corpus", type=Path, help="folder of shards (default: the corpus)")
    tokenizer.add_argument("--out", type=Path, help="default: the data folder's tokenizer/")
    tokenizer.add_argument("--size", type=int, default=16384, help="entries (default 16384)")
    tokenizer.add_argument(
        "--sample", type=float, default=60, metavar="MB", help="text to learn from (default 60)"
    )
    tokenizer.set_defaults(run=_tokenizer)
    pretrain = commands.add_parser(
        "pretrain", help="train a model from scratch, or go on with a run that was stopped"
    )
    pretrain.add_argument("--recipe", default="small", help="name or file.toml (default small)")
    pretrain.add_argument("--corpus", type=Path, help="folder of shards (default: the corpus)")
    pretrain.add_argument("--tokenizer", type=Path, help="default: the data folder's tokenizer/")
    pretrain.add_argument("--run", type=Path, dest="folder", required=True, help="run folder")
    pretrain.add_argument(
        "--time-budget", type=_duration, metavar="90m", help="of training in all, over all sittings"
    )
    pretrain.add_argument(
        "--change-recipe",
        action="store_true",
        help="go on although the recipe has changed; the record keeps both",
    )
    pretrain.set_defaults(run=_pretrain)
    return parser


def _duration(text: str) -> float:
    """Seconds from 90m, 1.5h, 5400s or 5400."""
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        return float(number) * units[unit]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text} is no duration: write 90m, 1.5h or 5400s"
        ) from None


def _tokenizer(options: argparse.Namespace) -> int:
    from trainer import vocabulary

    corpus = options.corpus or corpus_folder()
    out = options.out or data_home() / "tokenizer"
    manifest = open_shards(corpus)
    began = time.monotonic()
    chosen = vocabulary.sample(
        read_documents(corpus, ("text", "sha256")),
        int(options.sample * 1e6),
        corpus_bytes=manifest.bytes,
    )
    taken = [0, 0]
    tokenizer = vocabulary.learn(
        _counted(chosen, taken), options.size, progress=sys.stderr.isatty()
    )
    vocabulary.write(tokenizer, out)
    print(
        f"{tokenizer.get_vocab_size():,} entries from {taken[0]:,} documents "
        f"({taken[1] / 1e6:.0f} MB) in {time.monotonic() - began:.0f} s: {out}"
    )
    return 0


def _counted(documents: Iterator[Document], taken: list[int]) -> Iterator[str]:
    said = time.monotonic()
    for document in documents:
        taken[0] += 1
        taken[1] += document.size
        if time.monotonic() - said > 5:
            said = time.monotonic()
            sys.stderr.write(f"reading: {taken[1] / 1e6:.0f} MB\n")
        yield document.text


def _pretrain(options: argparse.Namespace) -> int:
    _tune_runtime()
    recipe = load_recipe(options.recipe)
    if recipe.run.compile:
        cache = data_home() / "compiled"
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache))
    from trainer.crew import DataFailure
    from trainer.pretrain import Interrupted, Run, RunMismatch, pretrain

    run = Run(
        recipe=recipe,
        corpus=options.corpus or corpus_folder(),
        tokenizer=options.tokenizer or data_home() / "tokenizer",
        folder=options.folder,
        budget_s=options.time_budget or recipe.run.time_budget_s,
        change=options.change_recipe,
    )
    try:
        exported = pretrain(run, report=_reporter(run.budget_s))
    except Interrupted:
        sys.stderr.write(f"\nstopped; the same command goes on from {run.folder}\n")
        return 130
    except (DataFailure, RunMismatch) as error:
        sys.stderr.write(f"\nfootnote train: {error}\n")
        return 2
    print(f"\nexported to {exported}")
    return 0


def _tune_runtime() -> None:
    """Start again with the C runtime set for training, once; elsewhere than on Linux do nothing."""
    missing = {name: value for name, value in _RUNTIME.items() if name not in os.environ}
    if not missing or sys.platform != "linux" or "torch" in sys.modules:
        return
    os.environ.update(missing)
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 -- ourselves


def _reporter(budget_s: float) -> Callable[[dict[str, float]], None]:
    """One live line on a terminal, a plain line every half minute elsewhere."""
    live = sys.stderr.isatty()
    smooth: dict[str, float] = {}
    said = [0.0]

    def report(record: dict[str, float]) -> None:
        for name in ("loss", "tokens_per_s"):
            smooth[name] = 0.95 * smooth.get(name, record[name]) + 0.05 * record[name]
        now = time.monotonic()
        if not live and now - said[0] < 30:
            return
        said[0] = now
        left = budget_s * (1 - record["progress"]) if budget_s else 0.0
        sys.stderr.write(
            f"step {record['step']:6.0f}  loss {smooth['loss']:.3f}  "
            f"{smooth['tokens_per_s']:6.0f} tok/s  {record['tokens'] / 1e6:6.1f} M tokens  "
            f"rate {record['rate']:.2f}  {record['progress']:4.0%}"
            + (f"  {left / 60:.0f} min left" if budget_s else "")
            + ("\r" if live else "\n")
        )
        sys.stderr.flush()

    return report
