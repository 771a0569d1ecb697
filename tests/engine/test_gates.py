"""Where nothing is suggested, and where a line or several are."""

from __future__ import annotations

import pytest

from engine.api import CompletionOptions, Gap
from engine.gates import closed_gate
from engine.prose import in_comment, in_long_string, in_prose
from engine.surroundings import surroundings_of

ASKED, TYPED = CompletionOptions(), CompletionOptions(automatic=True)
BEGUN = "import something\n\n"


@pytest.mark.parametrize("rest", ["", ")", "')", ");", "):", "  )  {", "\n", "\r\nmore", "]),\nx"])
def test_what_finishes_a_line_may_follow(rest: str) -> None:
    assert closed_gate(Gap(BEGUN, rest), TYPED) is None


@pytest.mark.parametrize("rest", [" + 1", ")x", ".a", "(", ")) + y\n", " if a else b"])
def test_more_may_not_unless_somebody_asked(rest: str) -> None:
    assert closed_gate(Gap(BEGUN, rest), TYPED) == "rest-of-line"
    assert closed_gate(Gap(BEGUN, rest), ASKED) is None


@pytest.mark.parametrize("rest", ["name", "_x", "1", "é", "名"])
def test_inside_a_word_nothing_is_suggested_even_if_asked(rest: str) -> None:
    assert closed_gate(Gap(BEGUN, rest), TYPED) == "mid-word"
    assert closed_gate(Gap(BEGUN, rest), ASKED) == "mid-word"


def test_a_document_that_has_not_begun_says_too_little() -> None:
    assert closed_gate(Gap("impor \n\n", "\n"), TYPED) == "little-text"
    assert closed_gate(Gap("impor \n\n", "\n"), ASKED) is None
    assert closed_gate(Gap("# 12345678\n", "\n9"), TYPED) is None


def test_a_line_of_blanks_is_judged_at_once() -> None:
    assert closed_gate(Gap(BEGUN, " " * 100_000 + "x"), TYPED) is None


@pytest.mark.parametrize(
    ("before", "after", "several"),
    [
        ("def f():\n    ", "\n", True),
        ("def f():", "\n", True),
        ("x = [", "", True),
        ("const f = () =>", "", True),
        ("if (a) {  ", "", True),
        ("def f(", ")", False),
        ("x = ", "\n", False),
        ("return foo", "", False),
        ("    # remember:", "\n", False),
        ("    ", "  )", False),
        ("", "", True),
    ],
)
def test_several_lines_where_a_block_begins(before: str, after: str, several: bool) -> None:
    around = surroundings_of(Gap(before, after, language="python"), ASKED)

    assert around.multiline is several


@pytest.mark.parametrize(
    ("before", "language", "several"),
    [
        ("/**\n * @param {", "javascript", False),
        ("  /* words\n\n", "c", False),
        ("/* words */\n", "c", True),
        ("/* words\n */\nif (a) {", "typescript", True),
        ('const glob = "src/*";\n', "javascript", True),
        ("/* no comment\n", "python", True),
    ],
)
def test_a_comment_of_several_lines_is_written_line_by_line(
    before: str, language: str, several: bool
) -> None:
    assert surroundings_of(Gap(before, "\n", language=language), ASKED).multiline is several


DOCUMENTED = 'def f(a):\n    """Do it.\n\n    '


@pytest.mark.parametrize(
    ("before", "language", "several"),
    [
        (DOCUMENTED, "python", False),
        (f"{DOCUMENTED}Args:", "python", False),
        (f'{DOCUMENTED}"""\n    ', "python", True),
        ('"""What this is for."""\n\n', "python", True),
        ("QUERY = '''\n    select", "python", False),
        ('# it takes """ to begin\n', "python", True),
        ('quotes = \'"""\'\n', "python", True),
        ('print("found:', "python", False),
        ("print('found: {", "javascript", False),
        ("fn f<'a>(x: &str) {", "rust", True),
        ('a = """b\n', "javascript", True),
    ],
)
def test_a_docstring_and_a_string_are_written_line_by_line(
    before: str, language: str, several: bool
) -> None:
    assert surroundings_of(Gap(before, "\n", language=language), ASKED).multiline is several


@pytest.mark.parametrize("filler", ["x = 1\n" * 20_000, '"""\n' + "words\n" * 20_000 + '"""\n'])
def test_far_into_a_document_docstrings_are_told_from_the_last_definition_on(filler: str) -> None:
    assert in_prose(filler + DOCUMENTED, "python", whole=True)
    assert not in_prose(f'{filler}{DOCUMENTED}"""\n    return ', "python", whole=True)
    assert not in_long_string(filler[-1000:], "python", whole=False)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (f"{BEGUN}# remember ", "comment"),
        (f"{BEGUN}{DOCUMENTED}It ", "comment"),
        (f"{BEGUN}x = open('", None),
        (f"{BEGUN}x = ", None),
    ],
)
def test_who_wants_nothing_in_comments_is_suggested_nothing_unasked(
    before: str, reason: str | None
) -> None:
    gap = Gap(before, "\n", language="python")

    assert closed_gate(gap, CompletionOptions(automatic=True, in_comments=False)) == reason
    assert closed_gate(gap, CompletionOptions(in_comments=False)) is None
    assert closed_gate(gap, TYPED) is None


def test_the_caller_may_decide() -> None:
    line = surroundings_of(Gap("def f():", ""), CompletionOptions(multiline=False))
    lines = surroundings_of(Gap("x = ", ""), CompletionOptions(multiline=True))

    assert (line.multiline, lines.multiline) == (False, True)


def test_asking_and_typing_want_the_same_number_of_lines() -> None:
    for before in ("x = ", "def f():", "    "):
        gap = Gap(before, "\n", language="python")
        assert surroundings_of(gap, ASKED).multiline is surroundings_of(gap, TYPED).multiline


@pytest.mark.parametrize(
    ("line", "language", "comment"),
    [
        ("x = 1  # and", "python", True),
        ("x = '#", "python", False),
        ("x = '#' # and", "python", True),
        ("a // b", "python", False),
        ("a // b", "javascript", True),
        ("url = 'https://", "javascript", False),
        ("select 1 -- one", "sql", True),
        ("# heading", "markdown", False),
        ("x --", "rust", False),
    ],
)
def test_comments_are_told_by_language(line: str, language: str, comment: bool) -> None:
    assert in_comment(line, language) is comment


def test_the_line_ends_of_most_lines_are_the_documents() -> None:
    assert surroundings_of(Gap("a\r\nb\r\nc", "\nd"), ASKED).line_end == "\r\n"
    assert surroundings_of(Gap("a\nb\nc", "\r\nd"), ASKED).line_end == "\n"
    assert surroundings_of(Gap("", ""), ASKED).line_end == "\n"


def test_lines_around_the_gap() -> None:
    around = surroundings_of(Gap("one\r\n\r\n  two", ")\r\n\r\nthree  \r\nfour"), ASKED)

    assert around.line_before == "  two"
    assert around.line_after == ")"
    assert around.previous_line == "one"
    assert around.next_line == "three"
