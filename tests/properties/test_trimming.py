"""Whatever a model writes, the rules only take away from its end."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.brackets import scan
from engine.repetition import period
from engine.surroundings import Surroundings
from engine.trimming import MOST_LINES, stop_rule, trim, within

CODE = st.text("ab_1  \n\t()[]{}\"'`#/:,.=\\é😋", max_size=80)
PLACES = st.builds(
    Surroundings,
    before=CODE,
    after=CODE,
    language=st.sampled_from(["python", "javascript", ""]),
    multiline=st.booleans(),
    automatic=st.booleans(),
)


@settings(max_examples=300)
@given(raw=CODE, place=PLACES, capped=st.booleans())
def test_what_is_left_is_how_the_text_began(raw: str, place: Surroundings, capped: bool) -> None:
    draft = trim(raw, place, capped=capped)

    assert raw.startswith(draft.text)
    assert bool(draft.text.strip()) != bool(draft.dropped)
    assert 0 <= draft.replace_after <= len(place.line_after)
    assert draft.text.count("\n") < (MOST_LINES if place.multiline else 1)


@settings(max_examples=300)
@given(raw=CODE, place=PLACES, rest=st.text("ab_1 :,.=", min_size=1, max_size=20))
def test_what_stands_after_the_gap_is_not_said_twice(
    raw: str, place: Surroundings, rest: str
) -> None:
    line = raw.split("\n")[0]
    draft = trim(line + rest, replace(place, after=rest))

    assert len(draft.text) <= len(line)


@settings(max_examples=200)
@given(raw=CODE, place=PLACES)
def test_stopping_early_loses_nothing_that_would_be_shown(raw: str, place: Surroundings) -> None:
    stop = stop_rule(place)
    end = next((end for end in range(1, len(raw) + 1) if stop(raw[:end])), len(raw))
    whole = trim(raw, place)
    stopped = trim(raw[:end], place)

    if not whole.dropped and not stopped.dropped:
        assert whole.text.startswith(stopped.text) or stopped.text.startswith(whole.text)


@given(raw=CODE, place=PLACES)
def test_line_ends_are_those_of_the_document(raw: str, place: Surroundings) -> None:
    windows = Surroundings(
        place.before, place.after, place.language, place.multiline, place.automatic, "\r\n"
    )

    assert trim(raw, windows).text == trim(raw, place).text.replace("\n", "\r\n")


@given(one=st.text("ab", max_size=8), other=st.text("ab", max_size=8), limit=st.integers(0, 8))
def test_distances_are_levenshteins(one: str, other: str, limit: int) -> None:
    assert within(one, other, limit) == (_distance(one, other) <= limit)


def _distance(one: str, other: str) -> int:
    if not one or not other:
        return len(one) + len(other)
    if one[0] == other[0]:
        return _distance(one[1:], other[1:])
    return 1 + min(
        _distance(one[1:], other), _distance(one, other[1:]), _distance(one[1:], other[1:])
    )


@given(piece=st.lists(st.integers(0, 2), min_size=1, max_size=4), times=st.integers(2, 5))
def test_the_period_of_a_repeated_piece_divides_it(piece: list[int], times: int) -> None:
    found = period([str(each) for each in piece * times])

    assert found <= len(piece)
    assert (piece * times)[found:] == (piece * times)[:-found]


@given(text=CODE, language=st.sampled_from(["python", "javascript", "sql", "markdown"]))
def test_a_scan_names_brackets_of_the_text_in_order(text: str, language: str) -> None:
    events = scan(text, language).events

    assert [text[index] for index, _ in events] == [character for _, character in events]
    assert [index for index, _ in events] == sorted({index for index, _ in events})
