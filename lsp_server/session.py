"""All that the server remembers between two messages. Only the event loop changes it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.home import data_home
from lsp_server import wire
from lsp_server.cache import Made, SuggestionCache
from lsp_server.capabilities import Client
from lsp_server.exclusions import IgnoreFiles
from lsp_server.power import Power
from lsp_server.protocol import (
    ERROR,
    INACTIVE,
    NORMAL,
    WARNING,
    IndexStatus,
    ModelStatus,
    StatusParams,
)
from lsp_server.scheduler import LOADING, READY, UNAVAILABLE, EngineThread, LookupThread
from lsp_server.settings import Settings
from lsp_server.source_files import SourceFiles
from lsp_server.trace import Trace
from lsp_server.workspace import Workspace

if TYPE_CHECKING:
    from engine.api import Ban, Excerpt
    from indexer import AttributionIndex, IndexInfo, Match
    from indexer.attribution.ignoring import Ignores
    from lsp_server.documents import Document, Documents


@dataclass(frozen=True, slots=True)
class Passage:
    """A match in a document, under a name by which it can be asked for again."""

    id: str
    match: Match


@dataclass(frozen=True, slots=True)
class Project:
    """What the files around a document say about it."""

    own: frozenset[str] = frozenset()  # names of its packages
    ignores: Ignores | None = None

    def reported(self, matches: list[Match], text: str) -> list[Match]:
        """The matches that the project has not settled."""
        return matches if self.ignores is None else self.ignores.reported(matches, text)

    @property
    def problem(self) -> str:
        return "" if self.ignores is None else self.ignores.problem


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in one version of a document."""

    version: int
    passages: tuple[Passage, ...]
    found: tuple[Match, ...]  # with those that the project ignores
    lines: tuple[str, ...]
    project: Project
    is_whole: bool  # the whole text was looked up, not only what had changed

    def answers(self, version: int, *, whole: bool) -> bool:
        return self.version == version and (self.is_whole or not whole)


