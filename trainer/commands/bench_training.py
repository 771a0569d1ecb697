"""`footnote bench training`: our loop and Hugging Face's Trainer at the same steps, in turns."""

import argparse
import json
import os
import shlex
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from indexer.home import corpus_folder, data_home
from trainer.commands.measurement import measurement
from trainer.commands.train_pretrain import RUNTIME
from trainer.config import Recipe, RecipeError, load_recipe
from trainer.evaluation.contenders import CONTENDERS, Task
from trainer.evaluation.latency import machine
from trainer.evaluation.report import table, write_json
from trainer.evaluation.speed import (
    Measured,
    RowCost,
    Sitting,
    first_losses_differ,
    line_of,
    ratio_of,
    take_turns,
    write_rows,
)
from trainer.planning import flops_per_token, tokens_per_step

_DEFAULT = ("footnote", "trainer", "trainer-compiled")
_ALIKE = 0.02  # relative difference of first losses that bfloat16 explains

_EPILOG = """\
Every contender trains the same model from the same weights on the same rows in a process of its
own; they take turns of a few steps, so that a busy machine disturbs all alike. Ours is the loop of
`footnote train`, rows made by its workers meanwhile; the others find theirs ready in a file.
Figures are medians over steps after the warm-up; ratios are of rounds, with the least and the most.
MFU is the model's FLOPs over the peak that is printed. On an accelerator it is the same command.

  footnote bench training
  footnote bench training --set data.rows=8 --contenders footnote,footnote-eager,trainer
  footnote bench training --recipe default --attention flash --rounds 5 --json training.json

Contenders:
"""


@measurement("footnote bench training", RecipeError)
def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    result = _measure(options)
    result = {"command": _command(argv), **result}
    if options.json == "-":
        print(json.dumps(result, indent=1))
        return 0
    _print(result)
    if options.json:
        write_json(Path(options.json), result)
    return 0


def _parser() -> argparse.ArgumentParser:
    known = "\n".join(f"  {name:<17} {each.what}" for name, each in CONTENDERS.items())
    parser = argparse.ArgumentParser(
        prog="footnote bench training",
        description="Train a few steps beside Hugging Face's Trainer: tokens/s, MFU, memory.",
        epilog=_EPILOG + known,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--recipe", default="small", help="name or file.toml (default small)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="changes",
        metavar="TABLE.KEY=VALUE",
        help="change a line of the recipe, for all contenders (may be repeated)",
    )
    parser.add_argument("--corpus", type=Path, help="folder of shards (default: the corpus)")
    parser.add_argument("--tokenizer", type=Path, help="default: the data folder's tokenizer/")
    parser.add_argument(
        "--contenders", default=",".join(_DEFAULT), metavar="A,B", help="the first is the measure"
    )
    parser.add_argument(
        "--attention", choices=("auto", "sdpa", "flash"), help="kernel of ours; flash: of all"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default 5)")
    parser.add_argument("--steps", type=int, default=2, help="in a turn (default 2)")
    parser.add_argument("--warm-up", type=int, default=2, help="steps before (default 2)")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="JSON to a file, or instead of text"
    )
    return parser


def _command(argv: list[str]) -> str:
    """As another person would type it: without this machine's folders."""
    kept, skip = [], False
    for word in argv:
        if not skip and word.partition("=")[0] not in ("--json", "--corpus", "--tokenizer"):
            kept.append(word)
        skip = not skip and word in ("--json", "--corpus", "--tokenizer")
    return shlex.join(["footnote", "bench", "training", *kept])


