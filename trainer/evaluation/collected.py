"""All measurements of one or several models as one Markdown page, made from their JSON alone."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.loading import DEFAULT_MODEL
from trainer.evaluation import published
from trainer.evaluation.attribution import page as attribution
from trainer.evaluation.beside import gains, serving, side_by_side
from trainer.evaluation.causal import name_of
from trainer.evaluation.published import PublishedRow

Row = Mapping[str, Any]
# Texts of packages and of models: what a record needs not, and what is not ours to pass on.
_TEXTS = ("cases", "samples", "flagged", "missed")

_HEAD = """\
# Evaluation

Made by `{command}` from the records beside it: measure again, then run that; do not edit the
figures. A figure stands under its protocol and the command that gives it. Shares are between 0 and
1, with their 95% interval behind them. Held-out packages are never trained on.
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One result of `footnote eval`, as its JSON says it."""

    kind: str  # loss, infill, context, memorization, policy, functional, or one of attribution's
    model: str
    values: Row


def read_records(paths: Iterable[Path]) -> list[Record]:
    """The results in files, and in all .json files of folders. ValueError names what is none."""
    records: list[Record] = []
    for path in paths:
        files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
        if not files:
            raise ValueError(f"{path} holds no .json: measure with --json first")
        records += [_record(file) for file in files]
    return sorted(records, key=lambda each: (each.model, each.kind))


def read_record(path: Path) -> Record:
    return _record(path)


def _record(path: Path) -> Record:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): measure again") from error
    kind = kind_of(values)
    if kind is None:
        raise ValueError(
            f"{path} is no result of `footnote eval` or `footnote bench attribution`: name files written with its --json"
        )
    return Record(kind, _model(values, path), values)


_NAMED = ("loss", "infill", "context", "memorization", "policy", *attribution.RECORDS)


def kind_of(values: Any) -> str | None:
    if not isinstance(values, dict):
        return None
    if values.get("evaluation") in _NAMED:
        return str(values["evaluation"])
    if isinstance(values.get("protocol"), dict) and "scores" in values:
        return "functional"
    return None


def _model(values: Row, path: Path) -> str:
    if "model" in values:
        return str(values["model"])
    made = values.get("protocol")
    whence = made.get("completions") if isinstance(made, dict) else None
    if isinstance(whence, dict):
        name = str(whence.get("model") or whence.get("from") or path.stem)
        # The embedded model is named by its folder there, and by what it is called elsewhere.
        return name_of(DEFAULT_MODEL) if name == DEFAULT_MODEL.name else name
    return ""


def without_texts(record: Record) -> dict[str, Any]:
    """The record as it may be published: its figures and protocol, nobody's text."""
    values = {name: value for name, value in record.values.items() if name not in _TEXTS}
    if record.kind == "attribution":
        values["flagged"] = [
            {name: value for name, value in each.items() if not name.endswith("text")}
            for each in record.values["flagged"]
        ]
    return values


def page(records: Sequence[Record], command: str) -> str:
    """The whole page. ValueError when there is nothing to show."""
    if not records:
        raise ValueError("there are no results: measure with `footnote eval WHAT --json FILE`")
    of_attribution = [each for each in records if each.kind in attribution.RECORDS]
    sections = [attribution.section(each.kind, each.values) for each in of_attribution]
    if len(of_attribution) == len(records):
        return "\n".join([attribution.HEAD.format(command=command), *sections])
    makers: list[tuple[str, Callable[[list[Record]], str]]] = [
        ("loss", _loss),
        ("infill", _infill),
        ("context", _context),
        ("functional", _functional),
        ("policy", _policy),
        ("memorization", _memorization),
    ]
    results = [(each.model, each.values) for each in records if each.kind in ("loss", "infill")]
    parts = [_HEAD.format(command=command)]
    if beside := side_by_side(results, _table):
        parts.append(beside)
    for kind, maker in makers:
        found = [each for each in records if each.kind == kind]
        if found or kind == "infill":
            parts.append(maker(found))
    return "\n".join([*parts, *sections])


# Pieces of Markdown.


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [" | ".join(head), "|".join("---" for _ in head)]
    lines += [" | ".join(_cell(each) for each in row) for row in rows]
    return "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value).replace("|", "\\|")


