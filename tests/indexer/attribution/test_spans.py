"""What a finding names: whole lines on both sides that match for the greater part, each source's once."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from indexer.attribution.builder import build_index
from indexer.attribution.index import AttributionIndex
from tests.indexer.attribution.conftest import FOREIGN, LEDGER, QUEUE, document, write_corpus
from tests.support.tiny_corpus import INTERVALS

if TYPE_CHECKING:
    from pathlib import Path

    from indexer.attribution.matches import Match

CALL = """\
ledger_report = compose_report(
    ledger.balance(account, currency=currency),
    booked_entries=[entry.reference for entry in entries if entry.amount > tolerance],
    closed=ledger.mark_closed(currency, differences=wrong),
    heading=f"{account} in {currency} as of {closing_day}",
    columns=widths_of_columns(rows, smallest=minimum_width),
)
"""


def numbered(number: int) -> str:
    """A function like many others, with names of its own."""
    return (
        f"def treat_{number}(source_{number}, *, patience_{number}=None):\n"
        f'    """Treats kind {number} of what the harbour_{number} sends."""\n'
        f"    berth_{number} = source_{number}.moor(patience_{number})\n"
        f"    if berth_{number}.draught_{number} > {number}:\n"
        f"        raise Grounded(berth_{number}.pilot_{number}, source_{number})\n"
        f"    for crate_{number} in berth_{number}.unload_{number}(limit={number}):\n"
        f"        yield crate_{number}.weigh_{number}(), berth_{number}\n\n\n"
    )


def index_of(home: Path, *texts: str, language: str = "python") -> AttributionIndex:
    documents = [document(text, f"{n}.py", f"p{n}", language) for n, text in enumerate(texts)]
    write_corpus(home, documents)
    build_index(home / "corpus", home / "index", jobs=1)
    return AttributionIndex.open(home / "index")


def text_lines(text: str, match: Match) -> str:
    return "\n".join(text.split("\n")[match.start_line - 1 : match.end_line])


def source_lines(text: str, match: Match) -> str:
    lines = text.split("\n")
    return "\n".join(lines[match.source.start_line - 1 : match.source.end_line])


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("", "def total_of(rows):\n    return sum(rows)\n"),
        ("def first(rows):\n    return rows[0]\n\n\n", "def total_of(rows):\n    return rows\n"),
        ("seen = other(rows)\n\n\n", "class Total:\n    pass\n"),
    ],
)
def test_neighbours_that_begin_alike_are_no_part_of_a_copy(
    tmp_path: Path, above: str, below: str
) -> None:
    source = f"def before(lines):\n    return lines\n\n\n{LEDGER}\n\ndef after(values):\n    return values\n"
    index = index_of(tmp_path, source)
    text = f"{FOREIGN}\n\n{above}{LEDGER}\n\n{below}"
    (match,) = index.check_document(text, language="python")

    assert text_lines(text, match) + "\n" == LEDGER
    assert source_lines(source, match) + "\n" == LEDGER


def test_brackets_alike_after_a_copy_are_no_part_of_it(tmp_path: Path) -> None:
    body = "".join(QUEUE.splitlines(keepends=True)[1:])
    around = "const {0} = {{\n  {0}: {0},\n}}\n\n"
    source = around.format("one") + body + "\nfunction wait(task) {\n  return task;\n}\n"
    index = index_of(tmp_path, source, language="javascript")
    text = around.format("two") + body + "\nfunction go(on) {\n  return 1;\n}\n"
    (match,) = index.check_document(text, language="javascript")

    assert text_lines(text, match) + "\n" == body
    assert source_lines(source, match) + "\n" == body


def test_a_bracket_on_a_line_of_its_own_ends_a_copy(tmp_path: Path) -> None:
    source = f"import ledger\n\n{CALL}\nprint(ledger)\n"
    text = f"{FOREIGN}\n{CALL}\nother = 1\n"
    (match,) = index_of(tmp_path, source).check_document(text, language="python")

    assert text_lines(text, match) + "\n" == CALL
    assert source_lines(source, match) + "\n" == CALL


def test_a_copy_with_edited_lines_reaches_its_last_short_line(tmp_path: Path) -> None:
    copied = LEDGER.rstrip() + ", totals"
    *lines, _, last = copied.splitlines()
    text = "\n".join([*lines, "    gauge.paint(needle, 'amber')", last])
    source = f"{FOREIGN}\n{copied}\n"
    (match,) = index_of(tmp_path, source).check_document(text, language="python")

    assert text_lines(text, match) == text
    assert source_lines(source, match) == copied


def test_the_marks_of_a_remark_belong_to_it(tmp_path: Path) -> None:
    remark = '"""\nCloses what the harbour master left open, and weighs the crates.\n"""\n'
    source = f"import os\n\n{remark}{LEDGER}"
    text = f"{FOREIGN}\n{remark}{LEDGER}"
    (match,) = index_of(tmp_path, source).check_document(text, language="python")

    assert text_lines(text, match) + "\n" == remark + LEDGER
    assert source_lines(source, match) + "\n" == remark + LEDGER


def test_a_whole_file_is_one_finding_however_long(tmp_path: Path) -> None:
    source = "".join(map(numbered, range(400)))  # more than is aligned at once
    (match,) = index_of(tmp_path, source).check_document(source, language="python")

    assert (match.kind, match.similarity) == ("verbatim", 1.0)
    assert text_lines(source, match).strip() == source.strip()
    assert source_lines(source, match).strip() == source.strip()


def test_a_line_is_named_once_for_each_source(tmp_path: Path) -> None:
    parts = [numbered(number) for number in range(12)]
    index = index_of(tmp_path, "".join(parts))
    text = "".join([*parts[6:], *parts[3:9], *parts[:3], *parts[8:]])
    matches = index.check_document(text, language="python")

    assert {match.source.path for match in matches} == {"0.py"}
    assert sum(match.end_line - match.start_line + 1 for match in matches) > 0.9 * len(
        text.splitlines()
    ) - 2 * len(matches)
    for one, other in itertools.pairwise(matches):
        assert one.end_line < other.start_line


def test_a_copy_between_two_parts_of_another_is_told_as_well(tmp_path: Path) -> None:
    parts = [numbered(number) for number in range(8)]
    index = index_of(tmp_path, "".join(parts), LEDGER)
    above = "".join(parts[:4])
    text = above + LEDGER + "".join(parts[4:])
    matches = index.check_document(text, language="python")
    (inner,) = (each for each in matches if each.source.path == "1.py")

    assert (inner.tier, inner.kind) == ("warning", "verbatim")
    assert text_lines(text, inner) + "\n" == LEDGER
    assert "0.py" in {each.source.path for each in matches if each.tier == "warning"}


@pytest.mark.parametrize("between", [0, 60])
def test_two_parts_of_one_file_in_another_order_stay_two(tmp_path: Path, between: int) -> None:
    source = "".join(f"x{number} = {number} ** y\n" for number in range(between))
    index = index_of(tmp_path, LEDGER + source + INTERVALS)
    matches = index.check_document(INTERVALS + LEDGER, language="python")
    after = (LEDGER + source).count("\n") + 1

    assert [each.source.start_line for each in matches] == [after, 1]


@pytest.mark.parametrize("times", [3, 30])
@pytest.mark.parametrize("between", ["", "\n\n", FOREIGN])
def test_every_copy_of_a_passage_is_named_however_many(
    tmp_path: Path, times: int, between: str
) -> None:
    index = index_of(tmp_path, LEDGER)
    matches = index.check_document((LEDGER + between) * times, language="python")
    step = (LEDGER + between).count("\n")

    assert [each.start_line for each in matches] == [1 + step * number for number in range(times)]
    assert {each.source.end_line for each in matches} == {LEDGER.count("\n")}


def test_a_short_remark_above_belongs_to_it_where_both_sides_have_it(tmp_path: Path) -> None:
    source = f"import os\n\n# Internal.\n{LEDGER}"
    index = index_of(tmp_path, source)
    (match,) = index.check_document(f"{FOREIGN}\n\n# Internal.\n{LEDGER}", language="python")
    (other,) = index.check_document(f"{FOREIGN}\n\n# Another.\n{LEDGER}", language="python")

    assert match.start_line == FOREIGN.count("\n") + 3
    assert match.source.start_line == 3
    assert (other.start_line, other.source.start_line) == (match.start_line + 1, 4)
