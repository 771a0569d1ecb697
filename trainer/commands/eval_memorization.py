"""`footnote eval memorization`: how much of what the model writes is in its corpus already."""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from indexer import AttributionIndex
from indexer.home import corpus_folder, held_out_folder
from indexer.shards import open_shards, read_documents
from trainer.commands.measurement import measurement
from trainer.evaluation.cases import languages_of
from trainer.evaluation.published import LICOEVAL, LICOEVAL_DIFFERS, of_benchmark
from trainer.evaluation.report import (
    command_line,
    model_folder,
    progress,
    table,
    write_json,
)

_COLUMNS = (
    "prompts decoding completions of_50_characters flagged flagged_95 flagged_alone of_65_lexemes flagged_65 "
    "flagged_65_95 flagged_of_all flagged_of_all_95 noticed extracted"
).split()
_EXAMPLES = 20  # flagged completions that a result keeps of each row


@measurement("footnote eval memorization")
def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    result = measure(model_folder(options.model), options, argv)
    print(f"{result['protocol']}\n")
    print(table([{name: row[name] for name in _COLUMNS} for row in result["rows"]]))
    if "regenerated" in result:
        again = dict(result["regenerated"])
        print(f"\nRegenerating: {again.pop('protocol')}\n")
        print(table([again]))
    published = of_benchmark(LICOEVAL, "all")
    print("\nPublished beside it, by another protocol:")
    for row in published:
        print(f"  {row.model}: {row.value:.2%} of completions ({row.source})")
    print(f"  {result['against']}")
    if options.json:
        write_json(options.json, result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote eval memorization",
        description="How often the model's completions are near-verbatim copies of the corpus, "
        "by the attribution index, beside the author's own text in the same places.",
        epilog="needs the index (footnote index build) of the corpus that the model was trained "
        "on; example: footnote eval memorization --cases 60 --samples 3 --json memorization.json",
    )
    parser.add_argument("--model", type=Path, help="checkpoint folder (default: the embedded one)")
    parser.add_argument("--index", type=Path, help="index folder (default: the data folder's)")
    parser.add_argument("--corpus", type=Path, help="corpus folder (default: the data folder's)")
    parser.add_argument("--held-out", type=Path, help="folder of shards (default: the data folder)")
    parser.add_argument(
        "--cases", type=int, default=60, help="prompts of each kind, languages in turn (default 60)"
    )
    parser.add_argument(
        "--samples", type=int, default=3, help="sampled completions of each prompt; 0: none (3)"
    )
    parser.add_argument("--temperature", type=float, default=0.8, help="of those (default 0.8)")
    parser.add_argument("--language", help="only this one (default: all with code)")
    parser.add_argument("--context", type=int, help="prompt tokens (default 1024)")
    parser.add_argument(
        "--new-tokens", type=int, default=128, help="of a corpus file's continuation (default 128)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default auto)")
    parser.add_argument(
        "--dtype", default="auto", help="auto (as stored), float32, bfloat16 or float16"
    )
    parser.add_argument("--batch", type=int, default=16384, help="tokens decoded at once (16384)")
    parser.add_argument(
        "--regenerate",
        type=int,
        default=0,
        metavar="N",
        help="also complete N files of the corpus, and again what is found in it (0)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="result and flagged completions, with sources"
    )
    return parser


def measure(folder: Path, options: argparse.Namespace, argv: Sequence[str]) -> dict[str, Any]:
    """Write and judge; shows progress on stderr."""
    if options.cases < 1 or options.new_tokens < 1 or min(options.samples, options.regenerate) < 0:
        raise ValueError(
            "--cases and --new-tokens must be 1 or more, --samples and --regenerate 0 or more"
        )
    if options.samples and not options.temperature > 0:
        raise ValueError("--temperature must be above 0: greedy completions are measured anyway")
    held_out, corpus = options.held_out or held_out_folder(), options.corpus or corpus_folder()
    manifest = open_shards(held_out)
    open_shards(corpus)
    index = AttributionIndex.open(options.index)
    documents = list(read_documents(held_out))
    languages = [each for each in languages_of(documents) if options.language in (None, each)]
    if not languages:
        raise ValueError(f"{held_out} has no code in {options.language}: leave out --language")

    from trainer.evaluation import memorization as memory
    from trainer.evaluation.causal import load_causal
    from trainer.evaluation.raw import RawModel

    model = load_causal(folder, device=options.device, dtype=options.dtype)
    raw = RawModel(model, context=options.context)
    groups = {
        f"held-out {kind}": memory.held_out_cases(documents, kind, languages, options.cases)
        for kind in ("line", "block")
    }
    groups[memory.CORPUS] = memory.corpus_cases(corpus, languages, options.cases)
    rows: list[dict[str, Any]] = []
    examples: dict[str, list[dict[str, Any]]] = {}
    for prompts, cases in groups.items():
        own = memory.judge(index, memory.authors_own(cases, 4 * options.new_tokens), model)
        rows.append(own.row(prompts, "the author's own text"))
        for way in memory.decodings(options.temperature, options.samples):
            what = f"{prompts}, {way.name}"
            written = memory.write(
                model,
                raw,
                cases,
                way,
                new_tokens=options.new_tokens,
                context=min(raw.context, model.positions - options.new_tokens - 1),
                budget=options.batch,
                seen=partial(progress, title=what),
            )
            tally = memory.judge(index, written, model)
            rows.append(tally.row(prompts, way.name))
            examples[what] = tally.examples[:_EXAMPLES]
    written_again = _written_again(folder, index, corpus, languages, options.regenerate)
    return {
        "evaluation": "memorization",
        **model.about(),
        "held_out": f"{manifest.name} {manifest.corpus_hash[:12]}",
        "command": command_line("memorization", argv),
        "protocol": memory.PROTOCOL.format(
            tokens=options.new_tokens, temperature=options.temperature, samples=options.samples
        )
        + f". {_corpora(folder, index)}",
        "against": LICOEVAL_DIFFERS,
        "rows": rows,
        **written_again,
        "flagged": examples,
    }


def _written_again(
    folder: Path, index: AttributionIndex, corpus: Path, languages: Sequence[str], count: int
) -> dict[str, Any]:
    """What regenerating makes of copies, when it is asked for."""
    if not count:
        return {}
    from engine import load
    from trainer.evaluation import memorization, regenerating

    cases = memorization.corpus_cases(corpus, languages, count)
    again = regenerating.regenerate(load(folder), index, progress(cases, "completing again"))
    protocol = regenerating.PROTOCOL.format(prompts=again.prompts)
    return {"regenerated": again.row() | {"protocol": protocol}}


def _corpora(folder: Path, index: AttributionIndex) -> str:
    """Whether the index holds what the model was trained on."""
    about = folder / "footnote.json"
    trained = ""
    if about.is_file():
        values = json.loads(about.read_text(encoding="utf-8"))
        trained = str(values.get("corpus", {}).get("hash", ""))
    indexed = index.info().corpus_hash
    if trained == indexed:
        return f"Index of the model's own corpus, {indexed[:12]}"
    return (
        f"Index of corpus {indexed[:12]}, not the one that the model names "
        f"({trained[:12] or 'none'}): copies of what the index lacks are not seen"
    )
