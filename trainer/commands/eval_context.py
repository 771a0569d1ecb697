"""`footnote eval context`: the same gaps with and without excerpts of the package's other files."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from indexer.home import held_out_folder
from indexer.shards import open_shards, read_documents
from trainer.commands.measurement import measurement
from trainer.evaluation import cases as gaps
from trainer.evaluation import crossfile
from trainer.evaluation.cases import Case
from trainer.evaluation.report import (
    command_line,
    model_path,
    progress,
    table,
    write_json,
)

_PER_GROUP = 150
_KINDS = ("line", "block", crossfile.KIND)
WITHOUT, LONGER, WITH = "the file", "more of the file", "the file and context"


@measurement("footnote eval context")
def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    result = measure(model_path(options.model), options, argv)
    print(f"{result['protocol']}\n")
    print(table(result["rows"]))
    if options.json:
        write_json(options.json, result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote eval context",
        description="Does a model fill gaps better when it is shown excerpts of the project's other "
        "files? The same gaps of the held-out packages with and without, and with as many more "
        "tokens of the file itself.",
        epilog="example: footnote eval context --model some/folder --cases 50 --json context.json",
    )
    parser.add_argument(
        "--model", type=Path, help="checkpoint folder or GGUF file (default: the embedded one)"
    )
    parser.add_argument("--held-out", type=Path, help="folder of shards (default: the data folder)")
    parser.add_argument(
        "--cases", type=int, default=_PER_GROUP, help=f"drawn per kind and language ({_PER_GROUP})"
    )
    parser.add_argument("--language", help="only this one (default: all with such gaps)")
    parser.add_argument(
        "--tokens", type=int, help="of the excerpts (default: what the model is served with)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here as well")
    return parser


def measure(folder: Path, options: argparse.Namespace, argv: Sequence[str]) -> dict[str, Any]:
    """See all gaps in all ways; shows progress on stderr."""
    if options.cases < 1:
        raise ValueError("--cases must be 1 or more")
    if options.tokens is not None and options.tokens < 1:
        raise ValueError("--tokens must be 1 or more")
    held_out = options.held_out or held_out_folder()
    manifest = open_shards(held_out)

    from engine.checkpoint import read_checkpoint
    from engine.local import LocalCompleter
    from trainer.evaluation import context

    groups = list(_groups(held_out, options))
    if not groups:
        raise ValueError(f"{held_out} has no gap of which other files say anything")
    checkpoint = read_checkpoint(folder)
    tokens = options.tokens or checkpoint.serving.context_tokens
    served = LocalCompleter(checkpoint, context_tokens=tokens)
    longer = LocalCompleter(checkpoint, prompt_tokens=checkpoint.serving.prompt_tokens + tokens)
    info = served.describe()
    rows: list[dict[str, Any]] = []
    everything: dict[str, list[context.Seen]] = {}
    for group in groups:
        bare = [replace(case, context=()) for case in group]
        what = f"{group[0].language} {group[0].kind}"
        ways = {WITHOUT: (served, bare), LONGER: (longer, bare), WITH: (served, group)}
        found = {
            way: list(context.see(completer, progress(cases, f"{what}: {way}")))
            for way, (completer, cases) in ways.items()
        }
        for way, seen in found.items():
            rows.append(asdict(context.row(way, seen, found[WITHOUT] if way != WITHOUT else None)))
            everything.setdefault(way, []).extend(seen)
    for way, seen in everything.items():
        rows.append(asdict(context.row(way, seen, everything[WITHOUT] if way != WITHOUT else None)))
    return {
        "evaluation": "context",
        "model": info.name,
        "parameters": info.parameters,
        "device": info.device,
        "dtype": info.dtype,
        "command": command_line("context", argv),
        "protocol": f"Held-out packages {manifest.corpus_hash[:12]}: {gaps.PROTOCOL}; "
        f"{crossfile.PROTOCOL}; {context.PROTOCOL}. Prompts of {checkpoint.serving.prompt_tokens} "
        f"tokens, and {tokens} for excerpts.",
        "rows": rows,
    }


def _groups(held_out: Path, options: argparse.Namespace) -> Iterator[list[Case]]:
    """Gaps of one kind and language each that have context, of the packages to report on."""
    from trainer.evaluation.context import CHOSEN_ON, Packages
    from trainer.evaluation.policy import package_of

    documents = list(read_documents(held_out))
    packages = Packages(documents)
    for language in gaps.languages_of(documents):
        if options.language not in (None, language):
            continue
        wanted = {"language": language, "count": options.cases}
        drawn = [
            crossfile.draw(documents, **wanted)
            if kind == crossfile.KIND
            else gaps.draw(documents, kind=kind, **wanted)
            for kind in _KINDS
        ]
        for group in drawn:
            ours = [packages.with_context(e) for e in group if package_of(e) not in CHOSEN_ON]
            if shown := [case for case in ours if case.context]:
                yield shown
