"""What the commands that measure have in common: one is chosen by name, and its troubles are a line."""

import argparse
import functools
import importlib
import sys
from collections.abc import Callable, Mapping

Main = Callable[[list[str]], int]


def choose(
    program: str, description: str, offered: Mapping[str, tuple[str, str]], argv: list[str]
) -> int:
    """Run the one that is named; `offered` are modules with a `main`, and what they do, by name."""
    lines = "\n".join(f"  {name:<12} {text}" for name, (_, text) in offered.items())
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=f"WHAT is one of:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", metavar="WHAT", choices=offered, help=", ".join(offered))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=f"see {program} WHAT --help")
    options = parser.parse_args(argv)
    module = importlib.import_module(offered[options.what][0])
    run: Main = module.main
    try:
        return run(options.arguments)
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def measurement(program: str, *also: type[Exception]) -> Callable[[Main], Main]:
    """What a person can mend is said in a line, with exit code 2; Ctrl-C ends with one and 130.

    `also` are further errors of that kind. Results are written whole or not.
    """

    def decorate(main: Main) -> Main:
        @functools.wraps(main)
        def run(argv: list[str]) -> int:
            from engine.api import ModelUnavailable
            from indexer import IndexUnavailable
            from indexer.shards import CorpusUnavailable

            mendable: tuple[type[Exception], ...] = (
                *(CorpusUnavailable, IndexUnavailable, ModelUnavailable, OSError, ValueError),
                *also,
            )
            try:
                return main(argv)
            except BrokenPipeError:
                raise
            except mendable as error:
                sys.stderr.write(f"{program}: {error}\n")
                return 2
            except KeyboardInterrupt:
                sys.stderr.write("\nstopped: nothing was written\n")
                return 130

        return run

    return decorate
