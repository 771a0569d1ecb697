"""Edits copies line by line: lines go, others come, some change or trade places."""

import re
from collections.abc import Callable, Sequence
from random import Random

from trainer.evaluation.attribution.passages import lexemes
from trainer.evaluation.syntax import parsed

_TRIES = 12  # for an edit that still parses, as people's edits do in the end


def edited(text: str, share: float, language: str, foreign: Sequence[str], rng: Random) -> str:
    """The text with a share of its lines deleted, inserted, moved or replaced, in equal parts."""

    def once(rows: list[str]) -> list[str]:
        full = [number for number, row in enumerate(rows) if row.strip()]
        chosen = rng.sample(full, min(len(full), max(1, round(share * len(full)))))
        for number in sorted(chosen, reverse=True):
            rng.choice((_delete, _insert, _move, _replace))(rows, number, foreign, rng)
        return rows

    return _parsing_if_possible(text, language, once)


def edited_by_count(
    text: str, deleted: int, inserted: int, language: str, foreign: Sequence[str], rng: Random
) -> str:
    """The text without some of its lines and with some that are foreign to it."""

    def once(rows: list[str]) -> list[str]:
        for _ in range(deleted):
            full = [number for number, row in enumerate(rows) if row.strip()]
            _delete(rows, rng.choice(full), foreign, rng)
        for _ in range(inserted):
            _insert(rows, rng.randrange(len(rows)), foreign, rng)
        return rows

    return _parsing_if_possible(text, language, once)


def foreign_lines(text: str) -> list[str]:
    """The lines of a file that can stand in another: statements, without their indentation."""
    rows = (row.strip() for row in text.splitlines())
    return [
        row
        for row in rows
        if 4 <= len(lexemes(row)) <= 30
        and not row.startswith(("#", "//", "*", "/*", '"', "'", ")", "}", "]", "import ", "from "))
        and not row.endswith((":", "{", "(", "[", ",", "\\"))
        and row.count("(") == row.count(")")
        and row.count('"""') == 0
        and row.count("`") % 2 == 0
    ]


def _parsing_if_possible(text: str, language: str, once: Callable[[list[str]], list[str]]) -> str:
    wanted = language == "python" and parsed(text) is not None
    made = ""
    for _ in range(_TRIES if wanted else 1):
        made = "\n".join(once(text.split("\n")))
        if wanted and parsed(made) is not None:
            break
    return made


def _indent(row: str) -> str:
    return row[: len(row) - len(row.lstrip())]


def _delete(rows: list[str], number: int, foreign: Sequence[str], rng: Random) -> None:
    del rows[number]


def _insert(rows: list[str], number: int, foreign: Sequence[str], rng: Random) -> None:
    rows.insert(number, _indent(rows[number]) + rng.choice(foreign))


def _move(rows: list[str], number: int, foreign: Sequence[str], rng: Random) -> None:
    """Trades places with the next line that is indented as deep."""
    for other in range(number + 1, min(len(rows), number + 4)):
        if rows[other].strip() and _indent(rows[other]) == _indent(rows[number]):
            rows[number], rows[other] = rows[other], rows[number]
            return
    _replace(rows, number, foreign, rng)


def _replace(rows: list[str], number: int, foreign: Sequence[str], rng: Random) -> None:
    """Another line, or the same with one of its words changed."""
    row = rows[number]
    words = list(re.finditer(r"[A-Za-z_]\w*|\d+", row))
    if words and rng.random() < 0.5:
        word = rng.choice(words)
        other = rng.choice(re.findall(r"[A-Za-z_]\w*", rng.choice(foreign)) or ["other"])
        rows[number] = row[: word.start()] + other + row[word.end() :]
    else:
        rows[number] = _indent(row) + rng.choice(foreign)
