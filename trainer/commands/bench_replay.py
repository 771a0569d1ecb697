"""`footnote bench replay`: somebody types for half an hour; does memory stay flat?"""

import argparse
import json
import sys
from dataclasses import asdict
from math import nan
from pathlib import Path

from engine.api import ModelUnavailable
from indexer.shards import CorpusUnavailable
from trainer.commands.bench_completion import typing_sessions
from trainer.evaluation.latency import machine, memory_mb
from trainer.evaluation.replay import Replay, replay
from trainer.evaluation.report import model_path, write_json


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        if options.minutes <= 0:
            raise ValueError("--minutes must be more than 0")
        seen = _run(options)
    except (CorpusUnavailable, ModelUnavailable, OSError, ValueError) as error:
        sys.stderr.write(f"footnote bench replay: {error}\n")
        return 2
    result = {"machine": machine(), **asdict(seen)}
    if options.json == "-":
        print(json.dumps(result, indent=1))
        return 0
    if options.json:
        write_json(Path(options.json), result)
    first, last = (seen.memory_mb[0], seen.memory_mb[-1]) if seen.memory_mb else (nan, nan)
    print(
        f"{seen.requests:,} requests in {seen.minutes:.0f} minutes. The model's process held "
        f"{first:.0f} MB at first and {last:.0f} MB at last; a keystroke took "
        f"{seen.first_p50_ms:.1f} ms (p50) in the first third and {seen.last_p50_ms:.1f} ms in "
        "the last."
    )
    return 0


def _run(options: argparse.Namespace) -> Replay:
    import engine

    typed = typing_sessions(options.folder, options.sessions, options.keystrokes)
    worker = engine.load_in_worker(model_path(options.model))
    try:
        worker.describe()
        for seen in replay(worker, typed, options.minutes, lambda: memory_mb(worker.process_id)):
            held = f"{seen.memory_mb[-1]:.0f} MB" if seen.memory_mb else "memory is not told here"
            sys.stderr.write(f"{seen.minutes:.0f} min, {seen.requests:,} requests, {held}\n")
    finally:
        worker.close()
    return seen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote bench replay",
        description="Type in real files with a typist's pauses, and watch the model's process.",
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, help="source files (default: the held-out packages)"
    )
    parser.add_argument(
        "--model", type=Path, help="checkpoint folder or GGUF file (default: the embedded one)"
    )
    parser.add_argument("--minutes", type=float, default=30, help="how long (default 30)")
    parser.add_argument("--sessions", type=int, default=24, help="files to work in (default 24)")
    parser.add_argument("--keystrokes", type=int, default=30, help="in each file (default 30)")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="JSON to a file, or instead of text"
    )
    return parser