def _share(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "-"
    if interval is None:
        return f"{value:.3f}"
    return f"{value:.3f} ({interval[0]:.3f}-{interval[1]:.3f})"


def _how(record: Record, protocol: str) -> str:
    about = record.values
    size = about.get("parameters")
    of = f"{record.model}" + (f", {size / 1e6:,.1f} M parameters" if size else "")
    where = f", {about['dtype']} on {about['device']}" if "dtype" in about else ""
    command = about.get("command")
    said = f"**{of}{where}.**" if record.model else ""
    return f"{said} {protocol.strip().rstrip('.')}.".strip() + (
        f"\n\n    {command}\n" if command else "\n"
    )


# One section each.


def _loss(records: list[Record]) -> str:
    parts = ["## Bits per byte\n\nLower is better.\n"]
    for record in records:
        values = record.values
        windows: dict[int, list[Row]] = {}
        for row in values["languages"]:
            windows.setdefault(int(row["window"]), []).append(row)
        said = {str(window): values["protocol"][str(window)] for window in windows}
        first = next(iter(said.values()))
        parts.append(_how(record, f"{values['held_out']}, {values['files_chosen']}. {first}"))
        rows: list[list[Any]] = []
        positions = list(dict.fromkeys(row["position"] for row in values["languages"]))
        positions = sorted((each for each in positions if each != "all"), key=_position)
        for window, found in windows.items():
            for language in dict.fromkeys(row["language"] for row in found):
                of_it = {row["position"]: row for row in found if row["language"] == language}
                rows.append(
                    [window, language, of_it["all"]["files"], of_it["all"]["bytes"] / 1e6]
                    + [of_it["all"]["bits_per_byte"]]
                    + [of_it[e]["bits_per_byte"] if e in of_it else None for e in positions]
                )
        head = ["window", "language", "files", "MB", "bits per byte", *positions]
        parts.append(_table(head, rows))
    return "\n".join(parts)


def _position(name: str) -> int:
    first = name.rstrip("+").split("-")[0]
    return int(first[:-1]) * 1024 if first.endswith("K") else int(first)


def _infill(records: list[Record]) -> str:
    parts = [
        "## Infilling\n\nThe first rows of each gap are trivial guesses, the floor that any model "
        "has to pass. `spm` and `psm` are plain decoding: a half-typed word stays the half token "
        "that it is, and the model may end at once. `as served` adds what the engine does: it takes "
        "a half token back, does not end at once, stops and trims.\n"
    ]
    for record in records:
        parts.append(_how(record, record.values["protocol"]))
        parts.append(
            _table(
                ["gap", "by", "cases", "first line", "strict", "similarity", "parses", "empty"],
                [
                    [
                        f"{row['language']}, {row['kind']}",
                        row["guess"],
                        row["cases"],
                        _share(row["first_line"], row["first_line_95"]),
                        _share(row["strict"], row["strict_95"]),
                        _share(row["similarity"], row["similarity_95"]),
                        _share(row["parses"], row["parses_95"]),
                        row["empty"],
                    ]
                    for row in record.values["scores"]
                ],
            )
        )
    parts.append(_published_infilling(records))
    return "\n".join(parts)


def _published_infilling(records: list[Record]) -> str:
    """What others published for santacoder-fim-task, with ours where it is the same benchmark."""
    ours: dict[tuple[str, str], dict[str, str]] = {}
    for record in records:
        values = record.values
        if values.get("benchmark") != published.SANTACODER or not values.get("is_whole"):
            continue
        for row in values["scores"]:
            if row["guess"] == "model, psm":
                for metric, name in (("strict", "strict"), ("first line", "first_line")):
                    cells = ours.setdefault((record.model, metric), {})
                    cells[row["language"]] = _share(row[name], row[f"{name}_95"])
    rows = [each for each in published.ROWS if each.benchmark == published.SANTACODER]
    said = "" if ours else _NOT_MEASURED
    lines = [
        [model, metric, *(cells.get(each, "-") for each in _LANGUAGES), "here"]
        for (model, metric), cells in ours.items()
    ]
    lines += _side_by_side(rows)
    return (
        f"### Published figures of {published.SANTACODER}\n\nSingle lines, exact match, prompts in "
        f"the order prefix, suffix, middle. Strict: {published.STRICT.split(';')[0]}. First line: "
        f"{published.FIRST_LINE.split(';')[0]}. The two must not be compared with each other. "
        "How the publishers decoded is not known here: the benchmark's own script samples at "
        f"temperature 0.2 up to 25 tokens, ours is greedy.{said}\n\n"
        + _table(["model", "protocol", *_LANGUAGES, "source"], lines)
    )


_LANGUAGES = ("python", "java", "javascript")
_NOT_MEASURED = (
    " No model of ours is listed: the file is its publisher's to give, and the held-out gaps above "
    "are another text. `footnote eval infill FILE --by psm` measures this one."
)


def _side_by_side(rows: Sequence[PublishedRow]) -> list[list[Any]]:
    lines: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in rows:
        lines.setdefault((row.model, row.metric, row.source), {})[row.language] = row.value
    return [
        [model, metric, *(values.get(each) for each in _LANGUAGES), source]
        for (model, metric, source), values in lines.items()
    ]


def _context(records: list[Record]) -> str:
    shown = (gains(_how(each, each.values["protocol"]), each.values, _table) for each in records)
    return "\n".join(["## Other files of the project\n", *shown])


def _functional(records: list[Record]) -> str:
    parts = ["## Programs that pass their tests\n"]
    for record in records:
        values = record.values
        made = values["protocol"]
        if not values["scores"]:
            raise ValueError(f"a result of {made.get('benchmark')} has no scores: measure again")
        said = [values.get("found"), values.get("judged"), made.get("prompt"), made.get("decoding")]
        said += [made.get("limits"), made.get("sandbox")]
        parts.append(_how(record, "; ".join(str(each) for each in said if each)))
        ks = sorted(
            (name for name in values["scores"][0] if name.startswith("pass@")),
            key=lambda name: int(name.split("@")[1]),
        )
        rows = []
        for row in values["scores"]:
            cells = [row["language"], row["tasks"], row["samples"]]
            for name in ks:
                k = name.split("@")[1]
                low, high = (row.get(f"{e} {k}", row.get(e)) for e in ("from", "to"))
                cells.append(_share(row[name], None if low is None else (low, high)))
            rows.append([*cells, row.get("did not compile"), row.get("timed out")])
        head = ["language", "tasks", "samples", *ks, "did not compile", "timed out"]
        parts.append(_table(head, rows))
        beside = [row for row in values.get("published", []) if isinstance(row, dict)]
        if not beside:
            parts.append(
                "Published figures stand here for a whole file measured as they were: "
                f"{published.SAMPLED}.\n"
            )
        else:
            parts.append(
                _table(
                    ["published, same protocol", "language", "pass@1", "source"],
                    [
                        [row["model"], row["language"], row["value"], row["source"]]
                        for row in beside
                    ],
                )
            )
    return "\n".join(parts)


def _policy(records: list[Record]) -> str:
    shown = (serving(_how(each, each.values["protocol"]), each.values, _table) for each in records)
    return "\n".join(["## What is shown\n", *shown])


def _regenerated(row: dict[str, Any]) -> str:
    """What regenerating makes of copies."""
    if not row["clean"]:
        return f"Regenerating: {row['protocol']}. Found {row['found']}, none of them clean in the end.\n"
    return (
        f"Regenerating: {row['protocol']}. Found {row['found']}, {row['warned']} of them warned of; clean "
        f"{row['clean']} ({_share(row['clean'] / max(1, row['found']), row['clean_95'])}), {row['clean_at_once']} of "
        f"them at once; still found {row['still_found']}, nothing left to show {row['nothing_left']}. Decoding took "
        f"{row['first_ms']:.0f} ms at first and {row['again_ms']:.0f} ms again, medians on the machine of this "
        f"record; {row['characters']:.0f} characters became {row['characters_clean']:.0f}.\n"
    )


def _memorization(records: list[Record]) -> str:
    parts = ["## Memorization\n"]
    for record in records:
        parts.append(_how(record, record.values["protocol"]))
        rows = [
            [
                row["prompts"],
                row["decoding"],
                row["completions"],
                row["of_50_characters"],
                _share(row["flagged"], row["flagged_95"]),
                _share(row["flagged_alone"], row["flagged_alone_95"]),
                row["of_65_lexemes"],
                _share(row["flagged_65"], row["flagged_65_95"]),
                _share(row["flagged_of_all"], row["flagged_of_all_95"]),
                row["extracted"],
            ]
            for row in record.values["rows"]
        ]
        head = ["prompts", "decoding", "completions", "of 50 characters", "flagged", "alone"]
        parts.append(_table([*head, "of 65 lexemes", "flagged", "of all", "extracted"], rows))
        if "regenerated" in record.values:
            parts.append(_regenerated(record.values["regenerated"]))
    found = [each for each in published.ROWS if each.benchmark == published.LICOEVAL]
    figures = ", ".join(f"{row.model} {row.value:.2%}" for row in found)
    parts.append(
        f"Published beside it, by another protocol: {figures} ({found[0].source}). "
        f"{published.LICOEVAL_DIFFERS}.\n"
    )
    return "\n".join(parts)
