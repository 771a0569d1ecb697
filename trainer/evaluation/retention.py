"""What a model kept and what it lost: two checkpoints on the same held-out text, side by side.

For fine-tuning: StarCoderBase became StarCoder by more Python, and the question is what that cost
the other languages.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from indexer.document import Document
from indexer.home import held_out_folder
from indexer.shards import open_shards, read_documents
from trainer.evaluation import cases as gaps
from trainer.evaluation import loss
from trainer.evaluation.beside import figures
from trainer.evaluation.causal import load_causal
from trainer.evaluation.collected import read_record
from trainer.evaluation.infilling import score
from trainer.evaluation.raw import RawModel
from trainer.evaluation.report import progress

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RetentionRow:
    what: str  # "bits per byte", or an infilling metric with its kind of gap
    language: str
    before: float
    after: float
    difference: float  # after - before
    before_95: tuple[float, float] | None = None  # of shares
    after_95: tuple[float, float] | None = None


def retention(
    before: Path,
    after: Path,
    *,
    held_out: Path | None = None,
    megabytes: float = 0.1,
    cases: int = 50,
    window: int = 1024,
    device: str = "auto",
    dtype: str = "auto",
) -> list[RetentionRow]:
    """Rows that compare two checkpoint folders (measured here) or two results (JSON files).

    Folders are measured on the same files and gaps of the held-out set, chosen by content hash:
    `megabytes` and `cases` are per language. Raises CorpusUnavailable without that set, ValueError
    or OSError with the remedy for anything else.
    """
    if before.is_file() and after.is_file():
        return compare([read_record(before).values], [read_record(after).values])
    for each in (before, after):
        if not (each / "config.json").is_file():
            raise ValueError(
                f"{each} is no checkpoint folder: name two folders, or two JSON files of "
                "`footnote eval`"
            )
    folder = held_out or held_out_folder()
    open_shards(folder)
    documents = list(read_documents(folder))
    measured = [
        measure(each, documents, megabytes, cases, window=window, device=device, dtype=dtype)
        for each in (before, after)
    ]
    return compare(*measured)


def measure(
    folder: Path,
    documents: Sequence[Document],
    megabytes: float,
    cases: int,
    *,
    window: int,
    device: str,
    dtype: str,
) -> list[Values]:
    """Bits per byte and infilling of one model, in the form of the commands' results."""
    model = load_causal(folder, device=device, dtype=dtype)
    seen = min(window, model.positions)
    chosen = loss.choose(documents, int(megabytes * 1e6))
    rows = loss.measure(
        model,
        chosen,
        window=seen,
        stride=max(1, seen // 2),
        seen=partial(progress, title=f"{model.name}: bits per byte"),
    )
    results: list[Values] = [
        {"evaluation": "loss", "languages": [{"window": seen, **asdict(each)} for each in rows]}
    ]
    raw = RawModel(model)
    scores = []
    for language in gaps.languages_of(documents):
        for kind in ("line", "block"):
            group = gaps.draw(documents, kind=kind, language=language, count=cases)
            if group:
                what = f"{model.name}: {language} {kind}"
                texts, _ = raw.fill(group, seen=partial(progress, title=what))
                scores.append(asdict(score(f"model, {raw.order}", group, texts)))
    return [*results, {"evaluation": "infill", "scores": scores}]


def compare(before: Iterable[Values], after: Iterable[Values]) -> list[RetentionRow]:
    """Rows for every figure that both have; ValueError when they have none in common."""
    old, new = figures(before), figures(after)
    rows = [
        RetentionRow(
            what=what,
            language=language,
            before=old[what, language][0],
            after=new[what, language][0],
            difference=round(new[what, language][0] - old[what, language][0], 4),
            before_95=old[what, language][1],
            after_95=new[what, language][1],
        )
        for what, language in old
        if (what, language) in new
    ]
    if not rows:
        raise ValueError("the two results measure nothing in common: measure both the same way")
    return rows
