"""How many copies does attribution find, where does it say they are from, and how often is it wrong?

Protocol. Functions of at least twelve lines are drawn from corpus packages, packages first so that large ones
do not dominate, copied as `trainer.evaluation.planting` describes, and put one at a time into files of packages
that the corpus does not have. A copy counts as found when a match of the asked tier lies on it. The unchanged
held-out files are checked as well; every match in them is listed to be read, for some of them are true copies.
Packages are split by a hash of their name: thresholds are fitted on one half, this reports the other.
"""

import argparse
import hashlib
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from indexer import AttributionIndex, IndexUnavailable, Match, match_json
from indexer.document import Document
from indexer.home import corpus_folder, held_out_folder
from indexer.shards import CorpusUnavailable, read_documents
from trainer.evaluation.planting import KINDS, Passage, copy_of, functions, plant
from trainer.evaluation.report import command_line, wilson, write_json

HEADLINE = ("verbatim", "renamed")
SPLITS = ("test", "tuning", "all")
_SCRIPTS = ("javascript", "javascriptreact", "typescript", "typescriptreact")


@dataclass(frozen=True, slots=True)
class Case:
    """A copy in its host."""

    kind: str
    language: str
    origin: Document
    passage: Passage
    host: Document
    text: str
    first_line: int
    last_line: int


@dataclass(slots=True)
class Tally:
    """Results of the copies of one kind."""

    cases: int = 0
    warned: int = 0
    noticed: int = 0  # at either tier
    sourced: int = 0
    overlap: list[float] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)


def split_of(package: str) -> str:
    """Which half a package belongs to."""
    return SPLITS[hashlib.sha256(package.encode()).digest()[0] & 1]


def draw_origins(
    corpus: Path, languages: Sequence[str], count: int, split: str, rng: Random
) -> list[Document]:
    """Documents of corpus packages, at most a few of each package: `count` of them, or all there are."""
    numbers: dict[str, list[int]] = {}
    for number, each in enumerate(read_documents(corpus, ("package", "language"))):
        if each.language in languages and split in (split_of(each.package), "all"):
            numbers.setdefault(each.package, []).append(number)
    queues = [rng.sample(each, len(each)) for _, each in sorted(numbers.items())]
    rng.shuffle(queues)
    wanted: set[int] = set()
    while len(wanted) < count and any(queues):
        wanted.update(queue.pop() for queue in queues if queue)
    drawn = [each for number, each in enumerate(read_documents(corpus)) if number in wanted]
    rng.shuffle(drawn)
    return drawn[:count]


def make_cases(
    origins: Sequence[Document],
    hosts: Sequence[Document],
    kinds: Sequence[str],
    count: int,
    rng: Random,
) -> list[Case]:
    """`count` copies, their kinds in turn, one from each document."""
    cases: list[Case] = []
    for origin in origins:
        if len(cases) == count:
            break
        kind = kinds[len(cases) % len(kinds)]
        passages = functions(origin.text, origin.language)
        if not passages:
            continue
        passage = rng.choice(passages)
        copy = copy_of(passage.text, kind, origin.language, rng)
        same = [
            each for each in hosts if (each.language == "python") == (origin.language == "python")
        ]
        if copy is None or not same:
            continue
        host = rng.choice(same)
        text, first, last = plant(host.text, copy, host.language, rng)
        cases.append(Case(kind, origin.language, origin, passage, host, text, first, last))
    return cases


def _on(match: Match, case: Case) -> bool:
    """Whether a match lies on the copy: on half of its lines, or nearly all of itself on it."""
    shared = min(match.end_line, case.last_line) - max(match.start_line, case.first_line) + 1
    lines = match.end_line - match.start_line + 1
    return shared > 0 and (
        2 * shared >= case.last_line - case.first_line + 1 or shared >= 0.8 * lines
    )


def _overlap(match: Match, case: Case) -> float:
    shared = min(match.end_line, case.last_line) - max(match.start_line, case.first_line) + 1
    return shared / (
        max(match.end_line, case.last_line) - min(match.start_line, case.first_line) + 1
    )


def _right_source(match: Match, case: Case, index: AttributionIndex) -> bool:
    source = match.source
    if (source.package, source.path) == (case.origin.package, case.origin.path):
        return True
    # Any file with the same passage, byte for byte, is as true a source.
    text = index.source_text(source) or ""
    lines = case.origin.text.splitlines()[case.passage.first_line - 1 : case.passage.last_line]
    return "\n".join(lines) in text


