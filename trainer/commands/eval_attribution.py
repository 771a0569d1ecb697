"""`footnote eval attribution`: how many planted copies are found, and what is flagged wrongly."""

import argparse
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from indexer import AttributionIndex, IndexInfo, match_json
from indexer.attribution import phrases, rarity
from indexer.document import Document
from indexer.home import corpus_folder, held_out_folder
from indexer.shards import open_shards, read_documents
from trainer.commands.measurement import measurement
from trainer.evaluation.attribution import adjudication, negatives, scores
from trainer.evaluation.attribution.checking import (
    MODES,
    Flagged,
    Probe,
    ask_about,
    ask_about_copy,
    ask_about_probe,
    ask_about_window,
    in_processes,
)
from trainer.evaluation.attribution.formatting import described
from trainer.evaluation.attribution.others import Other, files_of, packages_under, roots_under
from trainer.evaluation.attribution.passages import SCRIPTS
from trainer.evaluation.attribution.planting import (
    GROUPS,
    KINDS,
    LENGTHS,
    Case,
    Plan,
    plant_all,
)
from trainer.evaluation.attribution.splits import SPLITS, is_in
from trainer.evaluation.report import command_line, progress, table, write_json

T = TypeVar("T")

PROTOCOL = (
    "passages of corpus packages, packages in turn, cut at borders between statements to 5, 10, 20 "
    "or 40 lines that are not blank (no tables, imports or remarks), copied by kind ({kinds}; "
    "formatted by {formatters}), one at a time into files of 20 to 400 lines of held-out packages; "
    "document: the whole file is checked; completion: the copy is a completion there; accepts: it "
    "comes in parts of 15 to 64 lexemes, each judged as it is accepted; alone: nothing around it. A "
    "copy is found when a match lies on half of its lines or itself on the copy to four fifths; a "
    "source is right when it is the file or has the passage byte for byte. Texts of fewer than 50 "
    "lexemes are silent by design and count as missed, but in the column that says so. Negatives: "
    "held-out files as they are, windows of them as completions, boilerplate, licence headers and "
    "tables{solutions}{others}. Packages, of the corpus and held out, are split by a hash of their name: "
    "thresholds are fitted on one half, this is the {split} half. Intervals: 95%, packages drawn "
    "anew 1,000 times"
)


