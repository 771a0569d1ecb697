"""`footnote train finetune`: go on from a model, on one language or on one's own files."""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.api import ModelUnavailable
from engine.loading import DEFAULT_MODEL, folder_of
from indexer.curation.folders import NothingToRead
from indexer.home import corpus_folder, data_home, held_out_folder
from trainer.commands.train_pretrain import add_run_options, train, tune_runtime
from trainer.config import Recipe
from trainer.planning import adapter_parameters

if TYPE_CHECKING:
    from trainer.own import Snapshot

_OWN_EPOCHS, _LANGUAGE_EPOCHS = 3.0, 2.0  # two as StarCoder; own files are few

_EPILOG = """\
On one language, as StarCoderBase became StarCoder: from the checkpoint before the decay of a run,
with fresh optimisers and a sixth of the rate, two epochs or as long as you say.

  footnote train finetune --from runs/small --language python --time-budget 60m --run runs/python

On one's own repository, from the embedded model. git's ignored files, generated and vendored ones
are left out, addresses and secrets replaced, and a twelfth of the files is held out to measure on.
Nothing leaves this machine.

  footnote train finetune --on . --run runs/mine
  footnote train finetune --on . --lora 16 --run runs/mine-lora
  footnote complete FILE --line 10 --column 5 --model runs/mine/export

The run folder holds what `pretrain` leaves there, the files as they were (corpus/, held-out/), and
retention.md: what the model was and is on its new text and on everything else. The same command
goes on where a run was stopped."""


def add_finetune(commands: Any) -> None:
    """Add the subcommand to `footnote train`."""
    parser = commands.add_parser(
        "finetune",
        help="go on from a model, on one language or on your own files",
        description="Go on from a model, on one language of the corpus or on your own files.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--from",
        type=Path,
        dest="start",
        metavar="PATH",
        help="run folder (its `stable` checkpoint, else the newest), checkpoint, or model folder "
        "(default: the embedded model)",
    )
    parser.add_argument(
        "--language",
        action="append",
        default=[],
        dest="languages",
        metavar="NAME",
        help="only files of this language (may be repeated)",
    )
    parser.add_argument(
        "--on", nargs="+", type=Path, metavar="PATH", help="your own files instead of the corpus"
    )
    parser.add_argument(
        "--lora", type=int, metavar="RANK", help="train low-rank adapters of this rank alone"
    )
    parser.add_argument(
        "--epochs",
        type=float,
        help="how often each file is seen (default 3 of your own files, else 2)",
    )
    parser.add_argument("--recipe", help="name or file.toml (default finetune; with --lora, lora)")
    parser.add_argument("--held-out", type=Path, help="folder of shards (default: the data folder)")
    parser.add_argument(
        "--cases", type=int, default=30, help="gaps to measure, per kind and language (default 30)"
    )
    parser.add_argument(
        "--megabytes", type=float, default=0.04, help="to measure, per language (default 0.04)"
    )
    parser.add_argument(
        "--no-evaluation", action="store_true", help="do not measure before and after"
    )
    add_run_options(parser)
    parser.set_defaults(run=_finetune)


@dataclass(frozen=True, slots=True)
class _Start:
    path: Path
    tokenizer: Path
    name: str


def _finetune(options: argparse.Namespace) -> int:
    _check(options)
    if not options.dry_run:
        tune_runtime()  # it starts this command again, so before anything that takes time
    try:
        return _run(options)
    except (NothingToRead, ModelUnavailable) as error:
        raise ValueError(str(error)) from error
    except KeyboardInterrupt:  # before training began; from then on the run keeps what it has
        sys.stderr.write("\nstopped\n")
        return 130


def _check(options: argparse.Namespace) -> None:
    """Refuse what cannot be meant."""
    if not options.on and not options.languages:
        raise ValueError("say what to learn: --language python, or --on PATH for your own files")
    if options.on and options.corpus:
        raise ValueError("--on replaces the corpus: leave out --corpus")
    if options.lora is not None and options.lora < 1:
        raise ValueError(f"--lora {options.lora}: the rank must be 1 or more; 16 is usual")
    if options.epochs is not None and not 0 < options.epochs < float("inf"):
        raise ValueError(f"--epochs {options.epochs:g}: must be more than 0")
    if options.epochs is not None and options.time_budget:
        raise ValueError("give --epochs or --time-budget, not both")
    if options.cases < 1 or not 0 < options.megabytes < float("inf"):
        raise ValueError("--cases and --megabytes must be more than 0; or say --no-evaluation")
    if not options.dry_run and options.folder is None:
        raise ValueError("say where the run is to be kept: --run FOLDER")


