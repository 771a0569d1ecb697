"""Accepted text that matches: what is taken out, and what is banned there."""

from __future__ import annotations

from typing import Any

import pytest

from engine.api import Ban
from indexer import Match, Source
from lsp_server import alternatives
from lsp_server.alternatives import ban_at, bans_at, removal_of
from lsp_server.cache import Made, Suggestion
from lsp_server.documents import Document, Documents
from lsp_server.scheduler import LookupThread
from lsp_server.session import Session

SOURCE = Source("spans", "1.2", "a.py", 1, 9, "MIT", "")
PREFIX = "import os\n\n"
WRITTEN = "mine = 1\nfor each in them:\n    use(each)"


@pytest.fixture
def session() -> Session:
    engine: Any = None
    return Session(Documents(), engine, LookupThread("a"), LookupThread("b"))


def accepted(session: Session, text: str, *, replaced: str = "") -> Document:
    document = session.documents.open("file:///a.py", "python", 1, text)
    suggestion = Suggestion("s1", WRITTEN, replace_after=len(replaced))
    made = Made(document.uri, len(PREFIX), suggestion, replaced)
    alternatives.accepted(session, document, made)
    return document


def match(first: int, last: int) -> Match:
    return Match(first, last, "warning", "verbatim", 1.0, 60, SOURCE)


def test_text_is_taken_out_from_the_first_word_that_matches(session: Session) -> None:
    document = accepted(session, f"{PREFIX}{WRITTEN}\nrest()\n", replaced=")")
    removal = removal_of(session, document, match(4, 6))

    assert removal is not None
    assert document.text[removal.start : removal.end] == "for each in them:\n    use(each)"
    assert removal.restored == ")"
    assert removal.ban == Ban("for each in them:\n    use(each)")


def test_a_match_that_began_above_takes_all_of_it(session: Session) -> None:
    document = accepted(session, f"{PREFIX}{WRITTEN}\n")
    removal = removal_of(session, document, match(1, 5))

    assert removal is not None
    assert document.text[removal.start : removal.end] == WRITTEN


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        (f"{PREFIX}{WRITTEN.replace('use', 'lose')}\n", 3, 5),  # edited since
        (f"{PREFIX}{WRITTEN}\nrest()\n", 6, 9),  # below it
        (f"{PREFIX}{WRITTEN}\nrest()\n", 1, 2),  # above it
        ("", 1, 1),
    ],
)
def test_what_is_not_ours_is_left(session: Session, text: str, first: int, last: int) -> None:
    document = accepted(session, text)
    assert removal_of(session, document, match(first, last)) is None


def test_text_that_moved_is_found_where_it_matches(session: Session) -> None:
    document = accepted(session, f"{WRITTEN}\n# new\n# new\n{PREFIX}{WRITTEN}\n")
    below = removal_of(session, document, match(9, 10))
    above = removal_of(session, document, match(2, 3))

    assert below is not None
    assert above is not None
    assert below.start == document.text.rindex("for each")
    assert above.start == document.text.index("for each")


def test_bans_add_up_at_a_place_and_old_ones_are_forgotten(session: Session) -> None:
    ban_at(session, "a", "x = ", Ban("1"))
    ban_at(session, "a", "x = ", Ban("2"))
    assert bans_at(session, "a", "x = ") == (Ban("1"), Ban("2"))
    assert bans_at(session, "b", "x = ") == bans_at(session, "a", "x") == ()
    for number in range(20):
        ban_at(session, "a", str(number), Ban("1"))
    assert bans_at(session, "a", "x = ") == ()
    assert len(session.bans) == 20
