"""`footnote train pretrain`: a model from scratch, or a run that goes on."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.loading import DEFAULT_MODEL
from indexer.home import corpus_folder, data_home
from trainer.config import Recipe, load_recipe
from trainer.launching import launch
from trainer.planning import describe
from trainer.scaling import describe_shares

if TYPE_CHECKING:
    from trainer.runs import Run

# Read by the C runtime before main: huge pages and no returned memory (a step frees and takes the
# same gigabyte again and again), and OpenMP threads that sleep, for the backward pass has threads
# of its own and spinning ones would steal its cores. Together they double the speed on two cores.
RUNTIME = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0"
    ":glibc.malloc.trim_threshold=100000000000:glibc.malloc.top_pad=268435456",
    "OMP_WAIT_POLICY": "passive",
}

_EPILOG = """\
The run folder holds checkpoints, log.jsonl, loss.png, TensorBoard events and, at the end, export/:
a model that `footnote complete --model`, `footnote eval` and transformers load. The same command
goes on where a run was stopped; Ctrl-C stops after a checkpoint. "stable" in the folder is the
checkpoint before the rate decays: `footnote train finetune` starts from it.

  footnote train tokenizer --size 512 --out runs/words
  footnote train pretrain --recipe tiny --tokenizer runs/words --run runs/tiny
  footnote train pretrain --recipe small --run runs/small --time-budget 90m
  footnote train pretrain --recipe default --run runs/default --processes 8
  footnote train pretrain --recipe small-onward --from runs/small --run runs/small-2
  footnote train pretrain --recipe starcoder-15b --dry-run
  footnote train pretrain --recipe small --set optim.kind=adamw --set run.steps=300 --run runs/a

Several machines: start `python -m trainer.commands.train pretrain ...` by torchrun on each."""


def add_pretrain(commands: Any) -> None:
    """Add the subcommand to `footnote train`."""
    parser = commands.add_parser(
        "pretrain",
        help="train a model from scratch, or go on with a run that was stopped",
        description="Train a model from scratch, or go on with a run that was stopped.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--recipe", default="small", help="name or file.toml (default small)")
    parser.add_argument(
        "--from",
        type=Path,
        dest="start",
        metavar="PATH",
        help="begin with the weights of a run folder (its `stable` checkpoint, else the newest), "
        "checkpoint or model folder instead of random ones",
    )
    add_run_options(parser)
    parser.set_defaults(run=_pretrain)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """What every kind of training is told."""
    parser.add_argument("--corpus", type=Path, help="folder of shards (default: the corpus)")
    parser.add_argument(
        "--tokenizer",
        type=Path,
        help="default: the data folder's tokenizer/, else the embedded model's",
    )
    parser.add_argument("--run", type=Path, dest="folder", help="run folder")
    parser.add_argument("--name", help="of the exported model (default: from recipe or start)")
    parser.add_argument(
        "--time-budget", type=duration, metavar="90m", help="of training in all, over all sittings"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="changes",
        metavar="TABLE.KEY=VALUE",
        help="change a line of the recipe (may be repeated)",
    )
    parser.add_argument(
        "--processes", type=int, default=1, metavar="N", help="on this machine (default 1)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what it takes, and stop")
    parser.add_argument(
        "--change-recipe",
        action="store_true",
        help="go on although the recipe has changed; the record keeps both",
    )


def duration(text: str) -> float:
    """Seconds from 90m, 1.5h, 5400s or 5400."""
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        return float(number) * units[unit]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text} is no duration: write 90m, 1.5h or 5400s"
        ) from None


def _pretrain(options: argparse.Namespace) -> int:
    recipe = load_recipe(options.recipe, options.changes)
    if options.start is None:
        return train(options, recipe)
    if not options.dry_run:
        tune_runtime()  # it starts this command again, so before torch is there
    from trainer.origins import origin_of, resolve, tokenizer_beside
    from trainer.starting import start_recipe

    start = resolve(options.start)
    if start_recipe(start) != recipe.model:
        raise ValueError(
            f"the model in {start} has another shape than the recipe {recipe.name}: name a recipe "
            "of its shape, or `footnote train finetune`, which takes any"
        )
    folders = (
        [options.tokenizer] if options.tokenizer else [data_home() / "tokenizer", DEFAULT_MODEL]
    )
    tokenizer = tokenizer_beside(origin_of(start), folders)
    return train(options, recipe, start=start, tokenizer=tokenizer)


def train(options: argparse.Namespace, recipe: Recipe, **more: Any) -> int:
    """Say what the recipe takes, then train; `more` goes into the run. Returns the exit code."""
    processes = int(os.environ.get("WORLD_SIZE", options.processes))
    first = os.environ.get("RANK", "0") == "0"
    if options.dry_run:
        print(describe(recipe, processes))
        if processes > 1:
            print(describe_shares(recipe, processes))
        return 0
    if options.folder is None:
        raise ValueError("say where the run is to be kept: --run FOLDER")
    if options.processes > 1 and "RANK" not in os.environ:
        return launch(
            [sys.executable, "-m", "trainer.commands.train", *_given()], options.processes
        )
    tune_runtime()
    if first:
        sys.stderr.write(describe(recipe, processes) + "\n")
    if recipe.run.compile:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(data_home() / "compiled"))
    return _train(_run_of(options, recipe, more), first=first)


def _run_of(options: argparse.Namespace, recipe: Recipe, more: dict[str, Any]) -> "Run":
    from trainer.runs import Run

    run = Run(
        recipe=recipe,
        **{
            "corpus": options.corpus or corpus_folder(),
            "tokenizer": options.tokenizer or usual_tokenizer(),
            "folder": options.folder,
            "budget_s": options.time_budget or recipe.run.time_budget_s,
            "change": options.change_recipe,
            **more,
            **({"name": options.name} if options.name else {}),
        },
    )
    if not run.budget_s and not recipe.run.steps:
        raise ValueError("say how long: --time-budget 90m, or run.steps in the recipe")
    return run


def usual_tokenizer() -> Path:
    """What `footnote train tokenizer` wrote, else the embedded model's own."""
    learned = data_home() / "tokenizer"
    return learned if (learned / "tokenizer.json").is_file() else DEFAULT_MODEL


def _train(run: "Run", *, first: bool) -> int:
    from trainer.checkpoints import SaveFailed
    from trainer.crew import DataFailure
    from trainer.journal import Reporter
    from trainer.pretrain import pretrain
    from trainer.runs import Diverged, Interrupted, RunMismatch

    try:
        exported = pretrain(run, report=Reporter())
    except Interrupted:
        if first:
            sys.stderr.write(f"\nstopped; the same command goes on from {run.folder}\n")
        return 130
    except (DataFailure, RunMismatch, Diverged, SaveFailed) as error:
        sys.stderr.write(f"\nfootnote train: {error}\n")
        return 2
    if first:
        print(f"\nexported to {exported}")
    return 0


def _given() -> list[str]:
    """This command's own arguments, from its name on, however it was started."""
    at = min(sys.argv.index(name) for name in ("pretrain", "finetune") if name in sys.argv)
    return sys.argv[at:]


def tune_runtime() -> None:
    """Start again with the C runtime set for training, once; elsewhere than on Linux do nothing."""
    missing = {name: value for name, value in RUNTIME.items() if name not in os.environ}
    if not missing or sys.platform != "linux" or "torch" in sys.modules:
        return
    os.environ.update(missing)
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 -- ourselves
