"""Which of several indexes the model was trained on, and what is said of all together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from lsp_server.scheduler import READY
from lsp_server.session import Index, Session


def record(corpus_hash: str, *, documents: int = 1, selection: str = "full") -> Any:
    return SimpleNamespace(
        corpus_hash=corpus_hash,
        recipe_hash="",
        selection=selection,
        documents=documents,
        packages=2,
    )


def session(infos: dict[str, Any], *, trained_on: str) -> Session:
    info = SimpleNamespace(
        corpus_hash=trained_on,
        name="m",
        device="cpu",
        parameters=1,
        corpus_parts="",
        recipe_hash="",
    )
    engine: Any = SimpleNamespace(state=SimpleNamespace(name=READY, info=info, problem=""))
    nothing: Any = None
    return Session(nothing, engine, nothing, nothing, index=Index(READY, infos=infos))


def test_a_model_learned_from_the_index_of_its_corpus_alone() -> None:
    infos = {"public": record("c", documents=3), "ours": record("own", selection="own")}
    known = session(infos, trained_on="c")

    assert known.learned() == {"public"}
    assert known.belongs() == "yes"
    assert known.status().index.documents == 4


def test_of_a_model_that_does_not_say_what_it_learned_nothing_is_claimed() -> None:
    known = session({"public": record("c")}, trained_on="")

    assert (known.learned(), known.belongs()) == (frozenset(), "unknown")


def test_an_index_of_another_corpus_is_not_what_the_model_learned() -> None:
    known = session({"public": record("another")}, trained_on="c")

    assert (known.learned(), known.belongs()) == (frozenset(), "no")