@dataclass(frozen=True, slots=True)
class Checking:
    """A document that is being looked up."""

    version: int
    is_whole: bool
    task: asyncio.Task[Findings | None]

    def answers(self, version: int, *, whole: bool) -> bool:
        return self.version == version and (self.is_whole or not whole)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What other files say about a place of a document."""

    key: object  # what it depends on besides the place
    line: int
    excerpts: tuple[Excerpt, ...]
    is_whole: bool  # there was time for all files


@dataclass(slots=True)
class Index:
    """The attribution indexes, once they are open; `problem` says what to do where one is not."""

    state: str = LOADING
    index: AttributionIndex | None = None
    problem: str = ""
    infos: Mapping[str, IndexInfo] = field(default_factory=dict)  # by the names of the indexes
    stamps: tuple[object, ...] = ()  # of their folders when they were opened
    looked_at: float = 0.0  # when these were compared last, on the monotonic clock


@dataclass(slots=True, eq=False)
class Following:
    """What follows a suggestion is being computed, before anybody asks for it."""

    where: tuple[str, str, str]  # the document's URI, the text before the cursor and behind it
    done: asyncio.Event = field(default_factory=asyncio.Event)
    nothing: str = ""  # why nothing came of it, where it came to its end


@dataclass(slots=True)
class Session:
    """State with one owner; features read it and tell it what happened."""

    documents: Documents
    engine: EngineThread
    candidates: LookupThread  # checks of suggestions: somebody waits for these
    lookups: LookupThread  # whole documents, opening the index
    encoding: str = "utf-16"
    client: Client = field(default_factory=Client)
    settings: Settings = field(default_factory=Settings)
    initial_options: Any = None
    index: Index = field(default_factory=Index)
    ignore_files: IgnoreFiles = field(default_factory=IgnoreFiles)
    cache: SuggestionCache = field(default_factory=SuggestionCache)
    nearby: LookupThread = field(default_factory=lambda: LookupThread("nearby"))
    workspace: Workspace = field(default_factory=Workspace)  # the affair of that thread alone
    gathered: dict[Document, Gathered] = field(default_factory=dict)
    sources: SourceFiles = field(default_factory=lambda: SourceFiles(data_home() / "shown"))
    trace: Trace = field(default_factory=Trace)
    power: Power = field(default_factory=Power)
    findings: dict[Document, Findings] = field(default_factory=dict)
    checking: dict[Document, Checking] = field(default_factory=dict)
    checks: dict[Document, asyncio.Task[None]] = field(default_factory=dict)  # and what comes after
    pulls: bool = False  # the client asks for diagnostics, so that none are sent unasked
    accepted: dict[Document, list[Made]] = field(default_factory=dict)  # the last few, newest last
    bans: dict[tuple[str, str], tuple[Ban, ...]] = field(default_factory=dict)  # by URI and prefix
    roots: tuple[Path, ...] = ()  # folders of the workspace
    told: set[str] = field(default_factory=set)  # messages shown; each is shown once
    asking: object | None = None  # the newest request for a suggestion
    following: Following | None = None
    looked_at: object | None = None  # the accepted suggestion that was followed up last
    _idle: asyncio.Task[None] | None = None  # what may be done when nothing is asked
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def saves_battery(self) -> bool:
        return self.settings.completion.save_battery and self.power.on_battery

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run beside the messages; kept here, for asyncio itself keeps no task alive."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spent)
        return task

    def when_idle(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this beside the messages until something is asked; it replaces what was to be done."""
        self.interrupt()
        self._idle = self.spawn(work)

    def interrupt(self) -> None:
        """Something is asked: whatever was done meanwhile gives way."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _spent(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            wire.report(error)

    def first_time(self, message: str) -> bool:
        """Whether this message was not shown before."""
        if message in self.told:
            return False
        self.told.add(message)
        return True

    def status(self) -> StatusParams:
        engine, index = self.engine.state, self.index
        busy = LOADING in {engine.name, index.state}
        belongs = self.belongs()
        if not self.settings.enabled:
            kind, message = INACTIVE, "suggestions are switched off"
        elif engine.name == UNAVAILABLE:
            kind, message = ERROR, engine.problem
        elif busy:
            kind, message = NORMAL, "loading the model and the attribution index"
        elif index.state == UNAVAILABLE:
            kind, message = WARNING, index.problem
        elif belongs == "no":
            kind, message = WARNING, FOREIGN_INDEX
        elif belongs == "subset":
            kind, message = NORMAL, "ready; the index covers a part of what the model learned from"
        else:
            kind, message = NORMAL, "ready"
        info = engine.info
        model = ModelStatus(engine.name)
        if info is not None:
            model = ModelStatus(engine.name, info.name, info.device, info.parameters)
        infos = list(index.infos.values())
        known = IndexStatus(
            index.state,
            sum(each.documents for each in infos),
            sum(each.packages for each in infos),
            infos[0].selection if infos else "",
            belongs,
        )
        return StatusParams(busy, kind, message, model, known)

    def belongs(self) -> str:
        """Whether an index covers what the model was trained on: yes, subset, no or unknown."""
        answers = set(self._belongings().values())
        return next((each for each in ("yes", "subset", "no") if each in answers), "unknown")

    def learned(self) -> frozenset[str]:
        """The indexes, by name, whose texts the model was trained on."""
        answers = self._belongings().items()
        return frozenset(name for name, answer in answers if answer in {"yes", "subset"})

    def _belongings(self) -> dict[str, str]:
        info, index = self.engine.state.info, self.index
        if info is None or index.state != READY or not info.corpus_hash:
            return {}
        return {
            name: belonging(
                (info.corpus_hash, getattr(info, "recipe_hash", "")),
                (each.corpus_hash, each.recipe_hash),
                each.selection,
                parts=getattr(info, "corpus_parts", ""),
            )
            for name, each in index.infos.items()
        }


FOREIGN_INDEX = (
    "the attribution index was built from another corpus than the model was trained on, so "
    "citations are incomplete; run `footnote setup`"
)


def belonging(
    model: tuple[str, str], index: tuple[str, str], selection: str, *, parts: str = ""
) -> str:
    """Compare (corpus hash, recipe hash) of a model with those of an index.

    `parts` are the same hashes of what a fine-tuned model learned from before, blanks between:
    an index of one of them covers a part, never all.
    """
    if model[0] == index[0]:
        return "yes"
    recipes = {model[1], *parts.split()} - {""}
    if index[0] in parts.split() or (index[1] in recipes and selection == "small"):
        return "subset"
    return "no"
