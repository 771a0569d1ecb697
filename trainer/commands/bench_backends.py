"""`footnote bench backends`: which of the backends installed here runs a model fastest?"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.api import ModelUnavailable
from engine.backends import Wish, chosen
from engine.checkpoint import read_checkpoint
from engine.timing import Timing, time_backends
from trainer.evaluation.latency import machine
from trainer.evaluation.report import model_folder, quiet, table, write_json


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    quiet()
    try:
        timings = time_backends(read_checkpoint(model_folder(options.model)), options.threads)
    except (ModelUnavailable, OSError, ValueError) as error:
        sys.stderr.write(f"footnote bench backends: {error}\n")
        return 2
    taken = chosen(Wish())
    if options.json:
        result = {
            "machine": machine(),
            "chosen": taken,
            "backends": [asdict(each) for each in timings],
        }
        if options.json == "-":
            print(json.dumps(result, indent=1))
            return 0
        write_json(Path(options.json), result)
    print(machine())
    print(table([_line(each) for each in timings]))
    ran = [each for each in timings if not each.problem]
    fastest = min(ran, key=lambda each: each.line_ms)
    print(f"\n{taken} is what serves; {fastest.backend} is the fastest here after a keystroke.")
    return 0


def _line(timing: Timing) -> dict[str, Any]:
    known = not timing.problem
    return {
        "backend": timing.backend,
        "weights": timing.dtype,
        "step ms": f"{timing.step_ms:.2f}" if known else "",
        "768 tokens ms": f"{timing.prompt_ms:.0f}" if known else "",
        "load ms": f"{timing.load_ms:.0f}" if known else "",
        "": timing.problem,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote bench backends",
        description="Load a model into every backend that is installed here and time a step and a "
        "prompt; takes some ten seconds.",
    )
    parser.add_argument("--model", type=Path, help="checkpoint folder (default: the embedded one)")
    parser.add_argument("--threads", type=int, default=0, help="0: what each takes by itself")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="JSON to a file, or instead of text"
    )
    return parser
