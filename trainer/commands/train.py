"""`footnote train`: learn a vocabulary, then a model."""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from indexer.document import Document
from indexer.home import corpus_folder, data_home
from indexer.shards import CorpusUnavailable, open_shards, read_documents
from trainer.commands.train_finetune import add_finetune
from trainer.commands.train_parcel import add_parcel
from trainer.commands.train_pretrain import add_pretrain
from trainer.config import RecipeError


def main(argv: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        code: int = options.run(options)
    except (RecipeError, CorpusUnavailable, FileNotFoundError, ValueError) as error:
        sys.stderr.write(f"footnote train: {error}\n")
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote train", description="Learn a vocabulary and a model from the corpus."
    )
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    tokenizer = commands.add_parser("tokenizer", help="learn the byte-level BPE")
    tokenizer.add_argument("--corpus", type=Path, help="folder of shards (default: the corpus)")
    tokenizer.add_argument("--out", type=Path, help="default: the data folder's tokenizer/")
    tokenizer.add_argument("--size", type=int, default=16384, help="entries (default 16384)")
    tokenizer.add_argument(
        "--sample", type=float, default=60, metavar="MB", help="text to learn from (default 60)"
    )
    tokenizer.set_defaults(run=_tokenizer)
    add_pretrain(commands)
    add_finetune(commands)
    add_parcel(commands)
    curves = commands.add_parser("curves", help="the losses of several runs in one picture")
    curves.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    curves.add_argument("--out", type=Path, default=Path("curves.png"), help="default curves.png")
    curves.set_defaults(run=_curves)
    return parser


def _tokenizer(options: argparse.Namespace) -> int:
    from trainer import vocabulary

    corpus = options.corpus or corpus_folder()
    out = options.out or data_home() / "tokenizer"
    manifest = open_shards(corpus)
    began = time.monotonic()
    chosen = vocabulary.sample(
        read_documents(corpus, ("text", "sha256")),
        int(options.sample * 1e6),
        corpus_bytes=manifest.bytes,
    )
    taken = [0, 0]
    tokenizer = vocabulary.learn(
        _counted(chosen, taken), options.size, progress=sys.stderr.isatty()
    )
    vocabulary.write(tokenizer, out)
    print(
        f"{tokenizer.get_vocab_size():,} entries from {taken[0]:,} documents "
        f"({taken[1] / 1e6:.0f} MB) in {time.monotonic() - began:.0f} s: {out}"
    )
    return 0


def _counted(documents: Iterator[Document], taken: list[int]) -> Iterator[str]:
    said = time.monotonic()
    for document in documents:
        taken[0] += 1
        taken[1] += document.size
        if time.monotonic() - said > 5:
            said = time.monotonic()
            sys.stderr.write(f"reading: {taken[1] / 1e6:.0f} MB\n")
        yield document.text


def _curves(options: argparse.Namespace) -> int:
    from trainer.curve import compare
    from trainer.evaluation.report import table

    rows = compare({folder.name: folder for folder in options.runs}, options.out)
    print(table(rows))
    print(f"\ndrawn to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
