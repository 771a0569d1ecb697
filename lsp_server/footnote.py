"""The command `footnote`: finds the subcommand among the entry points and runs it, nothing else.

It imports none of the programs, so `footnote --help` answers at once and each command pays for
what it uses.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

GROUP = "footnote.commands"

# Shown by --help in this order; a command that is installed and not named here is listed last.
SUMMARIES: dict[str, dict[str, str]] = {
    "Everyday": {
        "setup": "fetch the pinned corpus, build the index, check the model [--small]",
        "demo": "watch the server complete real code and cite a copied function",
        "serve": "the language server that editors start (stdin and stdout) [--tcp PORT]",
        "complete": "one completion: FILE --line L --column C [--json]",
        "check": "near-verbatim passages in files, or in what a branch changes: PATH... [--changed-since REV]",
        "lookup": "is this package, path or file in the corpus: NAME|FILE",
        "doctor": "what is installed, what is wrong, and what to do [--json]",
    },
    "Corpus and index": {
        "corpus": "curation: build, stats, inspect, optout, fingerprints",
        "index": "attribution indexes: build, info, remove, compact",
    },
    "Model": {
        "train": "learning: tokenizer, pretrain, finetune, curves, pack, unpack",
        "eval": "quality: infill, loss, memorization, functional, attribution, retention, policy, report",
        "bench": "speed beside the peers: completion, attribution, backends, replay, training",
        "release": "a folder to publish: cards, licence, GGUF, int8; --verify",
    },
}
_CLOSING = """\
footnote COMMAND --help explains a command. Start with:
  footnote setup --small     about 60 MB of source, a few minutes
  footnote demo              what it is for, in twenty seconds
Data lies in the user data folder, or in FOOTNOTE_HOME."""


def main(argv: list[str] | None = None) -> int:
    """Run `footnote ARGUMENTS`; returns the exit code: 0 done, 1 found or failed, 2 usage."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        code = _main(arguments)
        if sys.stdout is not None:  # it may be closed
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing may be written at exit either.
        _print_no_more()
        return 141
    except OSError as error:
        if error.errno != errno.ENOSPC:
            return _defect()
        print(  # noqa: T201
            "footnote: no space is left on the disk that was written to: make room and run it again",
            file=sys.stderr,
        )
        _print_no_more()
        return 2
    except Exception:  # noqa: BLE001 -- Python would exit with 1, which means that something was found
        return _defect()
    return code


def _defect() -> int:
    import traceback

    traceback.print_exc()
    print(  # noqa: T201
        "footnote: this is a defect of Footnote; please report it with the lines above",
        file=sys.stderr,
    )
    return 2


def _print_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(overview())  # noqa: T201
        return 0 if arguments else 2
    name = arguments[0]
    if name in {"-V", "--version"}:
        print(f"footnote {_version()}")  # noqa: T201
        return 0
    command = _find(name)
    if command is None:
        print(f"footnote: {_no_such(name)}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        run: Callable[[list[str]], int] = command.load()
    except (ModuleNotFoundError, AttributeError) as error:
        print(  # noqa: T201
            f"footnote {name}: this command is not complete in this installation ({error}); "
            "install Footnote again",
            file=sys.stderr,
        )
        return 2
    return run(arguments[1:])


def overview() -> str:
    """The page that `footnote --help` prints."""
    known = {name for group in SUMMARIES.values() for name in group}
    groups = dict(SUMMARIES)
    others = sorted(set(_names()) - known)
    if others:
        groups["Others"] = dict.fromkeys(others, "")
    lines = ["Code completion that cites its sources, on this machine.", ""]
    lines += ["usage: footnote COMMAND [ARGUMENTS]", ""]
    for title, commands in groups.items():
        lines.append(f"{title}:")
        lines += [f"  {name:<10} {text}".rstrip() for name, text in commands.items()]
        lines.append("")
    return "\n".join([*lines, _CLOSING])


def _find(name: str) -> EntryPoint | None:
    from importlib.metadata import entry_points

    found = entry_points(group=GROUP, name=name)
    return next(iter(found), None)


def _names() -> list[str]:
    from importlib.metadata import entry_points

    return [each.name for each in entry_points(group=GROUP)]


def _no_such(name: str) -> str:
    import difflib

    what = "option" if name.startswith("-") else "command"
    close = difflib.get_close_matches(name.lstrip("-"), _names(), n=1)
    hint = f"did you mean `footnote {close[0]}`?" if close else "`footnote --help` lists them"
    return f"there is no {what} {name!r}; {hint}"


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("footnote")
    except PackageNotFoundError:
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
