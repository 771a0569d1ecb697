"""`footnote eval loss`: bits per byte on the held-out packages."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from indexer.home import held_out_folder
from indexer.shards import open_shards, read_documents
from trainer.commands.measurement import measurement
from trainer.evaluation.report import (
    comma_list,
    command_line,
    model_folder,
    progress,
    table,
    write_json,
)


@measurement("footnote eval loss")
def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    result = measure(model_folder(options.model), options, argv)
    print(f"{result['model']} on {result['held_out']}, {result['files_chosen']}")
    for window in result["windows"]:
        print(f"\n{result['protocol'][str(window)]}\n")
        print(table(pivot([row for row in result["languages"] if row["window"] == window])))
    if options.json:
        write_json(options.json, result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote eval loss",
        description="Bits per byte of whole held-out files, by language and by position in the "
        "file. Lower is better; models of any vocabulary can be compared, for bytes are bytes.",
        epilog="example: footnote eval loss --model some/folder --window 1024,8192 --json loss.json "
        "scores the same text with short and with long windows: where the second is better at "
        "positions 2K-8K, the model makes use of what it saw thousands of tokens ago.",
    )
    parser.add_argument(
        "--model",
        type=Path,
        help="checkpoint folder of any causal language model (default: the embedded one)",
    )
    parser.add_argument("--held-out", type=Path, help="folder of shards (default: the data folder)")
    parser.add_argument("--megabytes", type=float, default=1.0, help="per language (default 1)")
    parser.add_argument("--language", help="only this one (default: all there are)")
    parser.add_argument(
        "--window",
        help="tokens seen at once; several with commas (default 1024, or what the model takes)",
    )
    parser.add_argument(
        "--stride", type=int, help="tokens between windows (default: half a window)"
    )
    parser.add_argument(
        "--buckets",
        default="2048,8192",
        help="bounds of the positions in the file, in tokens (default 2048,8192)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default auto)")
    parser.add_argument(
        "--dtype", default="auto", help="auto (as stored), float32, bfloat16 or float16"
    )
    parser.add_argument(
        "--batch", type=int, default=8192, help="tokens run at once, memory for speed (8192)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result here as well")
    return parser


def measure(folder: Path, options: argparse.Namespace, argv: Sequence[str]) -> dict[str, Any]:
    """Score the chosen files with the model in `folder`; shows progress on stderr."""
    windows = comma_list(options.window, "--window") if options.window else []
    bounds = comma_list(options.buckets, "--buckets")
    held_out = options.held_out or held_out_folder()
    manifest = open_shards(held_out)
    columns = ("text", "language", "sha256")
    documents = [
        each
        for each in read_documents(held_out, columns)
        if options.language in (None, each.language)
    ]

    from trainer.evaluation import loss
    from trainer.evaluation.causal import load_causal

    chosen = loss.choose(documents, int(options.megabytes * 1e6))
    if not chosen:
        raise ValueError(
            f"{held_out} has no file to score: leave out --language, or give more --megabytes"
        )
    model = load_causal(folder, device=options.device, dtype=options.dtype)
    rows: list[dict[str, Any]] = []
    protocols = {}
    windows = windows or [min(1024, model.positions)]
    for window in windows:
        stride = options.stride or max(1, window // 2)
        found = loss.measure(
            model,
            chosen,
            window=window,
            stride=stride,
            bounds=bounds,
            budget=options.batch,
            seen=lambda items: progress(items, "bits per byte"),
        )
        rows += [{"window": window, **asdict(each)} for each in found]
        protocols[str(window)] = loss.PROTOCOL.format(
            window=window, stride=stride, kept=window - stride
        )
    return {
        "evaluation": "loss",
        **model.about(),
        "held_out": f"{manifest.name} {manifest.corpus_hash[:12]}",
        "command": command_line("loss", argv),
        "protocol": protocols,
        "files_chosen": f"files by content hash, {options.megabytes:g} MB per language",
        "windows": windows,
        "languages": rows,
    }


def pivot(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line per language, with a column for each position."""
    lines: dict[str, dict[str, Any]] = {}
    positions = list(dict.fromkeys(row["position"] for row in rows if row["language"] == "all"))
    for row in rows:
        line = lines.setdefault(
            row["language"],
            {"language": row["language"], "files": 0, "MB": 0.0, "bits per byte": 0.0}
            | dict.fromkeys(positions[:-1]),
        )
        if row["position"] == "all":
            line |= {
                "files": row["files"],
                "MB": row["bytes"] / 1e6,
                "bits per byte": row["bits_per_byte"],
            }
        else:
            line[row["position"]] = row["bits_per_byte"]
    return list(lines.values())
