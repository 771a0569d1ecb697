"""Settings: from initializationOptions, from workspace/configuration, and when they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsp_server import settings as reading
from lsp_server.features import diagnostics, loading

if TYPE_CHECKING:
    from lsprotocol import types

    from lsp_server.editor import Editor
    from lsp_server.features.loading import LoadModel, OpenIndex
    from lsp_server.session import Session


async def first(session: Session, editor: Editor) -> None:
    """Before anything is loaded: initializationOptions, and what the editor has set beside."""
    told = None
    if session.client.configuration:
        told = await editor.configuration(reading.NAMESPACE)
    _use(session, editor, told)


async def changed(
    session: Session,
    editor: Editor,
    params: types.DidChangeConfigurationParams,
    *,
    load: LoadModel,
    open_index: OpenIndex,
) -> None:
    """The editor has other settings now; reload what they concern."""
    if session.client.configuration:
        told = await editor.configuration(reading.NAMESPACE)
    else:
        told = params.settings
        if isinstance(told, dict) and reading.NAMESPACE in told:
            told = told[reading.NAMESPACE]
    before = session.settings  # of now: the first settings may have come in meanwhile
    _use(session, editor, told)
    now = session.settings
    if now == before:
        return
    session.engine.supersede()  # what is being made by the old settings would come in afterwards
    session.cache.clear()
    session.engine.set_idle_minutes(now.unload_after_minutes)
    if _computed(now) != _computed(before):
        loading.restart_model(session, lambda: load(now))
    if now.index != before.index:
        await loading.read_index(session, editor, open_index=open_index)
    elif _marks(now) != _marks(before):
        diagnostics.all_again(session, editor)
    editor.tell_status(session.status())


def _marks(settings: reading.Settings) -> tuple[object, ...]:
    """What the marks in the documents depend on."""
    wanted = settings.attribution
    return (
        wanted.diagnostics,
        wanted.code_lens,
        wanted.permissive_severity,
        wanted.other_severity,
    )


def _computed(settings: reading.Settings) -> tuple[object, ...]:
    """What decides who computes which model, and with how much memory."""
    return settings.model, settings.backend, settings.device, settings.completion.prompt_tokens


def _use(session: Session, editor: Editor, told: Any) -> None:
    """Lay what the editor told upon what it gave at the start."""
    start = session.initial_options
    if isinstance(start, dict) and set(start) == {reading.NAMESPACE}:
        start = start[reading.NAMESPACE]
    session.settings, problems = reading.parse(reading.merged(start, told))
    _complain(session, editor, problems)


def _complain(session: Session, editor: Editor, problems: list[str]) -> None:
    new = [problem for problem in problems if session.first_time(problem)]
    if new:
        editor.warn("; ".join(new))
