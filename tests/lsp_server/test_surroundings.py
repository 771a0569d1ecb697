"""Looking into other files: whoever asks first waits for one look, and a look without time is taken again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lsp_server import surroundings
from lsp_server.asks import Ask, ask_at
from lsp_server.documents import Documents
from lsp_server.scheduler import LookupThread
from lsp_server.session import Session
from lsp_server.settings import parse
from lsp_server.suggestions import gap_of

CLIENT = "from shapes import area\n\nsize = "


@pytest.fixture
def session(tmp_path: Path) -> Session:
    (tmp_path / "shapes.py").write_text("def area(width):\n    return width\n")
    made = Session(Documents(), None, LookupThread("a"), LookupThread("b"))  # type: ignore[arg-type]
    made.roots = (tmp_path,)
    return made


@pytest.fixture
def ask(session: Session) -> Ask:
    uri = (session.roots[0] / "client.py").as_uri()
    document = session.documents.open(uri, "python", 1, CLIENT)
    return ask_at(document, len(CLIENT), automatic=True)


def shown(session: Session, ask: Ask) -> list[str]:
    return [each.path for each in surroundings.around(session, ask.document)]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No look is cut short, however busy the machine."""
    monkeypatch.setattr(surroundings, "_BUDGET_S", 60.0)


@pytest.mark.usefixtures("patient")
async def test_who_asks_first_waits_for_a_look(session: Session, ask: Ask) -> None:
    await surroundings.wanted(session, ask, gap_of(session, ask))

    assert shown(session, ask) == ["shapes.py"]


@pytest.mark.usefixtures("patient")
async def test_who_asks_again_is_not_kept_waiting(session: Session, ask: Ask) -> None:
    await surroundings.wanted(session, ask, gap_of(session, ask))
    (session.roots[0] / "shapes.py").unlink()
    await surroundings.wanted(session, ask, gap_of(session, ask))

    assert shown(session, ask) == ["shapes.py"]


async def test_a_look_without_time_is_taken_again_when_there_is_some(
    session: Session, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "_BUDGET_S", 0.0)
    await surroundings.rested(session, ask, gap_of(session, ask))
    assert shown(session, ask) == []

    monkeypatch.setattr(surroundings, "_BUDGET_S", 60.0)
    await surroundings.rested(session, ask, gap_of(session, ask))
    assert shown(session, ask) == ["shapes.py"]


@pytest.mark.usefixtures("patient")
@pytest.mark.usefixtures("patient")
async def test_a_cancellation_that_comes_as_the_look_ends_is_not_lost(
    session: Session, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request would go on to the model and be answered as if nothing had been said."""

    async def look(*_arguments: object) -> bool:
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(request.cancel)
        return True

    async def answer() -> None:
        await surroundings.wanted(session, ask, gap_of(session, ask))
        for _ in range(10):  # the model at work
            await asyncio.sleep(0)

    monkeypatch.setattr(surroundings, "_look", look)
    request = asyncio.create_task(answer())
    with pytest.raises(asyncio.CancelledError):
        await request


async def test_of_a_document_that_was_closed_meanwhile_nothing_is_kept(
    session: Session, ask: Ask
) -> None:
    session.documents.close(ask.document.uri)
    await surroundings.rested(session, ask, gap_of(session, ask))

    assert session.gathered == {}


@pytest.mark.usefixtures("patient")
async def test_what_was_gathered_is_not_shown_once_that_is_switched_off(
    session: Session, ask: Ask
) -> None:
    await surroundings.rested(session, ask, gap_of(session, ask))
    session.settings, _ = parse({"context.enabled": False})

    assert shown(session, ask) == []


def test_only_a_smaller_amount_than_the_models_own_is_told(session: Session) -> None:
    assert surroundings.most_tokens(session) is None
    session.settings, problems = parse({"context.maxTokens": 64})

    assert problems == []
    assert surroundings.most_tokens(session) == 64
