"""`footnote bench backends`: which of the backends installed here runs a model fastest?"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.api import ModelUnavailable
from engine.backends import (
    AUTO,
    BACKENDS,
    LLAMA_CPP,
    Wish,
    candidates,
    installed,
)
from engine.checkpoint import Checkpoint, read_checkpoint
from engine.choice import FILE, fastest, remember
from engine.devices import DEVICES
from engine.shape import GgufOutline
from engine.timing import Timing, time_backends
from indexer.home import data_home
from trainer.evaluation.latency import machine
from trainer.evaluation.report import model_path, quiet, table, write_json

_PROMPT = 768  # tokens


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    quiet()
    try:
        checkpoint = read_checkpoint(model_path(options.model))
        wish = Wish(threads=options.threads, device=options.device)
        order = candidates(wish, checkpoint.shape)
        timings = list(time_backends(checkpoint, order, prompt_tokens=_PROMPT))
        beside = list(_converted(checkpoint, wish))
    except (ModelUnavailable, OSError, ValueError) as error:
        sys.stderr.write(f"footnote bench backends: {error}\n")
        return 2
    in_file = isinstance(checkpoint.shape, GgufOutline)
    best = fastest(order, timings)
    if options.remember and not in_file:
        _remember(checkpoint, wish, timings)
    timings += beside
    timings += [
        Timing(each, problem="not installed")
        for each in BACKENDS
        if not in_file and not installed(each)
    ]
    if options.json:
        result = {
            "machine": machine(),
            "chosen": best.name if best else "",
            "backends": [asdict(each) | {"line_ms": each.line_ms} for each in timings],
        }
        if options.json == "-":
            print(json.dumps(result, indent=1))
            return 0
        write_json(Path(options.json), result)
    print(machine())
    print(table([_line(each) for each in timings]))
    print(
        f"\n{best.name} is the choice: the first of the order, or faster than it by a fifth."
        if best
        else "\nNone of them runs this model."
    )
    return 0


def _converted(checkpoint: Checkpoint, wish: Wish) -> Iterator[Timing]:
    """llama.cpp with the weights of a folder as Q8_0, where it is here and knows such a model."""
    if isinstance(checkpoint.shape, GgufOutline) or not installed(LLAMA_CPP):
        return
    from trainer.release import gguf_file
    from trainer.release.source import ReleaseError, read_source

    with tempfile.TemporaryDirectory(prefix="footnote-") as scratch:
        file = Path(scratch) / "model.gguf"
        try:
            gguf_file.write(gguf_file.plan(read_source(checkpoint.folder)), file, "q8_0", facts={})
        except (ReleaseError, ImportError) as error:
            yield Timing(LLAMA_CPP, problem=str(error))
            return
        converted = read_checkpoint(file)
        order = candidates(wish, converted.shape)
        yield from time_backends(converted, order, prompt_tokens=_PROMPT)


def _remember(checkpoint: Checkpoint, wish: Wish, timings: list[Timing]) -> None:
    file = data_home() / FILE
    if wish.device != AUTO or wish.threads:
        sys.stderr.write("not kept: of one device or number of threads alone they choose nothing\n")
    else:
        remember(file, checkpoint, wish, timings)
        sys.stderr.write(f"kept in {file}: from the next start on they choose what serves\n")


def _line(timing: Timing) -> dict[str, Any]:
    figures = {
        "step ms": f"{timing.step_ms:.2f}",
        "4 rows ms": f"{timing.rows_ms:.2f}",
        "768 tokens ms": f"{timing.prompt_ms / timing.prompt_tokens * _PROMPT:.0f}",
        "a line ms": f"{timing.line_ms:.1f}",
        "load ms": f"{timing.load_ms:.0f}",
    }
    return {
        "backend": timing.backend,
        "device": timing.device,
        "weights": timing.dtype,
        **(dict.fromkeys(figures, "") if timing.problem else figures),
        "": timing.problem,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote bench backends",
        description="Load a model into every backend that is installed here and time a step and a "
        "prompt; takes some ten seconds.",
    )
    parser.add_argument(
        "--model", type=Path, help="checkpoint folder or GGUF file (default: the embedded one)"
    )
    parser.add_argument("--threads", type=int, default=0, help="0: what each takes by itself")
    parser.add_argument(
        "--device", choices=(AUTO, *DEVICES), default=AUTO, help="only those that run there"
    )
    parser.add_argument(
        "--remember", action="store_true", help="keep the figures: they choose what serves"
    )
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="JSON to a file, or instead of text"
    )
    return parser
