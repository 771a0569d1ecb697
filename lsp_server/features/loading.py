"""Model and index come in the background; the editor is told how far they are."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lsp_server import protocol, wire
from lsp_server.features import diagnostics
from lsp_server.scheduler import LOADING, READY, UNAVAILABLE, EngineState
from lsp_server.session import FOREIGN_INDEX, Index

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.api import Completer
    from indexer import AttributionIndex
    from lsp_server.editor import Editor
    from lsp_server.session import Session
    from lsp_server.settings import Settings

    OpenIndex = Callable[[Sequence[str]], AttributionIndex]
    LoadModel = Callable[[Settings], Completer]

_PROGRESS = "footnote/loading"
_LOOK_S = 1.0  # between two looks at the folders of the indexes


def load_model(settings: Settings) -> Completer:
    """The completer in a process of its own."""
    import engine
    from engine.choice import FILE
    from indexer.home import data_home

    return engine.load_in_worker(
        settings.model or None,
        backend=settings.backend,
        device=settings.device,
        prompt_tokens=settings.completion.prompt_tokens,
        timings=data_home() / FILE,
    )


def open_index(names: Sequence[str]) -> AttributionIndex:
    """The indexes of these names or folders, asked as one; without any, all there are."""
    from indexer import open_indexes

    return open_indexes(names)


def begin(session: Session, editor: Editor, *, open_index: OpenIndex) -> None:
    """Start loading; returns at once."""
    session.engine.set_idle_minutes(session.settings.unload_after_minutes)
    session.engine.start()
    session.spawn(read_index(session, editor, open_index=open_index))
    if session.client.progress:
        session.spawn(_show_progress(session, editor))


def restart_model(session: Session, load: Callable[[], Completer] | None = None) -> None:
    session.cache.clear()
    session.engine.restart(load)


def engine_changed(session: Session, editor: Editor, state: EngineState) -> None:
    """The engine thread has something to tell; runs on the event loop."""
    if state.name == UNAVAILABLE and session.first_time(state.problem):
        editor.warn(state.problem)
    _told(session, editor)


def look_again(session: Session, editor: Editor, *, open_index: OpenIndex) -> None:
    """Somebody is at work: were indexes built, replaced or removed from meanwhile?"""
    index, now = session.index, time.monotonic()
    if index.state != LOADING and now >= index.looked_at + _LOOK_S:
        index.looked_at = now
        session.spawn(_read_what_changed(session, editor, index, open_index))


async def _read_what_changed(
    session: Session, editor: Editor, index: Index, open_index: OpenIndex
) -> None:
    stamps = await session.lookups.run(_stamps, session.settings.index)
    if stamps != index.stamps and session.index is index:
        await _use(session, editor, open_index)


async def read_index(session: Session, editor: Editor, *, open_index: OpenIndex) -> None:
    """Open the index of the settings and check every open document against it."""
    session.index = Index(LOADING)
    editor.tell_status(session.status())
    await _use(session, editor, open_index)


async def _use(session: Session, editor: Editor, open_index: OpenIndex) -> None:
    session.index = await session.lookups.run(opened, open_index, session.settings.index)
    session.index.looked_at = time.monotonic()
    if session.index.problem and session.first_time(session.index.problem):
        editor.warn(session.index.problem)
    _told(session, editor)
    diagnostics.all_again(session, editor)


def opened(open_index: OpenIndex, setting: str) -> Index:
    """Runs on a lookup thread: reading and the imports for it take their time."""
    before = _stamps(setting)
    return replace(_opened(open_index, _named(setting)), stamps=before)


def _opened(open_index: OpenIndex, names: Sequence[str]) -> Index:
    from indexer import FederatedIndex, IndexUnavailable

    try:
        index = open_index(names)
        if isinstance(index, FederatedIndex):
            return Index(READY, index, "; ".join(index.problems), index.infos())
        return Index(READY, index, infos={"": index.info()})
    except IndexUnavailable as unavailable:
        return Index(UNAVAILABLE, problem=str(unavailable))
    except Exception as error:  # noqa: BLE001 -- the server goes on without citations
        wire.report(error)
        problem = "the attribution index cannot be opened; `footnote doctor` says why"
        return Index(UNAVAILABLE, problem=problem)


def _named(setting: str) -> list[str]:
    return [name for each in setting.split(",") if (name := each.strip())]


def _stamps(setting: str) -> tuple[object, ...]:
    from indexer.attribution.federation import stamps

    try:
        return stamps(_named(setting))
    except OSError:  # a folder that may not be listed: opening says so
        return ()


def _told(session: Session, editor: Editor) -> None:
    if session.belongs() == "no" and session.first_time(FOREIGN_INDEX):
        editor.warn(FOREIGN_INDEX)
    editor.tell_status(session.status())


async def _show_progress(session: Session, editor: Editor) -> None:
    bar = await editor.progress(_PROGRESS, "Footnote")
    if bar is None:
        return
    said = ""
    while session.status().busy:
        waiting = [
            name
            for name, state in (
                ("model", session.engine.state.name),
                ("attribution index", session.index.state),
            )
            if state == LOADING
        ]
        if (message := "loading " + " and ".join(waiting)) != said:
            bar.say(message)
            said = message
        await asyncio.sleep(0.05)
    status = session.status()
    bar.end(status.message if status.kind != protocol.NORMAL else "ready")
