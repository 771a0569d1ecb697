"""The measurements of attribution as sections of a Markdown page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
RECORDS = ("attribution", "attribution-peers", "attribution-speed")
HEAD = """\
# Attribution, measured

Made by `{command}` from the records beside it: measure again, then run that; do not edit the
figures. Shares are between 0 and 1, with their 95% interval behind them.
"""
_MODES = {
    "document": "the file is checked",
    "completion": "the copy is one completion in its file",
    "accepts": "the copy comes in small accepts",
    "alone": "the copy stands by itself",
}

_SOURCES = {
    "copies": "kind",
    "lines": "lines",
    "source first": "source_1",
    "among three": "source_3",
    "its licence": "licence",
    "lines here": "text_iou",
    "lines there": "source_iou",
}
_CALLED = {
    "copies": "kind",
    "warned of": "warned",
    "called": "called",
    "as expected": "as_expected",
}
_ON_OTHERS = {
    "texts": "group",
    "number": "texts",
    "lines": "lines",
    "warnings": "warnings",
    "information": "information",
    "warnings a 1,000 lines": "warnings_per_1000_lines",
    "texts of 1,000 with a warning": "texts_per_1000",
    "copies when read": "copies_after_reading",
    "texts of 1,000 with a false one": "false_texts_per_1000",
    "false a 1,000 lines": "false_per_1000_lines",
}
_METHODS = {
    "method": "method",
    "parameters": "parameters",
    "index by corpus": "index_ratio",
    "source first, verbatim": "source_1",
    "among three": "source_3",
}
_LOOK_UPS = {
    "look-up": "what",
    "by": "by",
    "state": "state",
    "cases": "cases",
    "p50 ms": "p50_ms",
    "p95 ms": "p95_ms",
    "p99 ms": "p99_ms",
}


def section(kind: str, values: Row) -> str:
    """What one record says."""
    makers = {
        "attribution": _copies,
        "attribution-peers": _peers,
        "attribution-speed": _speed,
    }
    return makers[kind](values)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _picked(columns: Mapping[str, str], rows: Iterable[Row]) -> str:
    """Some values of rows, by the heads they stand under."""
    return table(list(columns), [[row[name] for name in columns.values()] for row in rows])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(value.items())) or "-"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _share(value: float | None, interval: Sequence[float]) -> str:
    return "-" if value is None else f"{value:.3f} ({interval[0]:.3f}-{interval[1]:.3f})"


def _how(values: Row, *more: str) -> str:
    said = ". ".join(each.strip().rstrip(".") for each in (values["protocol"], *more))
    return f"{said}.\n\n    {values['command']}\n"


def _crossed(rows: Sequence[Row], cell: str, *, interval: bool) -> str:
    """Kinds down, lengths across."""
    lengths = sorted({int(row["lines"]) for row in rows})
    at = {(row["kind"], row["lines"]): row for row in rows}
    kinds = dict.fromkeys(row["kind"] for row in rows)

    def one(kind: str, lines: int) -> Any:
        row = at.get((kind, lines))
        if row is None:
            return None
        return _share(row[cell], row[f"{cell}_95"]) if interval else row[cell]

    return table(
        ["copies", *(f"{each} lines" for each in lengths)],
        [[kind, *(one(kind, each) for each in lengths)] for kind in kinds],
    )


def _copies(values: Row) -> str:
    rows = values["copies"]
    every = [row for row in rows if row["group"] == "all"]
    documents = [row for row in every if row["mode"] == "document"]
    count = sum(row["cases"] for row in documents)
    parts = [
        "## Copies that are found\n",
        _how(values, f"{count:,} copies, seed {values['seed']}"),
        "Warned of, when the file is checked, all languages:\n",
        _crossed(documents, "warned", interval=True),
        "Noticed at either tier:\n",
        _crossed(documents, "noticed", interval=False),
        "Warned of, of the copies with at least 50 lexemes:\n",
        _crossed(documents, "warned_of_50_lexemes", interval=False),
    ]
    for mode, said in _MODES.items():
        if mode != "document":
            here = [row for row in every if row["mode"] == mode]
            parts += [f"Warned of, when {said}:\n", _crossed(here, "warned", interval=False)]
    parts += ["Warned of, by language, when the file is checked:\n", _by_language(rows)]
    parts += [
        "Of those warned of: the right source first and among the three named, its licence, and shared lines "
        "over all lines of copy and match, in the text and in the source:\n",
        _picked(_SOURCES, [row for row in documents if row["lines"] in (10, 20)]),
        "What they are called:\n",
        _picked(_CALLED, values["kinds"]),
        _negatives(values),
    ]
    return "\n".join(parts)


def _by_language(rows: Sequence[Row]) -> str:
    here = [row for row in rows if row["mode"] == "document" and row["group"] != "all"]
    groups = list(dict.fromkeys(row["group"] for row in here))
    at = {(row["kind"], row["lines"], row["group"]): row["warned"] for row in here}
    lengths = sorted({int(row["lines"]) for row in here} & {10, 20})
    return table(
        ["copies", *(f"{group}, {lines}" for lines in lengths for group in groups)],
        [
            [kind, *(at.get((kind, lines, group)) for lines in lengths for group in groups)]
            for kind in dict.fromkeys(row["kind"] for row in here)
        ],
    )


def _negatives(values: Row) -> str:
    said = values["precision"]
    return "\n".join(
        [
            "## Texts that are no copies\n",
            "Read: both sides were compared, without any score; a copy is one that was made from the other, "
            "or both from a third; what many write alike is idiom and counts as false, as does what nobody "
            "has read. Two readers, language models, read each, the second without what the first had said, "
            "and a third where they differed, once in forty.\n",
            _picked(_ON_OTHERS, values["negatives"]),
            f"All warnings on them: {said['warnings']}, of which copies {said['copy']}, idiom "
            f"{said['idiom']}, false {said['false']}, unread {said['unread']}: adjudicated precision "
            f"{_cell(said['adjudicated'])}.\n",
            "Matches by their similarity, on copies and on these texts, either tier:\n",
            _picked(
                {"similarity": "similarity", "on copies": "copies", "on others": "others"},
                values["calibration"],
            ),
        ]
    )


def _peers(values: Row) -> str:
    rows = values["peers"]
    parts = ["## Beside its peers\n", _how(values, values["against"])]
    for lines in sorted({row["lines"] for row in rows}):
        here = [row for row in rows if row["lines"] == lines]
        kinds = list(dict.fromkeys(row["kind"] for row in here))
        methods = dict.fromkeys((row["method"], row["at"]) for row in here)
        found = {(row["method"], row["at"], row["kind"]): row for row in here}
        lined = []
        for method, at in methods:
            first = found[method, at, kinds[0]]
            false = f"{first['false_alerts']} of {first['windows']}"
            cells = [found[method, at, kind]["found"] for kind in kinds]
            lined.append([method, at, false, *cells])
        parts += [f"Found, copies of {lines} lines:\n"]
        parts += [table(["method", "threshold", "false alerts", *kinds], lined)]
    parts += [
        "The methods:\n",
        _picked(_METHODS, {r["method"]: r for r in rows if r["kind"] == "verbatim"}.values()),
    ]
    return "\n".join(parts)


def _speed(values: Row) -> str:
    index, build, memory = values["index"], values["build"], values["memory"]
    return "\n".join(
        [
            "## Speed and size\n",
            _how(values, values["machine"]),
            _picked(_LOOK_UPS, values["latency"]),
            table(
                ["index", ""],
                [
                    ["bytes by bytes of corpus, without text", index["ratio_without_text"]],
                    ["with text", index["ratio"]],
                    [f"built, MB/s on {build['jobs']} processes", build["mb_per_second"]],
                    *_of_infini_gram(values["latency"]),
                    *(
                        [f"resident MB, {when}", _cell(said.get("VmRSS"))]
                        for when, said in (("opened", memory["opened"]), ("asked", memory["asked"]))
                    ),
                    ["of them its own, not mapped", _cell(memory["asked"].get("RssAnon"))],
                ],
            ),
            "Cutting text into tokens, one core:\n",
            _picked({"language": "language", "MB/s": "mb_per_second"}, values["lexing"]),
        ]
    )


def _of_infini_gram(rows: Sequence[Row]) -> list[list[Any]]:
    of_it = [row for row in rows if "index_ratio" in row]
    return [
        [f"infini-gram's, {what}", row[name]]
        for row in of_it
        for what, name in (("bytes by bytes", "index_ratio"), ("MB/s", "build_mb_per_second"))
    ]
