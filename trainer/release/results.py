"""What was evaluated, as text: every result beside its protocol, and where the model is weak."""

from collections.abc import Iterator, Mapping
from typing import Any

from trainer.release.markdown import bullets, cell, prose, table
from trainer.release.records import flattened

_ROWS = 100  # more of them are for machines
_CHARACTERS = 300


def results(evaluations: Mapping[str, Any]) -> list[str]:
    """The parts of the section on evaluation, whatever was evaluated."""
    if not evaluations:
        return ["Not evaluated: no results were given to this release."]
    parts = []
    for name, section in evaluations.items():
        parts.append(f"### {name}")
        parts += list(_section(section))
    return parts


def _section(section: Any) -> Iterator[str]:
    if not isinstance(section, Mapping):
        yield cell(section)
        return
    yield from _protocol(section.get("protocol"))
    shown = {key: each for key, each in section.items() if key not in ("protocol", "evaluation")}
    values = flattened(shown)
    plain = {key: each for key, each in values.items() if not is_table(each)}
    yield bullets([f"{key.replace('_', ' ')}: {_short(each)}" for key, each in plain.items()])
    for key, rows in values.items():
        if is_table(rows) and len(rows) > _ROWS:
            yield f"{key.replace('_', ' ')}: {len(rows):,} rows, see evaluation.json"
        elif is_table(rows):
            yield table(rows)


def _protocol(protocol: Any) -> Iterator[str]:
    """A sentence, or settings by name."""
    if isinstance(protocol, Mapping):
        yield "Protocol:"
        yield bullets([f"{key}: {prose(each)}" for key, each in flattened(protocol).items()])
    else:
        yield f"Protocol: {prose(protocol) if protocol else 'not recorded with these results.'}"


def _short(value: Any) -> str:
    text = cell(value)
    return text if len(text) <= _CHARACTERS else text[:_CHARACTERS] + " ..."


def is_table(value: Any) -> bool:
    """A list of objects, which is shown as a table."""
    return isinstance(value, list) and bool(value) and all(isinstance(e, Mapping) for e in value)


def weaknesses(evaluations: Mapping[str, Any]) -> Iterator[str]:
    """Rows where the model does no better than the best guess without a model."""
    for section in evaluations.values():
        scores = section.get("scores") if isinstance(section, Mapping) else None
        groups: dict[tuple[str, str], dict[str, float]] = {}
        for row in scores if isinstance(scores, list) else ():
            if isinstance(row, Mapping) and {"guess", "kind", "language", "first_line"} <= set(row):
                place = groups.setdefault((str(row["language"]), str(row["kind"])), {})
                place[str(row["guess"])] = float(row["first_line"])
        for (language, kind), values in groups.items():
            ours = [value for name, value in values.items() if name.startswith("model")]
            trivial = {name: each for name, each in values.items() if not name.startswith("model")}
            if ours and trivial and max(ours) <= max(trivial.values()):
                best = max(trivial, key=lambda name: trivial[name])
                yield (
                    f"On {language}, {kind}, its first line is exact in {max(ours):.0%} of the gaps; "
                    f"the guess {best!r}, which needs no model, reaches {trivial[best]:.0%}."
                )
