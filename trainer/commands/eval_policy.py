"""`footnote eval policy`: what to show, how long, from how long a prompt; chosen by measurement."""

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.checkpoint import ABOUT, dump, read_checkpoint, sha256_of
from engine.serving import Serving, serving_to_json
from indexer.home import held_out_folder
from indexer.shards import open_shards, read_documents
from trainer.commands.measurement import measurement
from trainer.evaluation import cases as gaps
from trainer.evaluation import policy
from trainer.evaluation.cases import Case
from trainer.evaluation.policy import Reply
from trainer.evaluation.report import (
    comma_list,
    command_line,
    model_folder,
    progress,
    table,
    write_json,
)

_SHOWN = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


@measurement("footnote eval policy")
def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    folder = model_folder(options.model)
    prompts = comma_list(options.prompts, "--prompts")
    result, replies, serving = measure(folder, prompts, options, argv)
    _report(result)
    if options.json:
        write_json(options.json, result)
    if options.plot:
        policy.draw(_curves(replies, serving), serving.min_confidence, options.plot)
    if options.save:
        _save(folder, serving)
        print(f"\nwritten to {folder / ABOUT}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote eval policy",
        description="How a model is best served: the confidence below which nothing is shown, one "
        "line or several, the length of the prompt.",
        epilog=f"The rule: {policy.RULE}. Example: footnote eval policy --model runs/small/export "
        "--plot policy.png --save",
    )
    parser.add_argument("--model", type=Path, help="checkpoint folder (default: the embedded one)")
    parser.add_argument("--held-out", type=Path, help="folder of shards (default: the data folder)")
    parser.add_argument(
        "--cases", type=int, default=80, help="gaps per kind and language (default 80)"
    )
    parser.add_argument("--language", help="only this one (default: all with such gaps)")
    parser.add_argument(
        "--prompts",
        default="512,1024,2048",
        metavar="TOKENS",
        help="prompt lengths to try, with commas (default 512,1024,2048)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="result with the whole curves")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="the curves as a picture")
    parser.add_argument(
        "--save", action="store_true", help="write the policy into the model's footnote.json"
    )
    return parser


def measure(
    folder: Path, prompts: Sequence[int], options: argparse.Namespace, argv: Sequence[str]
) -> tuple[dict[str, Any], dict[policy.Way, list[Reply]], Serving]:
    """Ask in all ways; shows progress on stderr. ValueError when there are no gaps."""
    import engine

    if options.cases < 1:
        raise ValueError("--cases must be 1 or more")
    held_out = options.held_out or held_out_folder()
    manifest = open_shards(held_out)
    cases = _cases(list(read_documents(held_out)), options)
    if not cases:
        raise ValueError(f"{held_out} has no such gaps: leave out --language")
    halved = policy.for_choosing(cases)
    if len(halved) == len({policy.package_of(each) for each in cases}):
        raise ValueError(f"{held_out} cannot be halved: it takes gaps of two packages or more")
    checkpoint = read_checkpoint(folder)
    prompts = sorted({min(each, checkpoint.shape.positions * 3 // 4) for each in prompts})
    replies: dict[policy.Way, list[Reply]] = {}
    for prompt in prompts:
        completer = engine.load(folder, prompt_tokens=prompt)
        for lines in (True, False):
            what = f"{prompt} tokens, {'several lines' if lines else 'one line'}"
            replies[prompt, lines] = list(
                policy.ask(completer, progress(cases, what), multiline=None if lines else False)
            )
        completer.close()

    def half(found: Sequence[Reply], *, chosen: bool) -> list[Reply]:
        return [each for each in found if (policy.package_of(each.case) in halved) is chosen]

    serving = policy.choose({way: half(found, chosen=True) for way, found in replies.items()})
    found = replies[serving.prompt_tokens, serving.multiline]
    halves = {
        "all of them": found,
        "chosen on": half(found, chosen=True),
        "reported on": half(found, chosen=False),
    }
    return (
        {
            "evaluation": "policy",
            "model": checkpoint.name,
            "weights": {file.name: sha256_of(file) for file in checkpoint.weights},
            "command": command_line("policy", argv),
            "protocol": f"Held-out packages {manifest.corpus_hash[:12]}: {policy.PROTOCOL}. "
            f"{gaps.PROTOCOL}",
            "rule": policy.RULE,
            "serving": asdict(serving),
            "ways": [_way(way, all_) for way, all_ in replies.items()],
            "curves": {
                name: [each.row() for each in policy.curve(some)] for name, some in halves.items()
            },
            "languages": {
                language: policy.outcome(
                    [each for each in found if each.case.language == language],
                    serving.min_confidence,
                ).row()
                for language in sorted({each.case.language for each in found})
            },
        },
        replies,
        serving,
    )


def _cases(documents: list[Any], options: argparse.Namespace) -> list[Case]:
    return [
        case
        for language in gaps.languages_of(documents)
        if options.language in (None, language)
        for kind in ("line", "block")
        for case in gaps.draw(documents, kind=kind, language=language, count=options.cases)
    ]


def _way(way: policy.Way, replies: Sequence[Reply]) -> dict[str, Any]:
    row = policy.outcome(replies, 0.0).row()
    return {
        "prompt": way[0],
        "lines": "several" if way[1] else "one",
        **{name: row[name] for name in row if name != "confidence"},
        "median_ms": round(statistics.median(each.milliseconds for each in replies), 1),
    }


def _curves(
    replies: dict[policy.Way, list[Reply]], serving: Serving
) -> dict[str, Sequence[policy.Outcome]]:
    found = replies[serving.prompt_tokens, serving.multiline]
    groups = {"all": found} | {
        language: [each for each in found if each.case.language == language]
        for language in sorted({each.case.language for each in found})
    }
    return {name: policy.curve(some) for name, some in groups.items()}


def _report(result: dict[str, Any]) -> None:
    print(f"{result['protocol']}\n")
    print(table(result["ways"]))
    points = {round(each["confidence"], 2): each for each in result["curves"]["reported on"]}
    chosen = result["serving"]["min_confidence"]
    print("\nOn the packages that nothing was chosen on:\n")
    print(table([points[each] for each in sorted({*_SHOWN, chosen})]))
    print(f"\nThe rule: {result['rule']}.")
    for name, value in result["serving"].items():
        print(f"  {name} = {value}")


def _save(folder: Path, serving: Serving) -> None:
    path = folder / ABOUT
    if not path.is_file():
        raise ValueError(f"{folder} has no {ABOUT}: the policy can be kept in models of ours only")
    about = json.loads(path.read_text(encoding="utf-8"))
    staging = path.with_name(f".{path.name}.tmp")
    dump(staging, {**about, "serving": serving_to_json(serving)})
    staging.replace(path)
