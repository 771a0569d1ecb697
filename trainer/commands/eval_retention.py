"""`footnote eval retention`: two checkpoints on the same held-out text, side by side."""

import argparse
from dataclasses import asdict
from pathlib import Path

from trainer.commands.measurement import measurement
from trainer.evaluation.report import command_line, table, write_json


@measurement("footnote eval retention", KeyError)
def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="footnote eval retention",
        description="What fine-tuning gained in one language and cost in the others: bits per byte "
        "(lower is better) and infilling (higher is better), before and after.",
        epilog="example: footnote eval retention runs/base/export runs/python/export",
    )
    add = parser.add_argument
    add("before", type=Path, help="checkpoint folder, or a result's JSON")
    add("after", type=Path, help="the same of the other")
    add("--held-out", type=Path, help="folder of shards (default: the data folder)")
    add("--megabytes", type=float, default=0.1, help="per language, of folders (default 0.1)")
    add("--cases", type=int, default=50, help="gaps per kind and language (default 50)")
    add("--device", default="auto", help="auto, cpu or cuda (default auto)")
    add("--dtype", default="auto", help="auto (as stored), float32, bfloat16 or float16")
    add("--json", type=Path, metavar="FILE", help="write the rows here as well")
    options = parser.parse_args(argv)
    from trainer.evaluation.retention import retention

    rows = retention(
        options.before,
        options.after,
        held_out=options.held_out,
        megabytes=options.megabytes,
        cases=options.cases,
        device=options.device,
        dtype=options.dtype,
    )
    plain = [asdict(each) for each in rows]
    print(table(plain))
    if options.json:
        write_json(
            options.json,
            {"evaluation": "retention", "command": command_line("retention", argv), "rows": plain},
        )
    return 0
