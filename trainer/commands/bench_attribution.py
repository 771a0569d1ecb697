"""`footnote bench attribution`: how long look-ups take, and what the index costs."""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from indexer import AttributionIndex
from indexer.document import Document
from indexer.home import corpus_folder, held_out_folder, index_folder
from indexer.shards import open_shards, read_documents
from trainer.commands.measurement import measurement
from trainer.evaluation.attribution import negatives, timing
from trainer.evaluation.attribution.checking import Probe
from trainer.evaluation.attribution.fresh import Asked, ask
from trainer.evaluation.attribution.planting import Plan, plant_all
from trainer.evaluation.latency import machine
from trainer.evaluation.report import command_line, progress, table, write_json

PROTOCOL = (
    "completions: windows of 10 lines of held-out files, looked up with what stands around them, and "
    "planted copies of 10 and 20 lines (verbatim, renamed fully, edited 20%); files: held-out files "
    "as they are. Warm: a process that has asked all of it once before. Cold: a fresh process for each "
    "question after the system was told to forget the index's files; opening the index is a row of "
    "its own. Building: every so-manieth document of the corpus. infini-gram: the same texts as word "
    "numbers, in the same sitting; its index is of the same corpus"
)


@measurement("footnote bench attribution")
def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    result = measure(options, argv)
    print(report(result))
    if options.json:
        write_json(options.json, result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote bench attribution",
        description="Time look-ups of completions and files, warm and cold, and building an index.",
        epilog="infini-gram is measured beside it where it is installed (`pip install infini-gram`).",
    )
    parser.add_argument("--completions", type=int, default=600, help="of each sort (600)")
    parser.add_argument("--files", type=int, default=400, help="held-out files (400)")
    parser.add_argument("--cold", type=int, default=12, help="fresh processes of each sort (12)")
    parser.add_argument("--slice", type=float, default=40, help="MB to build an index of (40)")
    parser.add_argument("--jobs", type=int, default=2, help="processes that build (2)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (1)")
    parser.add_argument("--index", type=Path, help="index folder (default: the data folder's)")
    parser.add_argument("--corpus", type=Path, help="corpus folder (default: the data folder's)")
    parser.add_argument("--held-out", type=Path, help="folder of shards (default: the data folder)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the result there as well")
    return parser


def measure(options: argparse.Namespace, argv: Sequence[str]) -> dict[str, Any]:
    if min(options.completions, options.files, options.cold, options.jobs) < 1:
        raise ValueError("--completions, --files, --cold and --jobs must be 1 or more")
    if not options.slice > 0:
        raise ValueError("--slice must be above 0")
    folder = options.index or index_folder()
    corpus = options.corpus or corpus_folder()
    index = AttributionIndex.open(folder)
    held_out = list(read_documents(options.held_out or held_out_folder()))
    questions = _questions(corpus, held_out, options)
    beside = _beside_infini_gram(corpus, questions, options)
    info = index.info()
    return {
        "evaluation": "attribution-speed",
        "command": command_line("attribution", argv).replace(" eval ", " bench "),
        "machine": machine(),
        "protocol": PROTOCOL,
        "index": {
            "corpus_hash": info.corpus_hash,
            "corpus_bytes": info.bytes,
            "bytes": info.size,
            "bytes_without_text": info.size_without_text,
            "ratio": round(info.size / info.bytes, 4),
            "ratio_without_text": round(info.size_without_text / info.bytes, 4),
        },
        "latency": [*_warm(index, questions), *_cold(folder, questions, options.cold), *beside],
        "memory": _resident(folder, questions),
        "build": timing.build_speed(timing.slice_of(corpus, options.slice), jobs=options.jobs),
        "lexing": timing.lexing_speed(held_out),
    }


Questions = dict[str, list[Asked]]


