"""Before and after fine-tuning, on new text and on everything else: one record and one page."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from indexer.document import Document
from indexer.shards import CorpusUnavailable, open_shards, read_documents
from trainer.evaluation import retention

PROTOCOL = (
    "bits per byte of whole files, left to right, windows of 1,024 tokens every 512 (lower is "
    "better); one gap per file, filled greedily by the model alone, SPM where it knows it: first "
    "line and strict exact match with Wilson's 95% interval (higher is better); files and gaps by "
    "content hash, the same before and after"
)
OWN, PUBLIC = "own files held out", "held-out packages"


@dataclass(frozen=True, slots=True)
class TextSet:
    """Files that neither model was trained on."""

    name: str
    hash: str
    documents: tuple[Document, ...]
    left_out: int = 0  # files that the second model was trained on


def public_set(held_out: Path, learned: Collection[Document]) -> TextSet:
    """The held-out packages, without those that one's own files are of. CorpusUnavailable."""
    manifest = open_shards(held_out)
    contents = {each.sha256 for each in learned}
    packages = {each.package.lower() for each in learned}
    kept, left_out = [], 0
    for each in read_documents(held_out):
        if each.sha256 in contents or each.package.lower() in packages:
            left_out += 1
        else:
            kept.append(each)
    return TextSet(PUBLIC, manifest.corpus_hash, tuple(kept), left_out)


def own_set(held_out: Path) -> TextSet:
    """One's own files that were held out of training."""
    manifest = open_shards(held_out)
    return TextSet(OWN, manifest.corpus_hash, tuple(read_documents(held_out)))


def text_sets(
    own: Path | None, own_training: Path | None, held_out: Path, say: Callable[[str], None]
) -> list[TextSet]:
    """What can be measured on; says what cannot."""
    found = []
    if own is not None:
        found.append(own_set(own))
    learned = list(read_documents(own_training)) if own_training else []
    try:
        found.append(public_set(held_out, learned))
    except CorpusUnavailable as error:
        say(f"the held-out packages are not measured on: {error}")
    return [each for each in found if each.documents]


def measure(
    before: Path, after: Path, sets: Sequence[TextSet], *, megabytes: float, cases: int
) -> list[dict[str, Any]]:
    """A row for each text, figure and language; both models are measured on the same."""
    rows: list[dict[str, Any]] = []
    for texts in sets:
        results = [
            retention.measure(
                each, texts.documents, megabytes, cases, window=1024, device="auto", dtype="auto"
            )
            for each in (before, after)
        ]
        rows += [{"text": texts.name, **asdict(row)} for row in retention.compare(*results)]
    return rows


def record(
    rows: Sequence[dict[str, Any]], sets: Sequence[TextSet], about: dict[str, Any]
) -> dict[str, Any]:
    """What is written beside the model."""
    texts = [
        {"name": e.name, "hash": e.hash, "files": len(e.documents), "left_out": e.left_out}
        for e in sets
    ]
    return {
        "evaluation": "retention",
        **about,
        "protocol": PROTOCOL,
        "texts": texts,
        "rows": list(rows),
    }


def as_markdown(result: dict[str, Any]) -> str:
    """The record as a page."""
    lines = [
        f"# {result['after']['name']}: before and after",
        "",
        f"Started from {result['before']['name']} (`{result['before']['hash'][:12]}`); the same "
        f"files and gaps for both. {result['protocol'][0].upper()}{result['protocol'][1:]}.",
        "",
    ]
    for texts in result["texts"]:
        out = (
            f", {texts['left_out']} files left out that were trained on"
            if texts["left_out"]
            else ""
        )
        lines.append(f"- {texts['name']}: {texts['files']:,} files to choose from{out}")
    lines += [
        f"- at most {result['megabytes']:g} MB and {result['cases']} gaps of a kind per language",
        "",
        "| text | figure | language | before | after | change |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        lines.append(
            f"| {row['text']} | {row['what']} | {row['language']} | {_value(row, 'before')} | "
            f"{_value(row, 'after')} | {row['difference']:+.3f} |"
        )
    return "\n".join(lines) + "\n"


def _value(row: dict[str, Any], side: str) -> str:
    interval = row[f"{side}_95"]
    spread = f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
    return f"{row[side]:.3f}{spread}"