def judge_cases(
    index: AttributionIndex, cases: Sequence[Case], seconds: list[tuple[int, float]]
) -> tuple[dict[str, Tally], list[Case]]:
    """Checks every host with its copy; returns the tallies by kind and the copies without a warning."""
    tallies: dict[str, Tally] = {}
    missed = []
    for case in _shown(cases, "copies"):
        started = time.perf_counter()
        matches = index.check_document(case.text, language=case.host.language, path=case.host.path)
        seconds.append((case.text.count("\n") + 1, time.perf_counter() - started))
        tally = tallies.setdefault(case.kind, Tally())
        tally.cases += 1
        on = [each for each in matches if _on(each, case)]
        warnings = [each for each in on if each.tier == "warning"]
        tally.noticed += bool(on)
        tally.warned += bool(warnings)
        if not warnings:
            missed.append(case)
            continue
        best = max(warnings, key=lambda each: _overlap(each, case))
        tally.kinds[best.kind] += 1
        tally.sourced += _right_source(best, case, index)
        tally.overlap.append(_overlap(best, case))
    return tallies, missed


def check_unchanged(
    index: AttributionIndex, hosts: Sequence[Document], seconds: list[tuple[int, float]]
) -> tuple[int, list[tuple[Document, Match]]]:
    """Lines of the unchanged files, and every match in them."""
    lines = 0
    found = []
    for host in _shown(hosts, "held-out files"):
        started = time.perf_counter()
        matches = index.check_document(host.text, language=host.language, path=host.path)
        seconds.append((host.text.count("\n") + 1, time.perf_counter() - started))
        lines += host.text.count("\n") + 1
        found += [(host, each) for each in matches]
    return lines, found


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def _shown(items: Sequence[Any], what: str) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import track

    yield from track(
        items, description=f"checking {what}", console=Console(stderr=True), transient=True
    )


def _latencies(seconds: Sequence[tuple[int, float]]) -> dict[str, float]:
    long = [1000 * took * 1000 / lines for lines, took in seconds if lines >= 500]
    every = [1000 * took for _, took in seconds]
    return {
        "file_p50_ms": round(_percentile(every, 0.5), 2),
        "file_p95_ms": round(_percentile(every, 0.95), 2),
        "thousand_lines_p50_ms": round(_percentile(long, 0.5), 2),
        "thousand_lines_p95_ms": round(_percentile(long, 0.95), 2),
    }


def _row(tally: Tally) -> dict[str, Any]:
    low, high = wilson(tally.warned, tally.cases)
    return {
        "cases": tally.cases,
        "recall": round(tally.warned / max(1, tally.cases), 4),
        "recall_95": [round(low, 4), round(high, 4)],
        "recall_with_information": round(tally.noticed / max(1, tally.cases), 4),
        "source_at_1": round(tally.sourced / max(1, tally.warned), 4),
        "line_iou": round(sum(tally.overlap) / max(1, len(tally.overlap)), 4),
        "reported_as": dict(tally.kinds),
    }


