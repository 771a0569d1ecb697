"""`footnote eval`: quality on files that no model of ours has seen."""

import argparse
import importlib
import sys
from collections.abc import Callable

_WHAT = {
    "infill": ("trainer.commands.eval_infill", "exact match and similarity of text put into gaps"),
    "loss": ("trainer.commands.eval_loss", "bits per byte, by language and position in the file"),
    "memorization": ("trainer.commands.eval_memorization", "completions that copy the corpus"),
    "functional": ("trainer.commands.eval_functional", "pass@k of programs, by running them"),
    "policy": (
        "trainer.commands.eval_policy",
        "how a model is best served: what to show, how long",
    ),
    "retention": ("trainer.commands.eval_retention", "two checkpoints before and after, compared"),
    "report": (
        "trainer.commands.eval_report",
        "results as one Markdown page, with their protocols",
    ),
    "attribution": (
        "trainer.commands.eval_attribution",
        "planted copies found, false warnings, beside peers",
    ),
}


def main(argv: list[str]) -> int:
    lines = "\n".join(f"  {name:<12} {text}" for name, (_, text) in _WHAT.items())
    parser = argparse.ArgumentParser(
        prog="footnote eval",
        description="Measure quality on the held-out packages.",
        epilog=f"WHAT is one of:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", metavar="WHAT", choices=_WHAT, help=", ".join(_WHAT))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="see footnote eval WHAT --help")
    options = parser.parse_args(argv)
    module = importlib.import_module(_WHAT[options.what][0])
    run: Callable[[list[str]], int] = module.main
    try:
        return run(options.arguments)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
