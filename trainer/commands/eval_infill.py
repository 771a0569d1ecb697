"""`footnote eval infill`: text put into gaps of the held-out packages, beside trivial guesses."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from engine.fim import Order
from indexer.home import held_out_folder
from indexer.shards import open_shards, read_documents
from trainer.commands.measurement import measurement
from trainer.evaluation import cases as gaps
from trainer.evaluation import crossfile
from trainer.evaluation.benchmarks import benchmark_of, read_cases, some_of
from trainer.evaluation.cases import Case
from trainer.evaluation.infilling import METRICS, answers, floors, score, served
from trainer.evaluation.raw import LINE_TOKENS, LINES_TOKENS
from trainer.evaluation.report import (
    command_line,
    model_folder,
    progress,
    table,
    write_json,
)

KINDS = ("line", "block", crossfile.KIND)
WAYS = ("spm", "psm", "engine")
_PER_GROUP = 150
_FILE_CONTEXT = 4096  # prompt tokens
_COLUMNS = (
    "guess kind language cases first_line first_line_95 strict strict_95 similarity parses empty"
).split()


@measurement("footnote eval infill")
def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    folder = model_folder(options.model)
    result = measure(folder, options, argv)
    print(f"{result['protocol']}\n")
    print(table([{name: row[name] for name in _COLUMNS} for row in result["scores"]]))
    if options.json:
        write_json(options.json, result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote eval infill",
        description="Exact match, similarity and parse rate of text put into gaps, with 95% "
        "intervals, beside guesses that need no model.",
        epilog="examples: footnote eval infill --cases 100 --json infill.json; "
        "footnote eval infill santacoder-fim-task.jsonl --by psm --model some/folder (the order "
        "and the file of StarCoder's published figures).",
    )
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        help="JSON lines (.jsonl, .json, .gz) or Parquet with prompt, suffix, canonical_solution "
        "(HumanEval infilling, santacoder-fim-task) instead of the held-out packages",
    )
    parser.add_argument("--model", type=Path, help="checkpoint folder (default: the embedded one)")
    parser.add_argument("--held-out", type=Path, help="folder of shards (default: the data folder)")
    parser.add_argument(
        "--cases",
        type=int,
        help=f"per kind and language (default {_PER_GROUP} of the held-out packages, all of a file)",
    )
    parser.add_argument(
        "--by",
        help="which ways, of spm, psm (plain transformers) and engine (as served; default: spm "
        "where the model knows it, else psm; and engine for models of ours)",
    )
    parser.add_argument("--language", help="only this one (default: all with such gaps)")
    parser.add_argument(
        "--kind", help=f"only these, with commas: {', '.join(KINDS)} (default: all)"
    )
    parser.add_argument(
        "--context",
        type=int,
        help="prompt tokens, other files included (default 1024, of a file 4096, or what the model "
        "takes)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default auto)")
    parser.add_argument(
        "--dtype", default="auto", help="auto (as stored), float32, bfloat16 or float16"
    )
    parser.add_argument(
        "--batch", type=int, default=16384, help="tokens decoded at once, memory for speed (16384)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="result and every case's text")
    return parser


def groups_of(options: argparse.Namespace) -> tuple[list[list[Case]], dict[str, Any]]:
    """Groups of one kind and language each, and where they are from."""
    if options.cases is not None and options.cases < 1:
        raise ValueError("--cases must be 1 or more")
    if options.file:
        whole = read_cases(options.file)
        benchmark = benchmark_of(whole, options.file)
        found = [each for each in whole if options.language in (None, each.language)]
        kinds = sorted({(each.kind, each.language) for each in found})
        groups = [[each for each in found if (each.kind, each.language) == kind] for kind in kinds]
        groups = [some_of(group, options.cases) for group in groups]
        count = sum(map(len, groups))
        says = f"{benchmark}: {count} of its {len(whole)} cases"
        if count < len(found):
            says += " (the first by content hash), so not the published benchmark"
        _some(groups, options, str(options.file))
        return groups, {
            "benchmark": benchmark,
            "is_whole": count == len(found),  # in the languages asked for
            "source": says,
        }
    held_out = options.held_out or held_out_folder()
    manifest = open_shards(held_out)
    documents = list(read_documents(held_out))
    count = options.cases or _PER_GROUP
    groups = []
    kinds_wanted = _kinds(options.kind)
    for language in gaps.languages_of(documents):
        if options.language not in (None, language):
            continue
        for kind in kinds_wanted:
            if kind == crossfile.KIND:
                groups.append(crossfile.draw(documents, language=language, count=count))
            else:
                groups.append(gaps.draw(documents, kind=kind, language=language, count=count))
    _some(groups, options, str(held_out))
    protocol = gaps.PROTOCOL
    if crossfile.KIND in kinds_wanted:
        protocol += f"; {crossfile.PROTOCOL}"
    return [group for group in groups if group], {
        "benchmark": "held-out packages",
        "is_whole": False,
        "source": f"Held-out packages {manifest.corpus_hash[:12]}: {protocol}",
    }


def _kinds(wanted: str | None) -> list[str]:
    kinds = wanted.split(",") if wanted else list(KINDS)
    unknown = [each for each in kinds if each not in KINDS]
    if unknown:
        raise ValueError(f"--kind knows {', '.join(KINDS)}, not {unknown[0]!r}")
    return kinds


def _some(groups: Sequence[Sequence[Case]], options: argparse.Namespace, where: str) -> None:
    if not any(groups):
        raise ValueError(
            f"{where} has no such gaps"
            + (f" in {options.language}" if options.language else "")
            + ": leave out --language or --kind"
        )


def measure(folder: Path, options: argparse.Namespace, argv: Sequence[str]) -> dict[str, Any]:
    """Fill all gaps in all ways; shows progress on stderr."""
    groups, about = groups_of(options)

    from trainer.evaluation.causal import load_causal
    from trainer.evaluation.raw import RawModel

    ways = _ways(options.by)
    model = raw = None
    if ways is None or set(ways) & {"spm", "psm"}:
        model = load_causal(folder, device=options.device, dtype=options.dtype)
        if options.context is None and options.file:
            # Published prompts are shown whole where the model can take them.
            options.context = min(_FILE_CONTEXT, model.positions * 3 // 4)
        raw = RawModel(model, context=options.context)
        if ways is None:
            ours = (folder / "footnote.json").is_file()
            ways = [raw.order, *(["engine"] if ours else [])]
    rows: list[dict[str, Any]] = []
    details: list[dict[str, str]] = []
    cropped = [0, 0]  # prompts without some of the text around the gap, all prompts
    completer = served(folder) if "engine" in ways else None
    for group in groups:
        for name, guess in floors(group).items():
            rows.append(asdict(score(name, group, answers(guess, group))))
        what = f"{group[0].language} {group[0].kind}"
        for way in ways:
            if way == "engine" and completer is not None:
                texts = [completer(case) for case in progress(group, f"{what}: engine")]
                found: Iterator[tuple[str, list[str], int]] = iter([("model, as served", texts, 0)])
            else:
                assert model is not None
                found = _raw(
                    RawModel(model, order=cast(Order, way), context=options.context), group, options
                )
            for name, texts, lost in found:
                cropped = [cropped[0] + lost, cropped[1] + len(texts) * (way != "engine")]
                rows.append(asdict(score(name, group, texts)))
                details += [
                    {"case": case.name, "by": name, "wanted": case.middle, "got": text}
                    for case, text in zip(group, texts, strict=True)
                ]
    return {
        "evaluation": "infill",
        **(model.about() if model else {"model": _name(folder)}),
        "benchmark": about["benchmark"],
        "is_whole": about["is_whole"],
        "command": command_line("infill", argv),
        "protocol": f"{about['source']}. Greedy, {_prompts(raw, ways)}"
        f"{_lost(*cropped)}; {METRICS}.",
        "scores": rows,
        "cases": details,
    }


def _prompts(raw: Any, ways: Sequence[str]) -> str:
    said = []
    if raw is not None:
        said.append(
            f"prompts of at most {raw.context} tokens, {LINE_TOKENS} new ones ({LINES_TOKENS} for "
            "several lines; more where the answer is longer)"
        )
    if "engine" in ways:
        said.append("as served: with the engine's window, stop rules and trimming")
    return "; ".join(said)


def _lost(cropped: int, count: int) -> str:
    return f" ({cropped} of {count} without some of the text around the gap)" if cropped else ""


def _raw(
    model: Any, group: list[Case], options: argparse.Namespace
) -> Iterator[tuple[str, list[str], int]]:
    what = f"{group[0].language} {group[0].kind}: {model.order}"
    with_files = [False]
    if model.knows_files and all(case.files for case in group):
        with_files.append(True)
    for shown in with_files:
        name = f"model, {model.order}" + (", with the defining file" if shown else "")
        texts, lost = model.fill(
            group,
            with_files=shown,
            budget=options.batch,
            seen=lambda items: progress(items, what),
        )
        yield name, texts, lost


def _ways(given: str | None) -> list[str] | None:
    if given is None:
        return None
    ways = given.split(",")
    for way in ways:
        if way not in WAYS:
            raise ValueError(f"--by knows {', '.join(WAYS)}, not {way!r}")
    return ways


def _name(folder: Path) -> str:
    from trainer.evaluation.causal import name_of

    return name_of(folder)
