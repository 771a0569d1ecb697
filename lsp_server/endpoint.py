"""The model for programs that speak HTTP: llama.cpp's /infill and OpenAI's completions, on this machine only."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from engine.api import Completion, ModelUnavailable
from lsp_server import citations, shapes, verdicts, web, wire
from lsp_server.cache import Suggestion
from lsp_server.exclusions import excluding
from lsp_server.features.loading import load_model, open_index, opened
from lsp_server.scheduler import ASLEEP, READY, UNAVAILABLE, EngineThread, LookupThread
from lsp_server.session import Session
from lsp_server.shapes import Filled, Wanted
from lsp_server.web import Reply, Request

if TYPE_CHECKING:
    from engine.api import CompletionOptions, Gap
    from indexer import Match
    from lsp_server.settings import Settings

_PATIENCE_S = 1.0  # for a verdict; afterwards it could not be told any more
_ATTEMPTS = {"warn": 1, "hide": 1, "regenerate": 3}


@dataclass(slots=True, eq=False)
class _Work:
    """One gap being filled, for all who ask for it at the same time."""

    gap: Gap
    options: CompletionOptions
    task: asyncio.Task[tuple[Completion, tuple[Match, ...] | None]]
    n_waiting: int = 0


class Endpoint:
    """Answers requests with the engine of a session. The newest gap wins; equal ones share an answer."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.time) -> None:
        self._session = session
        self._clock = clock
        self._numbers = itertools.count(1)
        self._work: _Work | None = None
        self._routes: Mapping[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "/health"): self._health,
            ("GET", "/v1/health"): self._health,
            ("GET", "/props"): self._props,
            ("GET", "/v1/models"): self._models,
            ("POST", "/infill"): self._infill,
            ("POST", "/v1/completions"): self._completions,
        }

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[int]:
        """Serve on a port of this machine; gives the port. Raises OSError where it is taken."""
        talks: set[asyncio.Task[None]] = set()

        async def talk(reader: web.Reader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            talks.add(task)
            try:
                await web.converse(reader, writer, self.answer)
            except (ConnectionError, asyncio.CancelledError):
                pass  # hung up, by either end
            finally:
                talks.discard(task)
                writer.close()

        server = await web.listen(talk, port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in talks:
                task.cancel()
            await asyncio.gather(*talks)

    async def answer(self, request: Request) -> Reply:
        """Whatever is asked gets an answer, and nothing stops the endpoint."""
        route = self._routes.get((request.method, request.path.rstrip("/")))
        try:
            if route is None:
                raise self._unknown(request)
            reply: Reply = await route(request)
        except web.Refused as refused:
            return web.failure(refused.status, str(refused))
        except ModelUnavailable as unavailable:
            return _unavailable(str(unavailable))
        except Exception as error:  # noqa: BLE001 -- told without anybody's text, as everywhere
            wire.report(error)
            message = "the model failed; the log names the place"
            return web.failure(HTTPStatus.INTERNAL_SERVER_ERROR, message, "server_error")
        return reply

    def _unknown(self, request: Request) -> web.Refused:
        methods = [method for method, path in self._routes if path == request.path.rstrip("/")]
        if methods:
            return web.Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"use {methods[0]} here")
        paths = ", ".join(path for _, path in self._routes)
        return web.Refused(HTTPStatus.NOT_FOUND, f"nothing is here; there are {paths}")

    async def _health(self, _request: Request) -> Reply:
        state = self._session.engine.state
        if state.name in {READY, ASLEEP}:  # it wakes when it is asked
            return Reply(({"status": "ok"},))
        return _unavailable(state.problem if state.name == UNAVAILABLE else "Loading model")

    async def _props(self, _request: Request) -> Reply:
        info = self._session.engine.state.info
        context = 0 if info is None else info.context
        settings = {"n_ctx": context, "params": {}}
        told = {
            "default_generation_settings": settings,
            "total_slots": 1,
            "model_alias": self._model(),
            "model_path": "" if info is None else info.folder,
            "n_ctx": context,
        }
        return Reply((told,))

    async def _models(self, _request: Request) -> Reply:
        model = {"id": self._model(), "object": "model", "created": 0, "owned_by": "footnote"}
        return Reply(({"object": "list", "data": [model]},))

    async def _infill(self, request: Request) -> Reply:
        wanted = shapes.infill(request.json())
        return shapes.infill_reply(wanted, await self._filled(wanted))

    async def _completions(self, request: Request) -> Reply:
        wanted = shapes.completions(request.json())
        return shapes.completions_reply(wanted, await self._filled(wanted))

    def _model(self) -> str:
        info = self._session.engine.state.info
        return "footnote" if info is None else info.name

    async def _filled(self, wanted: Wanted) -> Filled:
        if wanted.gap.prefix or wanted.gap.suffix:
            completion, matches = await self._shared(wanted.gap, wanted.options)
        else:
            # llama.vim and llama.vscode send other files ahead so, which are not read: nothing is displaced.
            completion, matches = Completion("", "gated:empty"), None
        text, reason = inserted(completion, wanted.gap.suffix), completion.stop_reason
        if matches and self._session.settings.attribution.mode != "warn":
            text, reason, matches = "", "dropped:near-verbatim", None
        for word in wanted.stop:
            if (at := text.find(word)) >= 0:
                text, reason = text[:at], "stop"
        return Filled(
            text,
            reason,
            completion,
            _footnote(matches, reason, wanted.ignored),
            self._model(),
            f"cmpl-footnote-{next(self._numbers)}",
            int(self._clock()),
        )

    async def _shared(
        self, gap: Gap, options: CompletionOptions
    ) -> tuple[Completion, tuple[Match, ...] | None]:
        """The answer for a gap; ends where the last of those who wait for it has gone."""
        work = self._work
        if work is None or work.task.done() or (work.gap, work.options) != (gap, options):
            work = self._work = _Work(gap, options, asyncio.create_task(self._fill(gap, options)))
        work.n_waiting += 1
        try:
            return await asyncio.shield(work.task)
        finally:
            work.n_waiting -= 1
            if not work.n_waiting:
                work.task.cancel()  # of no effect where it is done

    async def _fill(
        self, gap: Gap, options: CompletionOptions
    ) -> tuple[Completion, tuple[Match, ...] | None]:
        """A completion and its matches, where the index told them in time."""
        session = self._session
        if (why := _gate(gap, session.settings)) is not None:
            return Completion("", f"gated:{why}"), None
        if session.engine.state.name == ASLEEP:
            session.engine.wake()
        if session.engine.state.name == UNAVAILABLE:
            raise ModelUnavailable(session.engine.state.problem)
        if options.max_new_tokens == 0:  # only to have the text read before it is needed
            return await session.engine.ahead(gap, options), None
        options = self._as_typed(options)
        for _attempt in range(_ATTEMPTS[session.settings.attribution.mode]):
            completion = await session.engine.complete(gap, options)
            matches = await self._matches(gap, completion)
            newest = self._work
            if not matches or (newest and newest.task is not asyncio.current_task()):
                break
            suggestion = Suggestion("", completion.text, matches=matches)
            ban = verdicts.ban_of(gap.prefix, suggestion)
            options = replace(options, banned=(*options.banned, ban))
        return completion, matches

    def _as_typed(self, options: CompletionOptions) -> CompletionOptions:
        """Such programs ask while somebody types: what is not shown in an editor is not told here."""
        wanted = self._session.settings.completion
        limit = options.time_limit_ms or float(wanted.time_limit_ms) or None
        least = wanted.min_confidence_percent
        sure = None if least < 0 else least / 100
        return replace(
            options,
            automatic=True,
            in_comments=wanted.in_comments,
            time_limit_ms=limit,
            min_confidence=sure,
        )

    async def _matches(self, gap: Gap, completion: Completion) -> tuple[Match, ...] | None:
        index = self._session.index.index
        if index is None or not completion.text:
            return None if index is None else ()

        def look_up() -> tuple[Match, ...]:
            after = gap.suffix[completion.replace_after :]
            language = gap.language
            found = index.check_completion(gap.prefix, completion.text, after, language=language)
            return tuple(found)

        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._session.candidates.run(look_up)
        except TimeoutError:
            return None


def _gate(gap: Gap, settings: Settings) -> str | None:
    """Why nothing is suggested, as far as the request says where it is."""
    if not settings.enabled:
        return "off"
    if not settings.languages.get(gap.language, True):
        return "language-off"
    if excluding(gap.path, settings.exclude) is not None:
        return "excluded"
    return None


def inserted(completion: Completion, suffix: str) -> str:
    """The text for a program that inserts and replaces nothing.

    Where the completion takes the place of closers that are there, they stay, and what it says
    from the first of them on is left out.
    """
    replaced = suffix[: completion.replace_after]
    if not replaced:
        return completion.text
    at = completion.text.rfind(replaced)
    return completion.text if at < 0 else completion.text[:at]


def alone(settings: Settings, warn: Callable[[str], None]) -> Session:
    """A session without an editor, its model and index not yet loading; `warn` is told problems."""
    from lsp_server.documents import Documents

    engine = EngineThread(lambda: load_model(settings), lambda state: warn(state.problem))
    candidates, lookups = LookupThread("candidates"), LookupThread("lookups")
    session = Session(Documents(), engine, candidates, lookups, settings=settings)
    engine.set_idle_minutes(settings.unload_after_minutes)
    return session


async def begin(session: Session) -> None:
    """Load model and index for a session without an editor; returns once the index is there or not."""
    session.engine.start()
    session.index = await session.lookups.run(opened, open_index, session.settings.index)


def _footnote(
    matches: tuple[Match, ...] | None, reason: str, ignored: tuple[str, ...]
) -> dict[str, Any]:
    """What is ours in an answer: where the text also occurs, and what had no effect."""
    from indexer import match_json

    found = matches or ()
    return {
        "checked": matches is not None,
        "matches": [{**match_json(each), "headline": citations.headline(each)} for each in found],
        "stop_reason": reason,
        "ignored": list(ignored),
    }


def _unavailable(message: str) -> Reply:
    return web.failure(HTTPStatus.SERVICE_UNAVAILABLE, message, "unavailable_error")
