"""`footnote train pack` and `footnote train unpack`: a run on a machine that is reached by files."""

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from indexer.home import corpus_folder
from trainer.commands.train_pretrain import RUNTIME, usual_tokenizer

_PACK = """\
For a machine with an accelerator that is borrowed for minutes, has no network, and is reached by
copying files: everything a run needs, in folders that each fit through the door. Carry OUT/1 there
(then OUT/2, ...) and give the commands that `python3 go.py --help` explains.

  footnote train pack --recipe default --out parcel
  footnote train pack --recipe default --journeys 2 --out parcel        # two loads of corpus
  footnote train pack --recipe default --wheels tensorboardX platformdirs --out parcel
  footnote train pack --recipe 30m --resume runs/home --out parcel      # a second visit goes on
  footnote train pack --recipe default --from runs/home/export --out parcel

As much of the corpus travels as fits, chosen by content hash, so that the share of every language
stays; its manifest there names the corpus it is of. A checkpoint holds the optimiser too and is
about nine bytes a weight: of a large model, bring the weights alone and begin with --from."""

_UNPACK = """\
PART is a folder of what was carried home, or several (results.json and its parts). Nothing is
written before every part is there and has its hash.

  footnote train unpack home --only record --out runs/home      # when only the first load is there
  footnote train unpack home-1 home-2 --out runs/home           # a run folder: export/ is the model"""


def add_parcel(commands: Any) -> None:
    """Add both subcommands to `footnote train`."""
    pack = commands.add_parser(
        "pack",
        help="a run for a machine that is borrowed for minutes and reached by files",
        description="Pack what a run needs on another machine.",
        epilog=_PACK,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    pack.add_argument("--recipe", default="default", help="name or file.toml (default default)")
    pack.add_argument("--out", type=Path, required=True, help="folder of the parcel")
    pack.add_argument("--corpus", type=Path, help="folder of shards (default: the corpus)")
    pack.add_argument("--tokenizer", type=Path, help="as for pretrain")
    pack.add_argument("--megabytes", type=_positive, default=56, help="MiB a journey (default 56)")
    pack.add_argument("--journeys", type=int, default=1, help="to fill with corpus (default 1)")
    pack.add_argument(
        "--wheels", nargs="*", metavar="NAME", help="fetch wheels with pip; of these, or of all"
    )
    pack.add_argument("--python", default="3.12", help="of the other machine (default 3.12)")
    start = pack.add_mutually_exclusive_group()
    start.add_argument("--resume", type=Path, metavar="RUN", help="go on with this run")
    start.add_argument(
        "--from", type=Path, dest="start", metavar="MODEL", help="begin with a model"
    )
    pack.add_argument(
        "--set", action="append", default=[], dest="changes", metavar="TABLE.KEY=VALUE",
        help="change a line of the recipe (may be repeated)",
    )  # fmt: skip
    pack.set_defaults(run=_pack)
    unpack = commands.add_parser(
        "unpack",
        help="what came home from such a machine, as a run folder",
        description="Join and check what came home.",
        epilog=_UNPACK,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    unpack.add_argument("parts", nargs="+", type=Path, metavar="PART", help="folders with parts")
    unpack.add_argument("--out", type=Path, required=True, help="run folder")
    unpack.add_argument("--only", choices=("record", "model", "checkpoint"), help="this alone")
    unpack.set_defaults(run=_unpack)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} must be more than 0")
    return value


def _pack(options: argparse.Namespace) -> int:
    from trainer.parcel.blocks import NoRoom
    from trainer.parcel.packing import Contents, pack
    from trainer.parcel.wheels import download_command

    if options.journeys < 1:
        raise ValueError("--journeys must be 1 or more")
    what = Contents(
        recipe=options.recipe,
        changes=tuple(options.changes),
        corpus=options.corpus or corpus_folder(),
        tokenizer=options.tokenizer or usual_tokenizer(),
        environment=RUNTIME,
        resume=options.resume,
        start=_model(options.start),
        wheels=None if options.wheels is None else tuple(options.wheels),
        python=options.python,
    )
    try:
        said = pack(
            what,
            options.out,
            journey_bytes=int(options.megabytes * 2**20),
            journeys=options.journeys,
            say=lambda text: print(text, file=sys.stderr),
        )
    except (NoRoom, OSError) as error:
        raise ValueError(str(error)) from error
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped: nothing was packed\n")
        return 130
    print(said)
    if options.wheels is None:
        command = download_command(("tensorboardX",), Path("WHEELS"), options.python)
        print("without wheels; where packages are missing (go.py check), --wheels NAMES does:")
        print(f"  {' '.join(['pip', *command[3:]])}")
    return 0


def _model(path: Path | None) -> Path | None:
    """A model folder to start from; a run means its export."""
    if path is None:
        return None
    for folder in (path, path / "export"):
        if (folder / "config.json").is_file():
            return folder
    raise ValueError(f"{path} is no model folder: name one with --from, or a run with --resume")


def _unpack(options: argparse.Namespace) -> int:
    from trainer.parcel.parts import PartsMissing, find_parts, join, read_index

    folders = list(dict.fromkeys(each if each.is_dir() else each.parent for each in options.parts))
    try:
        index = read_index(folders)
        groups = [each for each in index["groups"] if options.only in (None, each["name"])]
        if not groups:
            raise PartsMissing(f"no {options.only} is among the results: go.py out brings it")
        found = find_parts(groups, folders)
        for group in groups:
            join(group, found, options.out)
    except (PartsMissing, OSError) as error:
        raise ValueError(str(error)) from error
    for group in groups:
        print(f"{group['name']}: {', '.join(each['path'] for each in group['files'])}")
    print(f"into {options.out}")
    return 0
