"""`footnote eval infill`: text put into gaps of the held-out packages, beside trivial guesses."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.api import ModelUnavailable
from indexer.home import held_out_folder
from indexer.shards import CorpusUnavailable, open_shards, read_documents
from trainer.evaluation import cases as gaps
from trainer.evaluation.cases import Case
from trainer.evaluation.infilling import METRICS, Guess, RawModel, answers, floors, score, served
from trainer.evaluation.report import model_folder, progress, quiet, table, write_json


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        groups, source = _cases(options)
        rows, details = _run(options, groups)
    except (CorpusUnavailable, ModelUnavailable, OSError, ValueError) as error:
        sys.stderr.write(f"footnote eval infill: {error}\n")
        return 2
    protocol = f"{source}. Greedy; {METRICS}."
    print(f"{protocol}\n")
    print(table(rows))
    if options.json:
        write_json(options.json, {"protocol": protocol, "scores": rows, "cases": details})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote eval infill",
        description="Exact match, similarity and parse rate of text put into gaps.",
    )
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        help="JSON lines with prompt, suffix, "
        "canonical_solution (HumanEval infilling, santacoder-fim) instead",
    )
    parser.add_argument("--model", type=Path, help="checkpoint folder (default: the embedded one)")
    parser.add_argument("--held-out", type=Path, help="folder of shards (default: the data folder)")
    parser.add_argument(
        "--cases", type=int, default=150, help="per kind and language (default 150)"
    )
    parser.add_argument(
        "--by",
        default="spm,engine",
        help="which ways, of spm, psm (plain transformers) and engine (as served; default spm,engine)",
    )
    parser.add_argument(
        "--language", help="only this one (default: python, javascript, typescript)"
    )
    parser.add_argument("--kind", choices=("line", "block"), help="only these (default: both)")
    parser.add_argument("--context", type=int, default=1024, help="prompt tokens (default 1024)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="result and every case's text")
    return parser


def _cases(options: argparse.Namespace) -> tuple[list[list[Case]], str]:
    """Groups of one kind and language each, and where they are from."""
    if options.file:
        found = gaps.read_cases(options.file)
        kinds = sorted({(each.kind, each.language) for each in found})
        groups = [[each for each in found if (each.kind, each.language) == kind] for kind in kinds]
        return [group[: options.cases] for group in groups], f"Cases of {options.file.name}"
    held_out = options.held_out or held_out_folder()
    manifest = open_shards(held_out)
    documents = list(read_documents(held_out))
    groups = [
        gaps.draw(documents, kind=kind, language=language, count=options.cases)
        for language in gaps.languages_of(documents)
        for kind in ("line", "block")
        if options.language in (None, language) and options.kind in (None, kind)
    ]
    source = f"Held-out packages {manifest.corpus_hash[:12]}: {gaps.PROTOCOL}"
    if not any(groups):
        raise ValueError(f"no such gaps in {held_out}: leave out --language or --kind")
    return [group for group in groups if group], source


def _guesses(options: argparse.Namespace) -> Iterator[tuple[str, Guess]]:
    for way in options.by.split(","):
        folder = model_folder(options.model)
        if way == "engine":
            yield "model, as served", served(folder)
        elif way in ("spm", "psm"):
            quiet()
            yield f"model, {way}", RawModel(folder, order=way, context=options.context)
        else:
            raise ValueError(f"--by knows spm, psm and engine, not {way!r}")


def _run(
    options: argparse.Namespace, groups: list[list[Case]]
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    rows = []
    details = []
    guesses = list(_guesses(options))
    for group in groups:
        for name, guess in floors(group).items():
            rows.append(asdict(score(name, group, answers(guess, group))))
        what = f"{group[0].language} {group[0].kind}"
        for name, guess in guesses:
            texts = [guess(case) for case in progress(group, f"{what}: {name}")]
            rows.append(asdict(score(name, group, texts)))
            details += [
                {"case": case.name, "by": name, "wanted": case.middle, "got": text}
                for case, text in zip(group, texts, strict=True)
            ]
    return rows, details