@measurement("footnote eval attribution")
def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    if options.fit is not None:
        print(fit_anew(options))
        return 0
    result = measure(options, argv)
    print(report(result))
    if options.list and "flagged" in result:
        print(listing(result))
    if options.json:
        write_json(options.json, result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote eval attribution",
        description="Plant copies of corpus passages in held-out files and look for them; look for "
        "copies where there should be none.",
        epilog="JavaScript is laid out anew by prettier where it is installed: on the path, or by "
        "`npm install --prefix DATA/tools prettier`, DATA being the data folder. Example: "
        "footnote eval attribution --count 30 --jobs 2 --json attribution.json",
    )
    parser.add_argument(
        "--count", type=int, default=25, help="copies of each kind, length and language (25)"
    )
    parser.add_argument(
        "--windows",
        type=int,
        default=1000,
        help="completions without copies, of each length (1000)",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the draw (1)")
    parser.add_argument(
        "--split", choices=SPLITS, default="test", help="packages to copy from and into (test)"
    )
    for name, every in (("kinds", KINDS), ("lengths", LENGTHS), ("groups", GROUPS)):
        said = ", ".join(str(each) for each in every)
        # A kind may be called by a percentage, which argparse would take for a format.
        said = said.replace("%", "%%")
        parser.add_argument(f"--{name}", help=f"only these, with semicolons between: {said}")
    parser.add_argument("--index", type=Path, help="index folder (default: the data folder's)")
    parser.add_argument("--corpus", type=Path, help="corpus folder (default: the data folder's)")
    parser.add_argument("--held-out", type=Path, help="folder of shards (default: the data folder)")
    parser.add_argument(
        "--solutions", type=Path, nargs="*", default=[], help="JSON lines of solutions to tasks"
    )
    parser.add_argument(
        "--others",
        type=Path,
        nargs="*",
        default=[],
        metavar="FOLDER",
        help="check the packages in these folders as well, one folder each: none that the corpus has",
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument(
        "--peers",
        action="store_true",
        help="only what peers find, on the whole corpus: minutes; infini-gram if it is installed",
    )
    parser.add_argument(
        "--list", action="store_true", help="print flagged texts with their sources"
    )
    parser.add_argument(
        "--fit",
        nargs="*",
        metavar="FOLDER",
        type=Path,
        help="instead count which tokens and phrases are common and fit what the matcher weighs, on the tuning half "
        "and on the packages in these folders, one folder each, of which the corpus must have nothing",
    )
    parser.add_argument(
        "--phrases",
        nargs="*",
        default=[],
        metavar="FOLDER",
        type=Path,
        help="and count the phrases of the packages in these folders as well, about which nothing else is asked",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the result there as well")
    return parser


def _chosen(given: str | None, every: Iterable[Any], option: str) -> list[Any]:
    known = {str(each): each for each in every}
    words = [each.strip() for each in given.split(";")] if given else list(known)
    wrong = [each for each in words if each not in known]
    if wrong:
        raise ValueError(f"{option}: {wrong[0]} is none of {', '.join(known)}")
    return [known[each] for each in words]


def fit_anew(options: argparse.Namespace) -> str:
    """Counts what is common and fits the weights, on the tuning half; says to what."""
    from trainer.evaluation.attribution import counting, fitting

    corpus = options.corpus or corpus_folder()
    held_out = [
        each
        for each in read_documents(options.held_out or held_out_folder())
        if is_in(each.package, "tuning")
    ]
    packages = list(packages_under(options.fit, "tuning"))
    others = [
        Other(each.package, each.path, each.text, each.language)
        for each in held_out
        if each.language in ("python", *SCRIPTS)
    ]
    tables = Path(rarity.__file__).parent
    counting.count_rarity(read_documents(corpus), tables / rarity.TABLE)
    documents = counting.of_documents(read_documents(corpus))
    named = counting.of_others(progress(packages, "counting the phrases of other packages"))
    roots = progress(roots_under(options.phrases, "tuning"), "counting those of more packages")
    more = counting.of_more(each for root in roots for each in files_of(root))
    counter = counting.phrases_of(itertools.chain(documents, named, more))
    halves = [counter.phrases(partial(counting.is_not_of_half, half)) for half in (0, 1)]
    phrases.write(counter.phrases(), tables / phrases.TABLE)
    cases = plant_all(
        corpus, held_out, Plan(options.count, split="tuning", seed=options.seed), jobs=options.jobs
    )
    known = adjudication.read() + adjudication.read(adjudication.OTHERS)
    recorder = fitting.Recorder(counter.phrases())
    copies = fitting.of_copies(
        AttributionIndex.open(options.index, judge=recorder), recorder, cases
    )
    rows, lines = fitting.rows_of_halves(others + packages, options.index, halves, known)
    return fitting.written(copies, rows, lines, fitting.scale_file())


def measure(options: argparse.Namespace, argv: Sequence[str]) -> dict[str, Any]:
    """The whole protocol, as one plain value."""
    if min(options.count, options.windows) < 0 or options.jobs < 1:
        raise ValueError("--count and --windows must be 0 or more, --jobs 1 or more")
    index = AttributionIndex.open(options.index)
    held_out = [
        each
        for each in read_documents(options.held_out or held_out_folder())
        if is_in(each.package, options.split)
    ]
    plan = Plan(
        options.count,
        _chosen(options.kinds, KINDS, "--kinds"),
        _chosen(options.lengths, LENGTHS, "--lengths"),
        _chosen(options.groups, GROUPS, "--groups"),
        options.split,
        options.seed,
    )
    cases = plant_all(options.corpus or corpus_folder(), held_out, plan, jobs=options.jobs)
    about = {
        "command": command_line("attribution", argv),
        "protocol": PROTOCOL.format(
            kinds="; ".join(f"{name}: {KINDS[name]}" for name in plan.kinds),
            formatters=described(),
            solutions=", solutions to tasks" if options.solutions else "",
            others=", files of other packages, at most 40,000 lines of each"
            if options.others
            else "",
            split=options.split,
        ),
        "split": options.split,
        "seed": options.seed,
        "index": {k: v for k, v in asdict(index.info()).items() if k != "files"},
    }
    if options.peers:
        return {**about, **_beside_peers(options, cases, held_out, index.info())}
    return {**about, **_found(options, cases, held_out)}


def _found(
    options: argparse.Namespace, cases: Sequence[Case], held_out: Sequence[Document]
) -> dict[str, Any]:
    """What Footnote says of copies and of texts that are none."""
    found = in_processes(ask_about, cases, options.index, options.jobs)
    answers = list(zip(cases, _shown(found, len(cases), "copies"), strict=True))
    probes = _probes(options, held_out)
    asked = in_processes(ask_about_probe, probes, options.index, options.jobs)
    flagged = [each for some in _shown(asked, len(probes), "texts without copies") for each in some]
    known = adjudication.read() + adjudication.read(adjudication.OTHERS)
    read = [
        (
            each,
            adjudication.verdict_on(each.text, each.package, each.match.source.package, known),
        )
        for each in flagged
    ]
    return {
        "evaluation": "attribution",
        "copies": [
            row
            for mode in MODES
            for row in scores.copy_rows(answers, mode, by_group=mode == "document")
        ],
        "kinds": scores.kind_rows(answers),
        "calibration": scores.calibration_rows(answers, flagged),
        "negatives": scores.negative_rows(probes, read),
        "precision": adjudication.precision(
            verdict for each, verdict in read if each.match.tier == "warning"
        ),
        "flagged": [_listed(each, verdict) for each, verdict in read],
        "missed": [_named(case) for case, seen in answers if seen["document"].tier != "warning"],
    }


def _named(case: Case) -> dict[str, Any]:
    """A copy that nobody was warned of, for whoever improves the matcher."""
    origins = [f"{o.package}/{o.path}:{o.first_line}-{o.last_line}" for o in case.origins]
    about = {"kind": case.kind, "lines": case.lines, "lexemes": case.lexemes}
    return {**about, "from": origins, "at": f"{case.host}:{case.first_line}", "text": case.copy}


def _beside_peers(
    options: argparse.Namespace,
    cases: Sequence[Case],
    held_out: Sequence[Document],
    info: IndexInfo,
) -> dict[str, Any]:
    """What Footnote and its peers say of the same copies and windows."""
    from trainer.evaluation.attribution.peers import comparison

    corpus = options.corpus or corpus_folder()
    lengths = sorted({case.lines for case in cases})
    windows = negatives.windows(held_out, options.windows, Random(options.seed), lengths)
    copies = in_processes(ask_about_copy, cases, options.index, options.jobs)
    said = list(_shown(copies, len(cases), "copies"))
    asked = in_processes(ask_about_window, windows, options.index, options.jobs)
    seen = list(_shown(asked, len(windows), "windows"))
    ours = comparison.ours(said, seen, info.size_without_text / max(1, info.bytes))
    texts = [(case.copy, case.lines) for case in cases]
    texts += [
        (each.text, sum(map(bool, map(str.strip, each.text.split("\n"))))) for each in windows
    ]
    documents = open_shards(corpus).documents
    made = comparison.methods(
        corpus,
        texts,
        cases,
        jobs=options.jobs,
        shown=lambda found: _shown(iter(found), documents, "the corpus for peers"),
    )
    return {
        "evaluation": "attribution-peers",
        "against": comparison.PROTOCOL,
        "peers": comparison.rows([ours, *made], cases, windows),
    }


def _probes(options: argparse.Namespace, held_out: Sequence[Document]) -> list[Probe]:
    probes = negatives.whole_files(held_out)
    probes += negatives.windows(held_out, options.windows, Random(options.seed))
    probes += negatives.of_packages(packages_under(options.others, options.split))
    return [*probes, *negatives.boilerplate(), *negatives.solutions(options.solutions)]


def _shown(found: Iterator[T], count: int, what: str) -> Iterator[T]:
    seen = iter(progress(range(count), f"checking {what}"))
    for each in found:
        next(seen, None)
        yield each
    next(seen, None)


def _listed(flagged: Flagged, verdict: str) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "at": flagged.probe,
        "group": flagged.group,
        "match": match_json(flagged.match),
        "text": flagged.text,
        "source_text": flagged.source_text,
    }


_COLUMNS = (
    "kind lines group cases warned warned_95 noticed warned_of_50_lexemes source_1 source_3 text_iou source_iou"
).split()


def report(result: dict[str, Any]) -> str:
    """The result as text."""
    parts = [result["protocol"] + ".\n"]
    if "peers" in result:
        return "\n".join([*parts, result["against"] + ".\n", table(result["peers"])])
    for mode in MODES:
        rows = [row for row in result["copies"] if row["mode"] == mode]
        parts += [f"copies, {mode}", table([{n: row[n] for n in _COLUMNS} for row in rows]), ""]
    parts += ["called", table([{**e, "called": _counts(e["called"])} for e in result["kinds"]]), ""]
    parts += ["texts that are no copies", table(result["negatives"]), ""]
    parts += ["warnings on them, read", table([result["precision"]])]
    return "\n".join(parts)


def listing(result: dict[str, Any]) -> str:
    """Every warning on a text that should have none, with both sides."""
    parts = []
    for each in result["flagged"]:
        if each["match"]["tier"] == "warning":
            match, source = each["match"], each["match"]["source"]
            parts += [
                f"== {each['verdict']}: {each['at']} ({each['group']})",
                f"{match['kind']} {match['similarity']:.0%}, {match['matched_tokens']} tokens",
                each["text"],
                f"-- {source['package']}/{source['path']}:{source['start_line']}",
                each["source_text"],
            ]
    return "\n".join(parts)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