def _names(options: argparse.Namespace) -> list[str]:
    names: list[str] = [each.strip() for each in options.contenders.split(",")]
    for name in names:
        if name not in CONTENDERS:
            raise ValueError(f"no contender {name!r}: choose from {', '.join(CONTENDERS)}")
    if len(set(names)) < len(names):
        raise ValueError("--contenders names one twice")
    for name in ("rounds", "steps", "warm_up"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be 1 or more")
    return names


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    names = _names(options)
    changes = list(options.changes)
    if options.attention:
        changes.append(f"run.attention={options.attention}")
    recipe = load_recipe(options.recipe, changes)
    if recipe.run.sharding == "full":
        raise ValueError("one process has nothing to shard: add --set run.sharding=none")
    about = _about(recipe, options)
    count = options.warm_up + options.rounds * options.steps
    with tempfile.TemporaryDirectory(prefix="footnote-bench-") as folder:
        tasks, cost = _tasks(options, names, (recipe, changes), count, Path(folder))
        measured, peaks, whose = _run(tasks, options)
    work = tokens_per_step(recipe)
    flops = work * flops_per_token(recipe.model, recipe.data.context)
    working = [each for each in measured if each.rounds]
    if not working:
        raise ValueError("; ".join(f"{each.name}: {each.failure}" for each in measured))
    first = working[0]
    lines = [line_of(each, tokens=work, flops=flops, peak=max(peaks)) for each in working]
    return {
        **about,
        "peak": {"flop_per_s": max(peaks), "measured": peaks, "whose": whose},
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "lines": [asdict(each) for each in lines],
        "ratios": {
            "to": first.name,
            "rounds": [asdict(ratio_of(each, first)) for each in working if each is not first],
        },
        "failed": {each.name: each.failure for each in measured if each.failure},
        "first_losses_differ": first_losses_differ(measured),
        "rows": {
            "mb_per_s_and_core": cost.mb_per_s,
            "cpu_s_per_step": cost.cpu_s_per_step,
            "share_of_a_core": cost.cpu_s_per_step * lines[0].tokens_per_s / work,
            "worker_mb": max(step.workers_bytes for step in first.steps) / 1e6,
        },
        "steps": {
            each.name: [[asdict(s) for s in turn] for turn in each.rounds] for each in working
        },
    }


def _tasks(
    options: argparse.Namespace,
    names: list[str],
    recipe: tuple[Recipe, list[str]],
    count: int,
    folder: Path,
) -> tuple[list[Task], RowCost]:
    from engine.fim import FimLayout
    from indexer.shards import open_shards
    from trainer.data import Plan
    from trainer.vocabulary import load

    corpus = (options.corpus or corpus_folder()).absolute()
    tokenizer = (options.tokenizer or data_home() / "tokenizer").absolute()
    open_shards(corpus, verify=False)
    pad = load(tokenizer, FimLayout(), entries=recipe[0].model.vocabulary).pad
    _say(f"making the rows of {count} steps")
    plan = Plan(corpus, tokenizer, FimLayout(), recipe[0].spans, recipe[0].data)
    cost = write_rows(plan, count, folder / "rows.npy")
    tasks = [
        Task(
            contender=name,
            recipe=str(options.recipe),
            changes=tuple(recipe[1]),
            corpus=str(corpus),
            tokenizer=str(tokenizer),
            folder=str(folder / name),
            rows=str(folder / "rows.npy"),
            pad=pad,
            steps=count,
        )
        for name in names
    ]
    return tasks, cost


def _run(tasks: list[Task], options: argparse.Namespace) -> tuple[list[Measured], list[float], str]:
    """All steps of all contenders, and the machine's peak, looked for before every round."""
    import torch

    from trainer.hardware import peak

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    peaks, whose = [], ""

    def between(what: str) -> None:
        nonlocal whose
        _say(what)
        rate, whose = peak(device)
        peaks.append(rate)

    cache = {"TORCHINDUCTOR_CACHE_DIR": str(data_home() / "compiled")}
    sittings = [
        Sitting(task, {**cache, **(RUNTIME if CONTENDERS[task.contender].tuned else {})})
        for task in tasks
    ]
    try:
        measured = take_turns(
            sittings,
            warm_up=options.warm_up,
            rounds=options.rounds,
            steps=options.steps,
            between=between,
        )
    finally:
        for each in sittings:
            each.close()
    return measured, peaks, whose


def _about(recipe: Recipe, options: argparse.Namespace) -> dict[str, Any]:
    import torch
    import transformers

    from trainer.hardware import device_name
    from trainer.planning import parameters

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return {
        "machine": f"{machine()}, torch {torch.__version__}, transformers {transformers.__version__}",
        "device": device_name(device),
        "threads": recipe.run.threads or torch.get_num_threads(),
        "attention": _kernel(recipe.run.attention, device),
        "recipe": recipe.name,
        "parameters": parameters(recipe.model),
        "dtype": recipe.run.dtype,
        "batch": {
            "rows": recipe.data.rows,
            "micro_rows": recipe.run.micro_rows,
            "context": recipe.data.context,
        },
        "rounds": options.rounds,
        "steps_a_round": options.steps,
        "warm_up": options.warm_up,
    }


def _kernel(choice: str, device: Any) -> str:
    """Which attention our loop takes; ValueError when it cannot be had."""
    import torch

    from trainer.model import attention

    name = attention(choice, device, torch.bfloat16).__qualname__
    if name.startswith("_flash"):
        return "flash-attn"
    return "products of our own" if name == "_in_products" else "SDPA"


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")


def _print(result: dict[str, Any]) -> None:
    batch, peak, rows = result["batch"], result["peak"], result["rows"]
    print(
        f"{result['machine']}; {result['device']}, {result['threads']} threads, load {result['load']:.1f}"
    )
    print(
        f"Recipe {result['recipe']}: {result['parameters'] / 1e6:.1f} M parameters, {batch['rows']} "
        f"rows of {batch['context']:,} tokens a step in micro-batches of {batch['micro_rows']}, "
        f"{result['dtype']}, attention by {result['attention']}."
    )
    print(
        f"{result['rounds']} rounds of {result['steps_a_round']} steps each in turn, after "
        f"{result['warm_up']} to warm up. Peak: {peak['flop_per_s'] / 1e12:.3g} TFLOP/s, "
        f"{peak['whose']}.\n"
    )
    print(table([{k: _short(k, v) for k, v in line.items()} for line in result["lines"]]))
    print()
    for each in result["ratios"]["rounds"]:
        print(
            f"{each['contender']} takes {each['median']:.2f} times as long as "
            f"{result['ratios']['to']} ({each['least']:.2f} to {each['most']:.2f} over the rounds), "
            f"and {each['cpu']:.2f} times the CPU time."
        )
    for name, why in result["failed"].items():
        print(f"{name} failed: {why}")
    print(
        f"Making rows: {rows['mb_per_s_and_core']:.2f} MB of source a second and core; a step's rows "
        f"take {rows['cpu_s_per_step'] * 1000:.0f} ms of a worker, {rows['share_of_a_core']:.1%} of "
        f"one core at this speed; a worker holds {rows['worker_mb']:.0f} MB."
    )
    apart = result["first_losses_differ"]
    print(
        f"First losses differ by {apart:.2%}: "
        + ("the same work." if apart <= _ALIKE else "this is not the same work, do not compare it.")
    )


def _short(name: str, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if name in ("mfu", "waiting"):
        return f"{value:.1%}".rjust(6)
    return f"{value:,.0f}".rjust(6) if value >= 100 else f"{value:.1f}".rjust(6)
