"""`footnote eval loss`: bits per byte on the held-out packages."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from indexer.home import held_out_folder
from indexer.shards import CorpusUnavailable, open_shards, read_documents
from trainer.evaluation import loss
from trainer.evaluation.report import model_folder, progress, quiet, table, write_json


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        folder = model_folder(options.model)
        result = measure(folder, options)
    except (CorpusUnavailable, OSError, ValueError) as error:
        sys.stderr.write(f"footnote eval loss: {error}\n")
        return 2
    rows = [asdict(each) for each in result["languages"]]
    print(f"{result['model']} on {result['held_out']}: {result['protocol']}\n")
    print(table(rows))
    if options.json:
        write_json(options.json, {**result, "languages": rows})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote eval loss", description="Bits per byte of whole files, by language."
    )
    parser.add_argument("--model", type=Path, help="checkpoint folder (default: the embedded one)")
    parser.add_argument("--held-out", type=Path, help="folder of shards (default: the data folder)")
    parser.add_argument("--megabytes", type=float, default=1.0, help="per language (default 1)")
    parser.add_argument("--window", type=int, default=1024, help="tokens (default 1024)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result here as well")
    return parser


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Score the chosen files with the model in `folder`; shows progress on stderr."""
    quiet()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    held_out = options.held_out or held_out_folder()
    manifest = open_shards(held_out)
    columns = ("text", "language", "sha256")
    chosen = loss.choose(read_documents(held_out, columns), int(options.megabytes * 1e6))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    loading: Any = AutoModelForCausalLM
    model = loading.from_pretrained(folder, dtype=torch.bfloat16)
    model.eval()
    sums = loss.Sums()
    stride = options.window // 2
    for document in progress(chosen, "bits per byte"):
        ids = tokenizer(
            document.text, add_special_tokens=False, split_special_tokens=True
        ).input_ids
        tokens = [tokenizer.eos_token_id, *ids]
        nats = loss.document_nats(model, tokens, window=options.window, stride=stride)
        sums.add(document.language, size=document.size, tokens=len(ids), nats=nats)
    return {
        "model": _name(folder),
        "held_out": f"{manifest.name} {manifest.corpus_hash[:12]}",
        "protocol": loss.PROTOCOL.format(
            window=options.window, stride=stride, kept=options.window - stride
        ),
        "files_chosen": f"by content hash, {options.megabytes:g} MB per language",
        "languages": sums.result(),
    }


def _name(folder: Path) -> str:
    about = folder / "footnote.json"
    if about.is_file():
        return str(json.loads(about.read_text(encoding="utf-8"))["name"])
    return folder.name
