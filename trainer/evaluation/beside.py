"""Sections of the page of results: several models side by side, and how each is served."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Figure = tuple[float, tuple[float, float] | None]  # value and 95% interval
Table = Callable[[Sequence[str], Iterable[Sequence[Any]]], str]

_HIGHER, _LOWER = "higher is better", "lower is better"
_SHOWN = (0.0, 0.2, 0.4, 0.6, 0.8)  # confidences of the curve, beside the chosen one


def side_by_side(results: Sequence[tuple[str, Row]], table: Table) -> str:
    """Every figure that two models or more have by one protocol; empty where there is none.

    `results` are (model, values) of losses and infillings.
    """
    parts = []
    for kind, better in (("loss", _LOWER), ("infill", _HIGHER)):
        found = [each for each in results if each[1].get("evaluation") == kind]
        for group in _by_protocol(found):
            models = {model: figures([values]) for model, values in group}
            if len(models) < 2:
                continue
            names = list(next(iter(models.values())))
            rows = [
                [what, language, *(_value(held.get((what, language))) for held in models.values())]
                for what, language in names
            ]
            what = "Bits per byte" if kind == "loss" else "Infilling"
            parts.append(f"{what}, {better}; protocols and commands stand below.\n")
            parts.append(table(["figure", "language", *models], rows))
    return "\n".join(["## Side by side\n", *parts]) if parts else ""


def figures(results: Iterable[Row]) -> dict[tuple[str, str], Figure]:
    """By what and language: the value, and its interval where it is a share."""
    found: dict[tuple[str, str], Figure] = {}
    for values in results:
        for row in values.get("languages", ()):
            if row["position"] == "all":
                what = f"bits per byte, window {row['window']}"
                found[what, row["language"]] = (float(row["bits_per_byte"]), None)
        for row in values.get("scores", ()) if values.get("evaluation") == "infill" else ():
            if not str(row["guess"]).startswith("model"):
                continue
            for metric in ("first_line", "strict"):
                what = f"{row['kind']}, {metric.replace('_', ' ')} ({row['guess']})"
                low, high = row[f"{metric}_95"]
                found[what, row["language"]] = (float(row[metric]), (low, high))
    return found


def _by_protocol(results: Sequence[tuple[str, Row]]) -> list[list[tuple[str, Row]]]:
    groups: dict[str, list[tuple[str, Row]]] = {}
    for model, values in results:
        same = (values.get("held_out"), values.get("benchmark"), values["protocol"])
        groups.setdefault(repr(same), []).append((model, values))
    return list(groups.values())


def _value(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    value, interval = figure
    return f"{value:.3f}" + (f" ({interval[0]:.3f}-{interval[1]:.3f})" if interval else "")


def serving(how: str, values: Row, table: Table) -> str:
    """What was chosen for one model, and the ways that it was chosen among."""
    chosen = values["serving"]
    points = {round(each["confidence"], 2): each for each in values["curves"]["reported on"]}
    wanted = sorted({*_SHOWN, round(chosen["min_confidence"], 2)})
    said = ", ".join(f"{name} {value}" for name, value in chosen.items())
    head = ["requests", "shown", "accepted, of those", "characters saved a request"]
    ways = [
        [row["prompt"], row["lines"], *_outcome(row), row["median_ms"]] for row in values["ways"]
    ]
    return "\n".join(
        [
            how,
            f"The rule: {values['rule']}. Chosen: {said}.\n",
            table(["prompt", "lines", *head, "median ms"], ways),
            "On the packages that nothing was chosen on:\n",
            table(["confidence", *head], [[e, *_outcome(points[e])] for e in wanted]),
        ]
    )


def gains(how: str, values: Row, table: Table) -> str:
    """What excerpts of other files do for one model, beside as many more tokens of the file."""
    head = ["gap", "shown", "cases", "prompt", "nats", "gain", "better", "first line", "similarity"]
    rows = [
        [
            "all" if row["kind"] == row["language"] else f"{row['language']}, {row['kind']}",
            row["way"],
            row["cases"],
            round(row["prompt"]),
            row["nats"],
            _gain(row["gain"], row["gain_95"]),
            row["better"],
            row["first_line"],
            row["similarity"],
        ]
        for row in values["rows"]
    ]
    return f"{how}\n{table(head, rows)}"


def _gain(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def _outcome(row: Row) -> list[Any]:
    accepted = row["acceptance"]
    low, high = row["acceptance_95"]
    shown = "-" if accepted is None else f"{accepted:.3f} ({low:.3f}-{high:.3f})"
    return [row["requests"], float(row["shown"]), shown, float(row["saved"])]
