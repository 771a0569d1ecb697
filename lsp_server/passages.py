"""Which passages of the open documents are in the corpus: looked up off the loop, once for a version.

After an edit the changed lines are looked up with what lies near them; who wants certainty asks for `whole`.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pygls.uris import to_fs_path

from indexer.attribution.projects import folders_around, own_packages
from lsp_server import wire
from lsp_server.asks import LARGEST_DOCUMENT
from lsp_server.convert import speakable
from lsp_server.documents import CELL_SCHEME
from lsp_server.session import Checking, Findings, Passage, Project

if TYPE_CHECKING:
    from indexer import AttributionIndex, Match
    from lsp_server.documents import Document
    from lsp_server.session import Session


def project_of(document: Document) -> Project:
    """Reads files, so not for the event loop."""
    from indexer.attribution.ignoring import ignore_file, read_ignores

    path = file_of(document)
    if path is None:
        return Project()
    own = own_packages(path) | folders_around(path)
    return Project(own, read_ignores(ignore_file(path)))


def file_of(document: Document) -> Path | None:
    """Where the document is stored, if it is; a cell is in its notebook's file."""
    scheme, _, rest = document.uri.partition(":")
    if scheme not in ("file", CELL_SCHEME):
        return None
    path = to_fs_path(f"file:{rest}")
    return Path(path) if path else None


def root_of(session: Session, document: Document) -> Path | None:
    """The folder of the workspace that the document is in, or its own where there is none."""
    path = file_of(document)
    if path is None:
        return None
    around = [root for root in session.roots if path.is_relative_to(root)]
    return max(around, key=lambda root: len(root.parts), default=path.parent)


async def findings_of(
    session: Session, document: Document, *, whole: bool = False
) -> Findings | None:
    """The passages in the document as it is now.

    None without an index, in a document that is too large, where it fails, and after a newer edit.
    """
    known = session.findings.get(document)
    if known is not None and known.answers(document.version, whole=whole):
        return known
    running = session.checking.get(document)
    if running is None or not running.answers(document.version, whole=whole):
        edited(session, document)
        work = _find(session, document, None if whole else known)
        running = Checking(document.version, whole or known is None, session.spawn(work))
        session.checking[document] = running
    # Who waits may give up; the others still want the answer.
    await asyncio.wait({running.task})
    return None if running.task.cancelled() else running.task.result()


def edited(session: Session, document: Document) -> None:
    """What is being looked up is out of date."""
    if (running := session.checking.pop(document, None)) is not None:
        running.task.cancel()


def forget(session: Session, document: Document) -> None:
    edited(session, document)
    session.findings.pop(document, None)


async def _find(session: Session, document: Document, known: Findings | None) -> Findings | None:
    from indexer import IndexUnavailable

    index = session.index.index
    lines, version = tuple(document.lines), document.version
    if index is None or sum(map(len, lines)) > LARGEST_DOCUMENT:
        return None
    unwanted = threading.Event()

    def look_up() -> Findings:
        return _looked_up(index, document, lines, version, known, unwanted)

    try:
        found = await session.lookups.run(look_up)
    except asyncio.CancelledError:
        unwanted.set()
        raise
    except IndexUnavailable as damaged:
        session.index.problem = str(damaged)
        return None
    except Exception as error:  # noqa: BLE001 -- a failed check leaves the file unmarked
        wire.report(error)
        return None
    if session.documents.get(document.uri) is document:
        session.findings[document] = found
    return found


def _looked_up(
    index: AttributionIndex,
    document: Document,
    lines: tuple[str, ...],
    version: int,
    known: Findings | None,
    unwanted: threading.Event,
) -> Findings:
    # Here and not above: with numpy behind it, it would delay the start.
    from indexer.attribution.revising import revised

    project = project_of(document)

    def check(text: str) -> list[Match]:
        return index.check_document(
            speakable(text),
            language=document.language,
            path=document.shown_path,
            own=project.own,
            cancelled=unwanted.is_set,
        )

    found = None
    if known is not None and document.language:
        found = revised(known.lines, known.found, lines, check, language=document.language)
    is_whole = found is None
    text = "".join(lines)
    if found is None:
        found = check(text)
    reported = project.reported(found, text)
    passages = tuple(Passage(_id_of(match, lines), match) for match in reported)
    return Findings(version, passages, tuple(found), lines, project, is_whole=is_whole)


def _id_of(match: Match, lines: tuple[str, ...]) -> str:
    """The same while passage and source are."""
    from indexer.attribution.ignoring import passage_hash

    source = match.source
    passage = lines[match.start_line - 1 : match.end_line]
    alone = replace(match, start_line=1, end_line=len(passage))
    hashed = passage_hash(alone, "".join(passage))
    parts = (hashed, source.package, source.path, str(source.start_line))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]
