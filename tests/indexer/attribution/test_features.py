"""What speaks for a copy: here where lines end, in the text and in its source."""

from __future__ import annotations

from math import log1p

import numpy as np

from indexer.attribution.aligning import align
from indexer.attribution.features import Common, apparent
from indexer.attribution.lexing import lexer_of

SOURCE = """\
def settled(ledger, quince, marrow):
    total = ledger.opening(quince)

    for row in ledger.rows_of(marrow):
        total += row.amount * row.weight_of(quince)
    # What is left over is carried to the next one.


    return Balance(ledger.name, total, carried=ledger.carried - total)
"""


def line_ends(text: str) -> tuple[float, float]:
    ours, source = (lexer_of("python").tokens(each) for each in (text, SOURCE))
    (segment,) = align(ours, source)
    none = np.zeros(len(ours), bool)
    values = apparent(ours, segment, Common(none, none, none, np.zeros(len(ours)), ours.exact))
    return values["other line ends"], values["same gaps"]


def test_a_copy_ends_its_lines_where_its_source_does() -> None:
    assert line_ends(SOURCE) == (0, log1p(2))
    assert line_ends("import os\n\n\n" + SOURCE.replace("quince", "ferrule")) == (0, log1p(2))


def test_who_writes_the_same_anew_ends_lines_elsewhere() -> None:
    broken = SOURCE.replace(
        "(ledger.name, total, ", "(\n        ledger.name,\n        total,\n        "
    )
    close = "\n".join(line for line in SOURCE.split("\n") if line.strip())

    assert line_ends(broken) == (log1p(3), log1p(2))
    assert line_ends(close) == (0, 0)


def test_only_neighbours_on_both_sides_are_compared() -> None:
    inserted = SOURCE.replace("    # What", "    note(row)\n    # What")

    assert line_ends(inserted) == (0, log1p(2))
