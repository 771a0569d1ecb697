"""What speaks for a copy and against it: where lines end, and how varied a passage is."""

from __future__ import annotations

from math import log1p

import numpy as np
import pytest

from indexer.attribution.aligning import align
from indexer.attribution.counting import Common
from indexer.attribution.features import apparent
from indexer.attribution.lexing import lexer_of

SOURCE = """\
def settled(ledger, quince, marrow):
    total = ledger.opening(quince)

    for row in ledger.rows_of(marrow):
        total += row.amount * row.weight_of(quince)
    # What is left over is carried to the next one.


    return Balance(ledger.name, total, carried=ledger.carried - total)
"""


ROWS = "".join(
    f"    ledger.{name}_of(quince.{name}),\n"
    for name in "row sum balance day page total rate share fee tax".split()
)


def seen(text: str, source: str) -> dict[str, float]:
    ours, theirs = (lexer_of("python").tokens(each) for each in (text, source))
    (segment,) = align(ours, theirs)
    none = np.zeros(len(ours), bool)
    common = Common(none, none, none, np.zeros(len(ours)), ours.exact)
    return apparent(ours, segment, common)


def line_ends(text: str) -> tuple[float, float]:
    values = seen(text, SOURCE)
    return values["line ends"], values["blank lines"]


def test_a_copy_ends_its_lines_where_its_source_does() -> None:
    here, moved = line_ends(SOURCE), line_ends("import os\n\n\n" + SOURCE.replace("quince", "fern"))

    assert here == moved == (pytest.approx(7 / 7.5), log1p(2))


def test_who_writes_the_same_anew_ends_lines_elsewhere() -> None:
    broken = SOURCE.replace(
        "(ledger.name, total, ", "(\n        ledger.name,\n        total,\n        "
    )
    close = "\n".join(line for line in SOURCE.split("\n") if line.strip())

    assert line_ends(broken) == (pytest.approx(7 / 10.5), log1p(2))
    assert line_ends(close) == (pytest.approx(7 / 7.5), 0)


def test_only_neighbours_on_both_sides_are_compared() -> None:
    inserted = SOURCE.replace("    # What", "    note(row)\n    # What")

    assert line_ends(inserted) == (pytest.approx(6 / 6.5), log1p(2))


def test_rows_of_one_kind_are_known_whatever_stands_in_them() -> None:
    alike = seen(ROWS.replace("quince", "marrow"), ROWS)

    assert alike["variety"] > 0.5
    assert alike["variety of kinds"] < 0.4
    assert seen(SOURCE.replace("row", "line"), SOURCE)["variety of kinds"] > 0.8


def test_of_a_verbatim_copy_variety_is_not_asked() -> None:
    values = seen(ROWS, ROWS)

    assert (values["whole"], values["variety of kinds"]) == (1, 0)
