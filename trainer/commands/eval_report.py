"""`footnote eval report`: the results of one or several models as one Markdown page."""

import argparse
import shlex
import sys
from pathlib import Path

from trainer.evaluation.collected import Record, page, read_records, without_texts
from trainer.evaluation.report import write_json, write_whole


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="footnote eval report",
        description="Collect results written with --json into one Markdown page, with the protocol "
        "and the command beside each number, the trivial floors, and published figures where the "
        "protocol is the same.",
        epilog="example: footnote eval report docs/evaluation --out docs/EVALUATION.md",
    )
    parser.add_argument("results", nargs="+", type=Path, help="JSON files, or folders of them")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it there (default: print)")
    parser.add_argument(
        "--records",
        type=Path,
        metavar="FOLDER",
        help="also keep the results there as FOLDER/MODEL/WHAT.json, without any package's text",
    )
    options = parser.parse_args(argv)
    try:
        records = read_records(options.results)
        shown = [options.records] if options.records else options.results
        text = page(records, _command(shown, options.out))
        if options.records:
            _keep(records, options.records)
        if options.out:
            write_whole(options.out, text)
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = f"a result lacks {error}: measure again" if isinstance(error, KeyError) else error
        sys.stderr.write(f"footnote eval report: {said}\n")
        return 2
    if not options.out:
        print(text)
    return 0


def _command(results: list[Path], out: Path | None) -> str:
    words = ["footnote", "eval", "report", *(each.as_posix() for each in results)]
    return shlex.join([*words, *(["--out", out.as_posix()] if out else [])])


def _keep(records: list[Record], folder: Path) -> None:
    taken: set[Path] = set()
    for record in records:
        name = record.kind
        if record.kind in ("infill", "functional"):
            benchmark = record.values.get("benchmark") or record.values["protocol"]["benchmark"]
            name += "" if benchmark == "held-out packages" else f"-{benchmark}"
        place = folder / (record.model or "index") / f"{_plain(name)}.json"
        if place in taken:
            raise ValueError(f"two results would be {place}: name one of them only")
        taken.add(place)
        write_json(place, without_texts(record))


def _plain(name: str) -> str:
    return "".join(each if each.isalnum() or each in "-." else "-" for each in name).strip("-.")
