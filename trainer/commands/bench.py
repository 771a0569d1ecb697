"""`footnote bench`: speed, beside what others take for the same work."""

import argparse
import importlib
import sys
from collections.abc import Callable

_WHAT = {
    "completion": (
        "trainer.commands.bench_completion",
        "a completion after a keystroke, beside llama.cpp and Hugging Face generate",
    ),
    "backends": (
        "trainer.commands.bench_backends",
        "a step and a prompt in every backend that is installed here",
    ),
    "replay": (
        "trainer.commands.bench_replay",
        "half an hour of typing: does memory stay flat?",
    ),
    "attribution": (
        "trainer.commands.bench_attribution",
        "look-ups warm and cold, the index and its making, beside infini-gram",
    ),
    "training": (
        "trainer.commands.bench_training",
        "steps of a training run, beside Hugging Face's Trainer",
    ),
}


def main(argv: list[str]) -> int:
    lines = "\n".join(f"  {name:<12} {text}" for name, (_, text) in _WHAT.items())
    parser = argparse.ArgumentParser(
        prog="footnote bench",
        description="Measure speed on this machine.",
        epilog=f"WHAT is one of:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", metavar="WHAT", choices=_WHAT, help=", ".join(_WHAT))
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="see footnote bench WHAT --help"
    )
    options = parser.parse_args(argv)
    module = importlib.import_module(_WHAT[options.what][0])
    run: Callable[[list[str]], int] = module.main
    try:
        return run(options.arguments)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
