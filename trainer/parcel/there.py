"""What `go.py` starts: the commands of a parcel on the machine that it was carried to."""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

from indexer.shards import CorpusUnavailable
from trainer.config import RecipeError
from trainer.parcel.homeward import Homeward
from trainer.parcel.place import Place, lay_out

_BENCH = "import sys; from trainer.commands.bench import main; sys.exit(main(sys.argv[1:]))"


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    listed = json.loads((options.work / "parcel.json").read_text(encoding="utf-8"))
    spent = max(0.0, time.time() - options.began)  # since go.py was started, by its clock
    place = Place(options.work, options.home, listed, time.monotonic() - spent)
    try:
        code: int = options.run(options, place)
    except (CorpusUnavailable, RecipeError, OSError, ValueError) as error:
        sys.stderr.write(f"go.py: {error}\n")
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="go.py", description="See go.py --help for the order.")
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    train = commands.add_parser("train", help="train for a sitting, or go on")
    train.add_argument("--seconds", type=_seconds, default=540, help="this sitting takes (540)")
    train.add_argument("--later", type=int, default=0, help="sittings to come after it (0)")
    train.add_argument(
        "--finish", type=_seconds, default=75, help="for export, evaluation, parts (75)"
    )
    train.add_argument("--saving", type=_seconds, default=15, help="a checkpoint takes (15)")
    train.add_argument("--checkpoint-every", type=_seconds, default=60, help="seconds (60)")
    train.set_defaults(run=_train)
    probe = commands.add_parser("probe", help="attention, compilation, optimiser: which is best")
    probe.add_argument("--seconds", type=_seconds, default=90, help="at most (90)")
    probe.add_argument("--steps", type=int, default=12, help="of each alternative (12)")
    probe.set_defaults(run=_probe)
    bench = commands.add_parser("bench", help="our loop beside Hugging Face's Trainer")
    bench.add_argument("--rounds", default="3", help="turns of each (3)")
    bench.add_argument("--contenders", default="footnote,trainer,trainer-compiled", metavar="A,B")
    bench.set_defaults(run=_bench)
    out = commands.add_parser("out", help="put a load of results into the home folder")
    out.add_argument("load", type=int, nargs="?", default=1, help="which one (default 1)")
    out.add_argument("--megabytes", type=float, default=60, help="MiB of a load (60)")
    out.add_argument("--part", type=float, default=14.8, help="MiB of a part at most (14.8)")
    out.add_argument("--checkpoint", action="store_true", help="the checkpoint too, to go on from")
    out.set_defaults(run=_out)
    for command in (train, probe, bench, out):
        command.add_argument("--work", type=Path, required=True, help=argparse.SUPPRESS)
        command.add_argument("--home", type=Path, required=True, help=argparse.SUPPRESS)
        command.add_argument("--began", type=float, default=math.inf, help=argparse.SUPPRESS)
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} must be more than 0")
    return value


def _train(options: argparse.Namespace, place: Place) -> int:
    from trainer.parcel.sitting import Sitting, sit

    if options.later < 0:
        raise ValueError("--later must be 0 or more: 0 is the last sitting")
    sitting = Sitting(
        seconds=options.seconds,
        later=options.later,
        finish=options.finish,
        saving=options.saving,
        checkpoint_every=options.checkpoint_every,
    )
    return sit(place, sitting)


def _probe(options: argparse.Namespace, place: Place) -> int:
    from trainer.parcel.probing import probe

    probe(place, steps=options.steps, until=place.began + options.seconds)
    return 0


def _bench(options: argparse.Namespace, place: Place) -> int:
    """The command line's own measurement; the alternatives that cannot be had are left out."""
    laid = lay_out(place)
    command = [sys.executable, "-c", _BENCH, "training", "--recipe", str(laid.recipe_file)]
    command += ["--corpus", str(laid.corpus), "--tokenizer", str(laid.tokenizer)]
    command += ["--json", str(place.work / "bench.json")]
    command += ["--rounds", options.rounds, "--contenders", options.contenders]
    for change in (*laid.changes, *place.winner()):
        command += ["--set", change]
    done = subprocess.run(command, check=False, env=dict(os.environ))
    Homeward(place).write_record()
    return done.returncode


def _out(options: argparse.Namespace, place: Place) -> int:
    homeward = Homeward(place)
    homeward.write_record()
    homeward.put(
        options.load,
        load_bytes=int(options.megabytes * 2**20),
        part_bytes=int(options.part * 2**20),
        with_checkpoint=options.checkpoint,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
