"""A mark too many hides nothing: what is behind half-typed quotes, or in a part cut out of a docstring, is found."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from indexer.attribution import index as index_module
from indexer.attribution import resuming
from indexer.attribution.families import PYTHON, SCRIPT
from indexer.attribution.resuming import last_resumption, resumed
from tests.indexer.attribution.conftest import CLUSTER, FOREIGN, LEDGER, QUEUE

if TYPE_CHECKING:
    from indexer.attribution.families import Family
    from indexer.attribution.index import AttributionIndex
    from indexer.attribution.matches import Match
    from indexer.attribution.matching import Question

DOCUMENTED = CLUSTER.replace(
    "    found = {}\n", '    """For every point.\n\n    The nearest.\n    """\n'
)


@pytest.mark.parametrize("typed", ['"""', '    """', '"""Says what', "x = '''", '    f"""{x}'])
@pytest.mark.parametrize("below", ["", DOCUMENTED, FOREIGN + DOCUMENTED])
def test_while_somebody_types_quotes_the_marks_below_stay(
    index: AttributionIndex, typed: str, below: str
) -> None:
    text = f"{FOREIGN}\n\n{LEDGER}\n\n{below}"
    lines = text.split("\n")
    at = FOREIGN.count("\n") + 1
    matches = index.check_document(text, language="python")
    again = index.check_document("\n".join([*lines[:at], typed, *lines[at:]]), language="python")

    assert [each.source for each in again] == [each.source for each in matches]
    assert [each.end_line for each in again] == [each.end_line + 1 for each in matches]


@pytest.mark.parametrize("opening", ["/*", "/**", "const text = `", "    /* as"])
def test_likewise_a_remark_or_a_template_in_a_script(index: AttributionIndex, opening: str) -> None:
    (match,) = index.check_document(f"{opening}\n{QUEUE}", language="javascript")

    assert match.source.package == "patience"


REMARKED = "/**\n" + " * Asks again, and waits longer.\n" * 30 + f" */\n{QUEUE}"


@pytest.mark.parametrize("typed", ["const half = `Half ${typed\n", f"/* as said\n{QUEUE}"])
def test_what_remarks_below_say_does_not_make_code_a_text(
    index: AttributionIndex, typed: str
) -> None:
    text = typed + REMARKED
    (match, *_) = index.check_document(text, language="javascript")
    first = text[: text.index("// Retries")].count("\n") + 1

    assert (match.source.package, match.start_line) == ("patience", first)


@pytest.mark.parametrize("typed", ["const half = `", "/*"])
def test_what_nothing_closes_is_doubted_early(index: AttributionIndex, typed: str) -> None:
    table = "".join(f"  '{name}': 'off', // as ever\n" for name in "abcdefghijklmnopq")
    text = f"{typed}\n{table}{QUEUE}"
    (match,) = index.check_document(text, language="javascript")

    assert match.source.package == "patience"


def test_a_remark_that_is_closed_by_the_next_one_hides_nothing(index: AttributionIndex) -> None:
    text = f"let first = 1;\n/*\n{QUEUE}\n/** The second. */\nlet second = 2;\n"
    (match,) = index.check_document(text, language="javascript")

    assert match.source.package == "patience"


def test_a_part_that_begins_and_ends_in_a_docstring_is_read_right(index: AttributionIndex) -> None:
    text = f'of what was said above, the rest\n"""\n{LEDGER}\n\ndef other():\n    """Begins here\n'
    (match,) = index.check_document(text, language="python")

    assert (match.source.package, match.start_line) == ("books", 3)


def test_code_that_is_completed_below_half_typed_quotes_is_judged(index: AttributionIndex) -> None:
    lines = LEDGER.splitlines(keepends=True)
    before = f'{FOREIGN}\n"""\n' + "".join(lines[:4])
    (match,) = index.check_completion(before, "".join(lines[4:]), "", language="python")

    assert match.source.package == "books"
    assert match.end_line == before.count("\n") + len(lines) - 4


@pytest.mark.parametrize(
    "text",
    [
        DOCUMENTED,
        'HELP = """\nusage: tool [FILE]\n\nReads a file, and says what is in it.\n"""\nprint(HELP)\n',
        '"""Just begun, and nothing behind it\n',
        "# a remark with ''' in it\nvalue = '\"\"\"'\nother = 1\nthird = 2\n",
        "x = 1\n" * 20,
        "",
    ],
)
def test_what_is_in_order_is_read_once(text: str) -> None:
    assert resumed(text, PYTHON) is None
    assert last_resumption(text, PYTHON) == 0


@pytest.mark.parametrize("family", [PYTHON, SCRIPT])
def test_what_comes_in_pairs_is_doubted_no_more_than_when_it_is_looked_at(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = ["/*", "*/", "x = 1;", "\n/* y */", "\n", " 'a/*b'", "// */ z", "return f(x)", "\\"]
    texts = ["".join(each) + "\n" for each in itertools.product(pieces, repeat=4)]
    told = [last_resumption(each, family) for each in texts]
    monkeypatch.setattr(resuming, "_come_in_pairs", lambda *_: False)

    assert [last_resumption(each, family) for each in texts] == told


def test_an_example_in_a_remark_is_left_there() -> None:
    text = "/**\n * Use it so:\n * const a = f(1);\n * const b = g(a);\n * h(b);\n */\nf(1);\n"

    assert resumed(text, SCRIPT) is None


def test_lines_stay_where_they_are() -> None:
    reading = resumed(f'"""\n{LEDGER}', PYTHON)

    assert reading is not None
    assert reading.tokens.lines.max() == LEDGER.count("\n")


def test_a_text_of_nothing_but_marks_ends() -> None:
    for text in ('"""\nx = f(1)\ny = g(2)\n' * 300, "# '''\n" * 3000, "'''" * 3000):
        resumed(text, PYTHON)
    assert resumed("/*\nf(1);\ng(2);\n" * 300, SCRIPT) is not None


def test_only_what_a_second_reading_has_otherwise_is_looked_up_again(
    index: AttributionIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    find = index_module.find

    def counted(question: Question, *rest: Any) -> list[Match]:
        asked.append(len(question.tokens))
        return find(question, *rest)

    monkeypatch.setattr(index_module, "find", counted)
    filler = "".join(f"value_{number} = {number} + other_{number}\n" for number in range(900))
    text = f'{filler}template = """\n{LEDGER}"""\n{filler}'
    (match,) = index.check_document(text, language="python")

    assert match.source.path == "books/ledger.py"
    assert asked[1] < asked[0] / 3
