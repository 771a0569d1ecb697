"""Small pieces of Markdown: tables, numbers and durations as people read them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

UNKNOWN = "not recorded"


_NUMBER = re.compile(r"[-+]?[\d,.]+%?|-")


def table(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str] | None = None) -> str:
    """Rows as a table; `names` chooses columns and titles them, without it all are shown.

    Rows may lack columns. Empty for no rows.
    """
    if not rows:
        return ""
    columns = dict(names or {key: key.replace("_", " ") for row in rows for key in row})
    cells = [[cell(row.get(key)) for key in columns] for row in rows]
    right = [all(_NUMBER.fullmatch(line[at]) for line in cells) for at in range(len(columns))]
    lines = [
        "| " + " | ".join(columns.values()) + " |",
        "|" + "|".join("--:" if each else "---" for each in right) + "|",
        *("| " + " | ".join(line) + " |" for line in cells),
    ]
    return "\n".join(lines)


def cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(cell, value))
    return prose(value).replace("|", "\\|")


def prose(value: Any) -> str:
    """Text of a record on one line."""
    return " ".join(str(value).split())


def exact(value: Any) -> str:
    """A setting as it was set: 8192 and 1e-05, without thousands or rounding."""
    return str(value) if isinstance(value, (int, float)) else cell(value)


def megabytes(size: int) -> str:
    """Decimal MB."""
    return f"{size / 1e6:,.1f} MB"


def count(number: int | None) -> str:
    """1,234,567 as 1.2 million; what is not known as such."""
    if number is None:
        return UNKNOWN
    for limit, word in ((10**9, "billion"), (10**6, "million")):
        if number >= limit:
            return f"{number / limit:.1f} {word}"
    return f"{number:,}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} seconds"
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours {minutes % 60} minutes"


def bullets(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def front_matter(values: Mapping[str, Any]) -> str:
    """A YAML header. JSON strings are valid YAML strings, so no name can break out of it."""
    import json

    lines = ["---"]
    for key, value in values.items():
        if isinstance(value, (list, tuple)):
            lines.append(f"{key}:")
            lines += [f"- {json.dumps(each, ensure_ascii=False)}" for each in value]
        else:
            lines.append(f"{key}: {json.dumps(value, ensure_ascii=False)}")
    return "\n".join([*lines, "---"])
