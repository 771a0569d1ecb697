"""Documents are looked up once for a version, by whoever asks, and given up when they change."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from indexer import Match, Source
from lsp_server import passages
from lsp_server.documents import Document, Documents
from lsp_server.passages import findings_of, root_of
from lsp_server.scheduler import READY, LookupThread
from lsp_server.session import Index, Session

SOURCE = Source("spans", "1.2", "a.py", 1, 9, "MIT", "")
TEXT = "".join(f"line_{number} = {number}\n" for number in range(400))


class FakeIndex:
    """Finds the word `copy`, and answers when it is let."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.given_up = 0
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def check_document(
        self, text: str, *, cancelled: Callable[[], bool], **_more: Any
    ) -> list[Match]:
        self.texts.append(text)
        self.asked.set()
        while not self.may_answer.wait(0.005):
            if cancelled():
                self.given_up += 1
                return []
        lines = text.split("\n")
        return [
            Match(at, at, "warning", "verbatim", 1.0, 60, SOURCE)
            for at, line in enumerate(lines, 1)
            if line == "copy"
        ]


@pytest.fixture
def index() -> FakeIndex:
    return FakeIndex()


@pytest.fixture
def session(index: FakeIndex) -> Session:
    engine: Any = None
    session = Session(Documents(), engine, LookupThread("a"), LookupThread("b"))
    session.index = Index(READY, cast("Any", index))
    return session


def opened(session: Session, text: str = TEXT, uri: str = "untitled:a") -> Document:
    return session.documents.open(uri, "python", 1, text)


def edit(document: Document, text: str) -> None:
    document.replace_all(text)
    document.version += 1


async def test_who_asks_at_the_same_time_gets_the_same_answer(
    session: Session, index: FakeIndex
) -> None:
    document = opened(session, f"copy\n{TEXT}")
    first, second = await asyncio.gather(
        findings_of(session, document), findings_of(session, document)
    )

    assert first is second is await findings_of(session, document)
    assert first is not None
    assert [each.match.start_line for each in first.passages] == [1]
    assert len(index.texts) == 1


async def test_after_an_edit_a_part_is_looked_up_and_all_of_it_for_who_wants_that(
    session: Session, index: FakeIndex
) -> None:
    document = opened(session, f"{TEXT}copy\n")
    before = await findings_of(session, document)
    edit(document, f"copy\n{TEXT}copy\n")
    part = await findings_of(session, document)
    whole = await findings_of(session, document, whole=True)

    assert before is not None
    assert part is not None
    assert whole is not None
    assert (before.is_whole, part.is_whole, whole.is_whole) == (True, False, True)
    assert len(index.texts[1]) < len(index.texts[0]) // 2
    assert index.texts[2] == document.text
    assert [each.match.start_line for each in part.passages] == [1, 402]
    assert part.passages == whole.passages
    assert await findings_of(session, document) is whole


async def test_an_edit_gives_up_what_is_being_looked_up(session: Session, index: FakeIndex) -> None:
    document = opened(session)
    index.may_answer.clear()
    asked = asyncio.create_task(findings_of(session, document))
    await asyncio.to_thread(index.asked.wait)
    passages.edited(session, document)

    assert await asked is None
    edit(document, "copy\n")
    index.may_answer.set()
    found = await findings_of(session, document)
    assert found is not None
    assert len(found.passages) == 1
    assert index.given_up <= 1  # it may have answered before it was told


async def test_who_gives_up_waiting_takes_nothing_from_the_others(
    session: Session, index: FakeIndex
) -> None:
    document = opened(session, "copy\n")
    index.may_answer.clear()
    one = asyncio.create_task(findings_of(session, document))
    other = asyncio.create_task(findings_of(session, document))
    await asyncio.to_thread(index.asked.wait)
    one.cancel()
    index.may_answer.set()
    found = await other

    assert found is not None
    assert len(found.passages) == 1


async def test_a_closed_document_is_forgotten(session: Session) -> None:
    document = opened(session, "copy\n")
    await findings_of(session, document)
    passages.forget(session, document)

    assert session.findings == {}
    assert session.checking == {}


@pytest.mark.parametrize(
    ("uri", "root"),
    [
        ("file:///srv/project/src/a.py", "/srv/project"),
        ("file:///srv/project/nested/a.py", "/srv/project/nested"),
        ("file:///elsewhere/a.py", "/elsewhere"),
        ("untitled:Untitled-1", None),
        ("vscode-notebook-cell:/srv/project/a.ipynb#X1", "/srv/project"),
    ],
)
def test_the_innermost_folder_of_the_workspace_holds_a_document(
    session: Session, uri: str, root: str | None
) -> None:
    session.roots = (Path("/srv/project"), Path("/srv/project/nested"))
    assert root_of(session, opened(session, uri=uri)) == (None if root is None else Path(root))