def evaluate(index: AttributionIndex, args: argparse.Namespace) -> dict[str, Any]:
    """The whole protocol, as one plain value."""
    rng = Random(args.seed)
    held_out = list(read_documents(held_out_folder()))
    languages = ("python", *_SCRIPTS)
    hosts = [
        each for each in held_out if each.language in languages and each.text.count("\n") >= 20
    ]
    seconds: list[tuple[int, float]] = []
    groups: dict[str, Any] = {}
    missed: list[Case] = []
    plan: list[tuple[str, Sequence[str], Sequence[str], int]] = [
        ("python", ("python",), HEADLINE, args.cases)
    ]
    if args.extended:
        plan.append(("python, extended", ("python",), KINDS, 2 * args.cases))
        plan.append(("javascript and typescript", _SCRIPTS, KINDS, args.cases))
    for name, wanted, kinds, count in plan:
        origins = draw_origins(corpus_folder(), wanted, 3 * count, args.split, rng)
        tallies, not_found = judge_cases(
            index, make_cases(origins, hosts, kinds, count, rng), seconds
        )
        missed += not_found
        groups[name] = {kind: _row(tally) for kind, tally in tallies.items()}
        groups[name]["all"] = _row(_sum(tallies.values()))
    unchanged: list[tuple[int, float]] = []
    lines, alarms = check_unchanged(index, held_out, unchanged)
    warnings = [each for each in alarms if each[1].tier == "warning"]
    return {
        "protocol": (__doc__ or "").split("\n\n", 1)[1],
        "split": args.split,
        "seed": args.seed,
        "index": {k: v for k, v in asdict(index.info()).items() if k != "files"},
        "copies": groups,
        "missed": [
            f"{each.kind} {each.origin.package}/{each.origin.path}:{each.passage.first_line}"
            f"-{each.passage.last_line} in {each.host.package}/{each.host.path}:{each.first_line}"
            for each in missed
        ],
        "held_out": {
            "files": len(held_out),
            "lines": lines,
            "warnings": len(warnings),
            "warnings_per_1000_lines": round(1000 * len(warnings) / max(1, lines), 4),
            "information": len(alarms) - len(warnings),
            "list": [
                {"file": f"{host.package}/{host.path}", **match_json(each)}
                for host, each in warnings
            ],
        },
        "latency": {"with_copies": _latencies(seconds), "held_out": _latencies(unchanged)},
    }


def _sum(tallies: Any) -> Tally:
    total = Tally()
    for each in tallies:
        total.cases += each.cases
        total.warned += each.warned
        total.noticed += each.noticed
        total.sourced += each.sourced
        total.overlap += each.overlap
        total.kinds += each.kinds
    return total


def report(result: dict[str, Any]) -> str:
    """The result as text."""
    lines = [result["protocol"].strip(), ""]
    lines.append(
        f"split {result['split']}, seed {result['seed']}, corpus {result['index']['corpus_hash'][:12]}"
    )
    for name, rows in result["copies"].items():
        lines += [
            "",
            f"copies, {name}",
            f"  {'kind':12} {'cases':>5} {'warned':>7}  95% interval   noticed  source@1  line IoU",
        ]
        for kind, row in rows.items():
            low, high = row["recall_95"]
            lines.append(
                f"  {kind:12} {row['cases']:5} {row['recall']:7.3f}  {low:.3f} - {high:.3f}  "
                f"{row['recall_with_information']:7.3f}  {row['source_at_1']:8.3f}  {row['line_iou']:8.3f}"
            )
    held = result["held_out"]
    lines += [
        "",
        f"copies without a warning: {len(result['missed'])}",
        *(f"  {each}" for each in result["missed"]),
    ]
    lines += [
        "",
        f"held-out packages as they are: {held['files']} files, {held['lines']} lines: {held['warnings']} warnings "
        f"({held['warnings_per_1000_lines']} per 1,000 lines), {held['information']} for information",
    ]
    for each in held["list"]:
        source = each["source"]
        lines.append(
            f"  {each['file']}:{each['start_line']}-{each['end_line']} {each['kind']} {each['similarity']:.0%} "
            f"({each['matched_tokens']} tokens) {source['package']}/{source['path']} "
            f"L{source['start_line']}-{source['end_line']}"
        )
    lines += ["", "latency, milliseconds"]
    for name, row in result["latency"].items():
        lines.append(
            f"  {name:12} file p50 {row['file_p50_ms']} p95 {row['file_p95_ms']}; "
            f"per 1,000 lines (files of 500 and more) p50 {row['thousand_lines_p50_ms']} "
            f"p95 {row['thousand_lines_p95_ms']}"
        )
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="footnote eval attribution", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--cases", type=int, default=200, help="copies to plant (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the draw (default: %(default)s)")
    parser.add_argument(
        "--split", choices=SPLITS, default="test", help="which corpus packages to copy from"
    )
    parser.add_argument(
        "--extended", action="store_true", help="also reformatted and edited copies, JavaScript"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the result there as well")
    args = parser.parse_args(argv)
    try:
        result = evaluate(AttributionIndex.open(), args)
    except (IndexUnavailable, CorpusUnavailable) as error:
        sys.stderr.write(f"footnote eval attribution: {error}\n")
        return 2
    sys.stdout.write(report(result) + "\n")
    if args.json:
        write_json(args.json, {"command": command_line("attribution", argv), **result})
    return 0