def _questions(
    corpus: Path, held_out: Sequence[Document], options: argparse.Namespace
) -> Questions:
    rng = Random(options.seed)
    windows = negatives.windows(held_out, options.completions, rng, (10,))
    files = [_asked(each) for each in negatives.whole_files(held_out)]
    kinds = ("verbatim", "renamed fully", "edited 20%")
    count = -(-options.completions // (2 * len(kinds) * 3))
    cases = plant_all(
        corpus,
        held_out,
        Plan(count, kinds, (10, 20), split="all", seed=options.seed),
        jobs=options.jobs,
    )
    copies = []
    for case in cases:
        rows = case.text.splitlines(keepends=True)
        first, last = case.first_line - 1, case.last_line
        before, copy, after = (
            "".join(each) for each in (rows[:first], rows[first:last], rows[last:])
        )
        copies.append(
            Asked(before, copy, after, case.host_language, case.host_path, is_completion=True)
        )
    chosen = rng.sample(files, min(options.files, len(files)))
    return {
        "completion": [_asked(each) for each in windows],
        "copy as completion": copies[: options.completions],
        "file": chosen,
        "file of 1,000 lines": [each for each in files if each.text.count("\n") >= 500],
    }


def _asked(probe: Probe) -> Asked:
    return Asked(
        probe.before, probe.text, probe.after, probe.language, probe.path, probe.is_completion
    )


def _warm(index: AttributionIndex, questions: Questions) -> Iterator[dict[str, Any]]:
    for what, asked in questions.items():
        for each in progress(asked, f"warming: {what}"):
            ask(index, each)
        took = list(timing.timed(lambda each: ask(index, each), asked))
        if what == "file of 1,000 lines":
            # By the line: few files have just so many.
            sizes = [each.text.count("\n") / 1000 for each in asked]
            took = [each / size for each, size in zip(took, sizes, strict=True)]
        yield timing.row(what, took, by="footnote", state="warm")


def _cold(folder: Path, questions: Questions, count: int) -> Iterator[dict[str, Any]]:
    opening: list[float] = []
    for what in ("completion", "copy as completion", "file"):
        asked = questions[what][:count]
        made = timing.in_fresh_processes(folder, [[each] for each in asked], cold=True)
        results = [next(made) for _ in progress(asked, f"cold: {what}")]
        opening += [each["open_ms"] for each in results]
        yield timing.row(
            what, [ms for each in results for ms in each["ask_ms"]], by="footnote", state="cold"
        )
    yield timing.row("opening the index", opening, by="footnote", state="cold")


def _resident(folder: Path, questions: Questions) -> dict[str, Any]:
    """Memory of a process that opened the index, and after it was asked much."""
    asked = [*questions["completion"], *questions["copy as completion"], *questions["file"]]
    (made,) = timing.in_fresh_processes(folder, [asked], cold=False)
    return {"opened": made["memory_opened"], "asked": made["memory"], "questions": len(asked)}


def _beside_infini_gram(
    corpus: Path, questions: Questions, options: argparse.Namespace
) -> list[dict[str, Any]]:
    from trainer.evaluation.attribution.peers import suffix_array

    if not suffix_array.is_installed():
        return []
    with tempfile.TemporaryDirectory(prefix="footnote-peers-", dir=corpus.parent) as place:
        built = suffix_array.index_corpus(progress_of(corpus), Path(place), jobs=options.jobs)
        engine = suffix_array.opened(Path(place))
        rows = []
        for what in ("completion", "copy as completion"):
            ids = [suffix_array.ids_of(each.text) for each in questions[what]]
            for name, call in suffix_array.look_ups(engine).items():
                for each in ids:
                    call(each)
                took = list(timing.timed(call, ids))
                rows.append(timing.row(what, took, by=f"infini-gram {name}", state="warm"))
        size = open_shards(corpus).bytes
        rows[0] |= {"index_ratio": round(suffix_array.size(Path(place)) / size, 4)}
        rows[0] |= {"build_mb_per_second": round(size / 1e6 / built, 2)}
    return rows


def progress_of(corpus: Path) -> Iterator[Document]:
    documents = read_documents(corpus)
    for _ in progress(range(open_shards(corpus).documents), "words for infini-gram"):
        yield next(documents)


def report(result: dict[str, Any]) -> str:
    """The result as text."""
    index, build = result["index"], result["build"]
    columns = ("what", "by", "state", "cases", "p50_ms", "p95_ms", "p99_ms")
    return "\n".join(
        [
            result["machine"],
            result["protocol"] + ".\n",
            table([{name: each[name] for name in columns} for each in result["latency"]]),
            "",
            f"index: {index['ratio']:.3f} of its corpus, {index['ratio_without_text']:.3f} without text",
            f"built: {build['mb_per_second']} MB/s on {build['jobs']} processes, a slice of "
            f"{build['megabytes']} MB in {build['seconds']} s",
            f"memory, MB: {result['memory']}",
            "",
            table(result["lexing"]),
        ]
    )
