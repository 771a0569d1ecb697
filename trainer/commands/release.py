"""`footnote release`: a checkpoint as a folder that can be published."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.api import ModelUnavailable
from trainer.evaluation.report import table
from trainer.release.licences import LICENCES, help_text
from trainer.release.source import ReleaseError

if TYPE_CHECKING:
    from trainer.release.folder import Released

_NOTICEABLE = 0.5  # per cent of the bits per byte that a form of the weights may cost

_EPILOG = f"""\
The folder holds the weights (safetensors, and what else is asked for), config, tokenizer,
footnote.json, README.md (the model card), DATA_CARD.md, SOURCES.csv, LICENSE, NOTICE, the
evaluation and the loss curve where there are some, and SHA256SUMS. The cards are made from records
alone; what is not recorded is said to be unknown. The folder appears whole or not at all.

The licence has no default, for it is a promise that others rely on:
{help_text()}
  The text of OpenRAIL-M is its publisher's: name it with --licence-text, or add it by hand
  before you pass the folder on; LICENSE holds a summary until then.

GGUF is what llama.cpp and what is built on it read. Types: f32, bf16 (exactly the weights of a
bfloat16 checkpoint), f16, q8_0 (half the size, 8.5 bits a weight). It is written for
LlamaForCausalLM and GPTBigCodeForCausalLM with a byte-level BPE that splits as Qwen2, GPT-2 or
StarCoder do. int8 is for this program: its folder int8/ runs by its path.

examples:
  footnote release RUN/export --out my-model --license apache-2.0 --gguf q8_0 --int8
  footnote complete FILE --line 3 --column 9 --model my-model/int8
  footnote release --verify my-model
"""


def main(argv: list[str]) -> int:
    """0 done or whole, 1 a release that is not whole, 2 nothing was written."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        if options.verify:
            return _verify(options.verify)
        if not (options.checkpoint and options.out and options.license):
            parser.error("a release needs CHECKPOINT, --out FOLDER and --license")
        return _release(options)
    except (ReleaseError, ModelUnavailable) as error:
        sys.stderr.write(f"footnote release: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote release",
        description="Write a checkpoint as a folder that can be published, or check such a folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("checkpoint", nargs="?", type=Path, metavar="CHECKPOINT", help="folder of the model")
    add("--out", type=Path, metavar="FOLDER", help="where the release goes")
    add("--license", choices=LICENCES, help="of the weights; see below")
    add("--licence-text", type=Path, metavar="FILE", help="the text for the file LICENSE")
    add("--dtype", choices=("stored", "float32"), default="stored",
        help="of the safetensors: as trained (default), or float32")  # fmt: skip
    add("--gguf", type=_types, default=(), metavar="TYPES",
        help="for llama.cpp, such as q8_0,f16; of f32, bf16, f16, q8_0")  # fmt: skip
    add("--int8", action="store_true", help="int8 weights with a scale per row, in int8/")
    add("--corpus", type=Path, metavar="FOLDER",
        help="what it was trained on, for the data card (default: the data folder's, if it is that)")  # fmt: skip
    add("--recipe", type=Path, metavar="FILE", help="corpus.toml that it was built from")
    add("--evaluation", type=Path, action="append", default=[], metavar="FILE",
        help="results of footnote eval --json; may be repeated (default: CHECKPOINT/evaluation.json)")  # fmt: skip
    add("--sample", type=Path, metavar="PATH",
        help="text to measure the loss of precision on: a file, a folder of files or of shards "
        "(default: the held-out packages, else this program's source)")  # fmt: skip
    add("--no-measure", action="store_true", help="do not measure the loss of precision")
    add("--contact", default="", metavar="TEXT", help="where to ask, and to opt out: for the cards")
    add("--publisher", default="", metavar="NAME", help="for the file NOTICE")
    add("--force", action="store_true", help="replace the release that FOLDER holds")
    add("--verify", type=Path, metavar="FOLDER", help="check a release against its SHA256SUMS")
    return parser


def _types(text: str) -> tuple[str, ...]:
    from trainer.release.gguf_file import TYPES

    names = tuple(dict.fromkeys(each.strip().lower() for each in text.split(",") if each.strip()))
    wrong = [each for each in names if each not in TYPES]
    if wrong or not names:
        raise argparse.ArgumentTypeError(
            f"{', '.join(wrong) or 'nothing'} is no type that can be written: {', '.join(TYPES)}"
        )
    return names


def _verify(folder: Path) -> int:
    from trainer.release.sums import differences, read_sums

    found = differences(folder)
    for line in found:
        print(line)
    if found:
        print(f"{folder} is not as it was released: fetch it again")
        return 1
    print(f"{folder}: {len(read_sums(folder)):,} files, all as released")
    return 0


def _release(options: argparse.Namespace) -> int:
    from trainer.release.checking import Wish
    from trainer.release.folder import release

    _need_gguf(options.gguf)
    wish = Wish(
        checkpoint=options.checkpoint,
        out=options.out.resolve(),
        licence=LICENCES[options.license],
        licence_text=options.licence_text,
        float32=options.dtype == "float32",
        gguf=options.gguf,
        int8=options.int8,
        corpus=options.corpus,
        recipe=options.recipe,
        evaluations=tuple(options.evaluation),
        sample=options.sample,
        measure=not options.no_measure,
        contact=options.contact.strip(),
        publisher=options.publisher.strip(),
        force=options.force,
    )
    _report(release(wish, lambda text: print(text, file=sys.stderr, flush=True)))
    return 0


def _need_gguf(types: tuple[str, ...]) -> None:
    if not types:
        return
    try:
        import gguf  # noqa: F401 -- only whether it is there
    except ModuleNotFoundError as error:
        raise ReleaseError(
            "the package gguf is not installed: install Footnote with its extra `train`"
        ) from error


def _report(released: "Released") -> None:
    measured = released.measured
    losses = {each.form: each for each in measured.losses} if measured else {}
    rows = []
    for each in released.stored:
        loss = losses.get(each.form)
        rows.append(
            {
                "form": each.form,
                "where": each.path,
                "MB": f"{each.bytes / 1e6:.1f}",
                "bits per byte": f"{loss.bits_per_byte:.4f}" if loss else "-",
                "change": f"{loss.change_percent:+.3f}%" if loss else "-",
                "largest logit error": f"{loss.logit_error_max:.3f}" if loss else "-",
                "mean": f"{loss.logit_error_mean:.4f}" if loss else "-",
                "same likeliest": f"{loss.top1_agreement:.2%}" if loss else "-",
            }
        )
    print(f"{released.folder}\n\n{table(rows)}\n")
    if measured:
        print(f"measured on {measured.protocol}; the original has {measured.bits_per_byte:.4f}")
    else:
        print(f"not measured: {released.not_measured}")
    for form, loss in losses.items():
        if loss.change_percent >= _NOTICEABLE:
            print(
                f"{form} costs {loss.change_percent:.2f}% of the bits per byte, more than "
                f"{_NOTICEABLE}%: publish a finer form as well"
            )
    if released.summary_licence:
        print("LICENSE is a summary: put the text of the licence from its publisher in its place")