def _run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="footnote-") as scratch:
        start = _start(options)
        recipe = _recipe(options, start)  # whatever is wrong with it is said before files are read
        own = _own(options, Path(scratch)) if options.on else None
        corpus = own.training if own else options.corpus or corpus_folder()
        recipe = _lasting(options, recipe, corpus, start.tokenizer)
        if options.lora and os.environ.get("RANK", "0") == "0":
            sys.stderr.write(
                f"adapters of rank {options.lora}: {adapter_parameters(recipe.model, options.lora):,} "
                "weights are trained, the others stay\n"
            )
        code = train(
            options,
            recipe,
            corpus=corpus,
            tokenizer=start.tokenizer,
            start=start.path,
            rank=options.lora or 0,
            name="-".join([start.name, *([own.name] if own else options.languages)]),
        )
    if code or options.dry_run or options.no_evaluation or "RANK" in os.environ:
        return code  # of several processes, the one that started them measures
    return _measure(options, start, own)


def _start(options: argparse.Namespace) -> _Start:
    from trainer.origins import check_tokenizer, origin_of, resolve, tokenizer_beside

    path = resolve(options.start or folder_of(None))
    origin = origin_of(path)
    if options.tokenizer:
        check_tokenizer(origin, options.tokenizer)
        tokenizer = options.tokenizer
    else:
        tokenizer = tokenizer_beside(origin, [data_home() / "tokenizer", DEFAULT_MODEL])
    return _Start(path, tokenizer, origin.name.split(" ")[0])


def _own(options: argparse.Namespace, scratch: Path) -> "Snapshot":
    """The person's files as shards: of this moment, or those that the run was begun with."""
    from trainer.own import snapshot

    if options.dry_run:
        own = snapshot(options.on, options.languages, scratch, fresh=True, seen=_Told())
        print(own.said)
        return own
    folder: Path = options.folder
    begun = any(folder.glob("checkpoint-*"))
    is_child = "RANK" in os.environ  # whoever started the processes has read the files
    if (begun or is_child) and not (folder / "corpus").is_dir():
        raise ValueError(
            f"{folder} holds another run: give --run a new folder"
            if begun
            else "start several processes with --processes N: it reads the files once, before"
        )
    fresh = not begun and not is_child
    own = snapshot(options.on, options.languages, folder, fresh=fresh, seen=_Told())
    if not is_child:
        sys.stderr.write(f"{own.said}\n")
    if begun and not is_child:
        sys.stderr.write(
            "  (as they were when the run began; a new --run folder reads them again)\n"
        )
    return own


def _recipe(options: argparse.Namespace, start: _Start) -> Recipe:
    from trainer.finetuning import finetune_recipe
    from trainer.starting import start_recipe

    name = options.recipe or ("lora" if options.lora else "finetune")
    recipe = finetune_recipe(name, options.changes, start_recipe(start.path), options.languages)
    if options.lora and recipe.run.sharding == "full":
        raise ValueError("adapters are small: leave run.sharding = none with --lora")
    return recipe


def _lasting(options: argparse.Namespace, recipe: Recipe, corpus: Path, tokenizer: Path) -> Recipe:
    """The recipe with as many steps as were asked for."""
    from trainer.finetuning import check_languages, with_epochs

    check_languages(corpus, options.languages)
    if options.time_budget or recipe.run.time_budget_s or recipe.run.steps:
        return recipe
    epochs = options.epochs or (_OWN_EPOCHS if options.on else _LANGUAGE_EPOCHS)
    return with_epochs(recipe, epochs, corpus, tokenizer)


class _Told:
    """Says every five seconds how many files were looked at."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, files: int) -> None:
        if time.monotonic() - self._said > 5:
            self._said = time.monotonic()
            sys.stderr.write(f"reading your files: {files:,}\n")


def _measure(options: argparse.Namespace, start: _Start, own: "Snapshot | None") -> int:
    """Before and after, into the run folder and onto the screen. Ctrl-C leaves the model whole."""
    from trainer.evaluation import before_after
    from trainer.evaluation.report import write_json, write_whole
    from trainer.origins import origin_of
    from trainer.starting import as_model_folder

    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")

    folder: Path = options.folder
    held_out = options.held_out or held_out_folder()
    sets = before_after.text_sets(
        own.held_out if own else None, own.training if own else None, held_out, say
    )
    if not sets:
        say("nothing is there to measure on: the model is in export/ all the same")
        return 0
    say("measuring before and after; Ctrl-C stops that alone")
    after = folder / "export"
    try:
        with tempfile.TemporaryDirectory(prefix=".before-", dir=folder) as scratch:
            before = as_model_folder(start.path, start.tokenizer, Path(scratch) / "model")
            rows = before_after.measure(
                before, after, sets, megabytes=options.megabytes, cases=options.cases
            )
    except KeyboardInterrupt:
        say("\nnot measured; the model is whole, and the same command measures it")
        return 130
    sides = {"before": origin_of(start.path), "after": origin_of(after)}
    about = {side: {"name": each.name, "hash": each.hash} for side, each in sides.items()}
    sizes = {"megabytes": options.megabytes, "cases": options.cases}
    result = before_after.record(rows, sets, {**about, **sizes})
    write_json(folder / "retention.json", result)
    page = before_after.as_markdown(result)
    write_whole(folder / "retention.md", page)
    print(page)
    return 0
