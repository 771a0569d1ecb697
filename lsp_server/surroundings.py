"""What other files say about the place that is written at: looked for while it rests, the same while one types.

A keystroke pays for its change only where all that stands before it in the prompt stays. So what was
gathered stands until the cursor rests far from there, or the imports or the other open files change.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.context import Source, excerpts, kin
from lsp_server.passages import file_of
from lsp_server.session import Gathered

if TYPE_CHECKING:
    from pathlib import Path

    from engine.api import Excerpt, Gap
    from lsp_server.asks import Ask
    from lsp_server.documents import Document
    from lsp_server.session import Session
    from lsp_server.workspace import Workspace

_BUDGET_S = 0.020  # of one look into the files
_LOOKS = 50  # one after the other, until all were looked into
_FAR = 30  # lines
_OPEN = 8  # documents besides the one that is written


@dataclass(frozen=True, slots=True)
class _Place:
    """A gap and the files around it, as they are now: for another thread."""

    gap: Gap
    path: str  # of its document, relative to the root
    line: int
    root: Path | None  # the folder of the workspace that it is in
    exclude: tuple[str, ...]
    others: tuple[tuple[str, Path | None, str, str], ...]  # path, file, text, language
    state: tuple[tuple[str, float], ...]  # what the others depend on


def around(session: Session, document: Document) -> tuple[Excerpt, ...]:
    """What was gathered last for a document."""
    known = session.gathered.get(document)
    return known.excerpts if known is not None and session.settings.context.enabled else ()


def most_tokens(session: Session) -> int | None:
    """How much of it the model may be shown; None is what is best for it."""
    most = session.settings.context.max_tokens
    return None if most < 0 else most


async def rested(session: Session, ask: Ask, gap: Gap) -> None:
    """The cursor rests: look into the files again where that may give anything else."""
    if session.settings.context.enabled:
        place = _place(session, ask, gap)
        for _ in range(_LOOKS):
            if await _look(session, ask.document, place):
                return


async def wanted(session: Session, ask: Ask, gap: Gap) -> None:
    """Somebody waits: one look, where there never was one in this document."""
    if not session.settings.context.enabled or ask.document in session.gathered:
        return
    try:
        place = _place(session, ask, gap)
        async with asyncio.timeout(2 * _BUDGET_S):
            await _look(session, ask.document, place)
    except TimeoutError:
        return  # the next rest finds it


def forget(session: Session) -> None:
    """A document was closed: nothing is kept that may be of it."""
    session.gathered.clear()
    session.spawn(session.nearby.run(session.workspace.opened, ()))


async def _look(session: Session, document: Document, place: _Place) -> bool:
    """Whether there is nothing more to look into."""
    known = session.gathered.get(document)
    found = await session.nearby.run(_gather, session.workspace, place, known)
    if session.documents.get(document.uri) is document:
        session.gathered[document] = found
    return found.is_whole


def _place(session: Session, ask: Ask, gap: Gap) -> _Place:
    document = ask.document
    root = _root(session, file_of(document))
    newest = sorted(
        enumerate(session.documents), key=lambda each: (each[1].edited_at, each[0]), reverse=True
    )
    language = kin(document.language)
    others = [
        each
        for _, each in newest
        if each is not document
        and kin(each.language) == language
        and (each.notebook is None or each.notebook is not document.notebook)
    ][:_OPEN]
    return _Place(
        gap,
        _path(document, root),
        ask.own_prefix.count("\n"),
        root,
        session.settings.exclude,
        tuple((_path(each, root), file_of(each), each.text, each.language) for each in others),
        tuple((each.uri, each.edited_at) for each in others),
    )


def _root(session: Session, file: Path | None) -> Path | None:
    """The folder of the workspace that a file is in, the innermost."""
    roots = [root for root in session.roots if file is not None and file.is_relative_to(root)]
    return max(roots, key=lambda root: len(root.parts), default=None)


def _path(document: Document, root: Path | None) -> str:
    file = file_of(document)
    if root is not None and file is not None and file.is_relative_to(root):
        return file.relative_to(root).as_posix()
    return document.shown_path


def _is_near(known: Gathered, place: _Place) -> bool:
    return abs(known.line - place.line) <= _FAR


def _gather(workspace: Workspace, place: _Place, known: Gathered | None) -> Gathered:
    """One look, on a thread of its own; the same as before where nothing asks for another."""
    end = time.monotonic() + _BUDGET_S
    own = Source(place.path, place.gap.prefix + place.gap.suffix, place.gap.language)
    key = (tuple(own.imports), place.state, place.exclude)
    if known is not None and known.is_whole and known.key == key and _is_near(known, place):
        return known
    root, exclude = place.root, place.exclude
    opened = workspace.opened(
        (path, text, language)
        for path, file, text, language in place.others
        if workspace.may_show(path, file, exclude)
    )
    by_path = {each.path: each for each in opened}

    def find(path: str) -> Source | None:
        return by_path.get(path) or (workspace.find(root, path, exclude) if root else None)

    in_time = True

    def is_in_time() -> bool:
        nonlocal in_time
        in_time = in_time and time.monotonic() < end
        return in_time

    found = excerpts(place.gap, own, opened, find, in_time=is_in_time)
    return Gathered(key, place.line, found, in_time)
