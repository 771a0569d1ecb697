"""How much of a text is a passage: verbatim, renamed, edited, or neither."""

from __future__ import annotations

from indexer.attribution.alignment import Segment, align
from indexer.attribution.lexing import lexer_of
from tests.indexer.attribution.conftest import CLUSTER, FOREIGN, LEDGER

FOREIGN_LINE = "    gauge.paint(needle, 'amber')"


def aligned(text: str, source: str) -> list[Segment]:
    lexer = lexer_of("python")
    return align(lexer.tokens(text), lexer.tokens(source))


def test_a_copy_between_foreign_lines_is_one_exact_segment() -> None:
    (segment,) = aligned(FOREIGN + LEDGER + FOREIGN, CLUSTER + LEDGER)
    lexer = lexer_of("python")

    assert segment.exact_share == segment.abstract_share == 1
    assert segment.text_start == len(lexer.tokens(FOREIGN))
    assert segment.text_end - segment.text_start == len(lexer.tokens(LEDGER))
    assert segment.source_start == len(lexer.tokens(CLUSTER))


def test_consistent_renaming_keeps_the_abstract_share_and_the_consistency() -> None:
    renamed = LEDGER
    for old, new in (("entries", "rows"), ("entry", "row"), ("totals", "sums"), ("booked", "held")):
        renamed = renamed.replace(old, new)
    (segment,) = aligned(renamed, LEDGER)

    assert segment.abstract_share > 0.95
    assert segment.consistency > 0.95
    assert segment.exact_share < 0.9


def test_inconsistent_renaming_is_told_from_consistent_renaming() -> None:
    source = "\n".join(f"def f(a, b):\n    a.x{n}(b)\n    return b.y{n}(a)" for n in range(12))
    mixed = "\n".join(
        f"def f(n{n % 5}, m{n % 3}):\n    m{n % 4}.x{n}(n{n % 3})\n    return n{n % 2}.y{n}(m{n % 2})"
        for n in range(12)
    )
    (segment,) = aligned(mixed, source)

    assert segment.abstract_share > 0.95
    assert segment.consistency < 0.7


def test_rows_of_a_table_are_aligned_with_themselves() -> None:
    rows = [
        f"{word.upper()}_{number} = {number * 7}\n"
        for number in range(12)
        for word in ("hue", "tone", "gloss")
    ]
    (segment,) = aligned(FOREIGN + "".join(rows[9:24]) + FOREIGN, "".join(rows))
    first = len(lexer_of("python").tokens("".join(rows[:9])))

    assert segment.exact_share == 1
    assert (segment.source_start, segment.source_end) == (first, first + 3 * 15)


def test_an_inserted_and_a_deleted_line_cost_only_themselves() -> None:
    lines = LEDGER.splitlines()
    lines.insert(8, "    log.debug('half way', extra=wrong)")
    del lines[4]
    (segment,) = aligned("\n".join(lines), LEDGER)

    assert 0.8 < segment.exact_share < 1


def matched(text: str, source: str) -> set[str]:
    """The lines of a text of which something matches."""
    (segment,) = aligned(text, source)
    numbers = lexer_of("python").tokens(text).lines[segment.matched]
    return {text.splitlines()[number].strip() for number in numbers.tolist()}


def test_a_short_line_between_two_edits_is_found() -> None:
    lines = LEDGER.splitlines()
    short = lines.index("    wrong = []")
    lines[short - 1] = lines[short + 1] = FOREIGN_LINE

    assert "wrong = []" in matched("\n".join(lines), LEDGER)


def test_a_copy_ends_with_its_last_short_line_after_an_edit() -> None:
    source = LEDGER.rstrip() + ", totals"
    *lines, _, last = source.splitlines()

    assert "return wrong, totals" in matched("\n".join([*lines, FOREIGN_LINE, last]), source)


def test_a_copy_begins_with_its_first_short_line_before_an_edit() -> None:
    first, second, *rest = LEDGER.splitlines()[2:]
    source = "\n".join([first, second, *rest])

    assert "totals = {}" in matched("\n".join([first, FOREIGN_LINE, *rest]), source)


def test_marks_alone_between_edits_are_no_match() -> None:
    before, after = LEDGER.split("    wrong = []\n")
    source = f"{before}    return {{'z': [[], wet]}}\n{after}"
    text = f"{before}    kept = [[], {{}}]\n{after}"

    assert "kept = [[], {}]" not in matched(text, source)


def test_a_dropped_docstring_does_not_count_against_the_code() -> None:
    lines = LEDGER.splitlines()
    (segment,) = aligned("\n".join(lines[:1] + lines[2:]), LEDGER)

    assert segment.exact_share == 1


def test_different_code_has_no_segment() -> None:
    assert aligned(FOREIGN, LEDGER) == []


def test_empty_sides_have_no_segment() -> None:
    assert aligned("", LEDGER) == aligned(LEDGER, "") == []
