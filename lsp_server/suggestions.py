"""From a place in a document to a suggestion: gates, cache, model, attribution, in this order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from engine.api import Ban, CompletionOptions, Gap, ModelUnavailable
from lsp_server import alternatives, surroundings, verdicts, wire
from lsp_server.asks import LARGEST_DOCUMENT
from lsp_server.cache import Suggestion
from lsp_server.exclusions import excluding
from lsp_server.passages import file_of
from lsp_server.scheduler import ASLEEP, READY
from lsp_server.session import Following

if TYPE_CHECKING:
    from engine.api import Alternative, Completion
    from lsp_server.asks import Ask
    from lsp_server.exclusions import IgnoreFiles
    from lsp_server.session import Session
    from lsp_server.settings import Settings
    from lsp_server.trace import Entry

    Run = Callable[[Gap, CompletionOptions], Awaitable[Completion]]

_REGENERATIONS = 2
_PATIENCE_S = 1.0  # for a verdict that decides whether a suggestion may be shown at all
# A character after which people pause and expect help; there is nothing to wait for.
_OPENERS = frozenset("\n([{:,=.")


def gate(ask: Ask, settings: Settings, ignore_files: IgnoreFiles) -> str | None:
    """Why nothing is suggested here, or None."""
    document = ask.document
    if not settings.enabled:
        return "off"
    if not settings.languages.get(document.language, True):
        return "language-off"
    if len(ask.prefix) + len(ask.suffix) > LARGEST_DOCUMENT:
        return "large-file"
    if excluding(document.path, settings.exclude) is not None:
        return "excluded"
    if (path := file_of(document)) is not None and ignore_files.cover(path):
        return "footnoteignore"
    return None


class NoSuggestion(Exception):
    """Nothing is suggested; the message is the reason that the trace shows."""


async def suggest(session: Session, ask: Ask, entry: Entry) -> tuple[Suggestion, ...]:
    """The suggestions for an ask, the best first: one at most where nobody asked for it.

    None where there are none; a newer ask ends this one so at its next step.
    """
    session.asking = ask
    if session.settings.completion.save_battery and session.power.is_due:
        session.spawn(session.power.look(session.lookups))
    if not is_followed(session, ask):
        session.interrupt()
    try:
        suggestions = await _suggest(session, ask, entry)
    except NoSuggestion as reason:
        entry.end("nothing", str(reason))
        return ()
    except asyncio.CancelledError:
        entry.end("cancelled")
        raise
    entry.end("shown", entry.details["source"])
    return suggestions


async def _suggest(session: Session, ask: Ask, entry: Entry) -> tuple[Suggestion, ...]:
    if (why := gate(ask, session.settings, session.ignore_files)) is not None:
        raise NoSuggestion(f"gated:{why}")
    joined = is_followed(session, ask)
    if joined:
        await _join(session, ask)
    banned = alternatives.bans_at(session, ask.document.uri, ask.own_prefix)
    known = session.cache.find_all(
        uri=ask.document.uri, prefix=ask.prefix, suffix=ask.suffix, n_wanted=ask.n_wanted
    )[: ask.n_wanted]
    found = tuple(each for each in known if not any(ban.forbids(each.text) for ban in banned))
    if found:
        # Nothing is left to do for a model that still works on an older ask.
        session.engine.supersede()
        entry.note(source="cache", suggestion=found[0].id)
        return await _allowed(session, ask, entry, found, banned=banned)
    if ask.automatic and ask.document.last_edit_deleted:
        raise NoSuggestion("gated:deletion")
    if session.engine.state.name == ASLEEP:
        session.engine.wake()
    if session.engine.state.name != READY:
        raise NoSuggestion(f"model-{session.engine.state.name}")
    if ask.automatic and not joined:
        await _pause(session, ask, entry, debounce_seconds(ask, session))
    await surroundings.wanted(session, ask, gap_of(session, ask))
    if session.asking is not ask:
        raise NoSuggestion("superseded")
    generated = await _generate_and_warm(session, ask, entry, banned)
    shown_at = _shown_at(ask, session.settings)
    allowed = await _allowed(session, ask, entry, generated, shown_at=shown_at, banned=banned)
    await _pause(session, ask, entry, verdicts.seconds_until(shown_at))
    return allowed


async def _pause(session: Session, ask: Ask, entry: Entry, seconds: float) -> None:
    """Wait although nothing is left to do, and have the trace say for how long."""
    waited = entry.details.get("waited_ms", 0.0)
    entry.note(waited_ms=round(waited + seconds * 1000, 1))
    await _wait(session, ask, seconds)


async def _wait(session: Session, ask: Ask, seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
    document = ask.document
    if (
        session.asking is not ask
        or document.version != ask.version
        or session.documents.get(document.uri) is not document
    ):
        raise NoSuggestion("superseded")


def debounce_seconds(ask: Ask, session: Session) -> float:
    """How long to wait for the next keystroke: half of this person's usual pause, capped.

    Twice that on battery.
    """
    if ask.prefix[-1:] in _OPENERS or not ask.document.edited_at:
        return 0.0
    if session.cache.taken(uri=ask.document.uri, prefix=ask.prefix) is not None:
        return 0.0  # who has accepted one waits for the next
    longest = session.settings.completion.max_debounce_ms
    wait = min(longest, ask.document.keystroke_gap_ms * 0.5) / 1000
    if session.saves_battery:
        wait *= 2
    return max(0.0, ask.document.edited_at + wait - time.monotonic())


def _shown_at(ask: Ask, settings: Settings) -> float:
    """The moment before which nothing is shown that nobody asked for."""
    if not (ask.automatic and ask.document.edited_at):
        return 0.0
    return ask.document.edited_at + settings.completion.min_show_delay_ms / 1000


async def follow(session: Session, ask: Ask, entry: Entry) -> bool:
    """Make a suggestion that nobody asked for yet, when nothing is asked; it waits in the cache.

    Its verdict waits there too, and counts when it is wanted. False where it was given up.
    """
    following = session.following = Following(_where(ask))
    try:
        made = await _generate(session, ask, entry, run=session.engine.ahead)
    except NoSuggestion as reason:
        if str(reason) == "superseded":
            return False
        following.nothing = str(reason)
        return True
    finally:
        following.done.set()
        if session.following is following:
            session.following = None
    await verdicts.judged(session, ask, made, seconds=_PATIENCE_S)
    return True


def is_followed(session: Session, ask: Ask) -> bool:
    """Whether the model is at work on just this, since it was shown what now has been accepted."""
    following = session.following
    return ask.automatic and following is not None and following.where == _where(ask)


async def _join(session: Session, ask: Ask) -> None:
    """Wait for what is being computed; it is in the cache then, unless a newer ask has ended it."""
    following = session.following
    assert following is not None
    await following.done.wait()
    await _wait(session, ask, 0)
    if following.nothing:
        raise NoSuggestion(following.nothing)


def _where(ask: Ask) -> tuple[str, str, str]:
    return ask.document.uri, ask.prefix, ask.suffix


async def _generate_and_warm(
    session: Session, ask: Ask, entry: Entry, banned: tuple[Ban, ...]
) -> tuple[Suggestion, ...]:
    """Who asks by a key is answered at once: the index reads ahead while the model writes."""
    read_enough = None if ask.automatic else verdicts.warm(session, ask)
    try:
        run = session.engine.complete
        return await _generate(session, ask, entry, run=run, banned=banned)
    finally:
        if read_enough is not None:
            read_enough()


async def _generate(
    session: Session,
    ask: Ask,
    entry: Entry,
    *,
    run: Run,
    banned: tuple[Ban, ...] = (),
) -> tuple[Suggestion, ...]:
    wanted = session.settings.completion
    limit, least = wanted.time_limit_ms, wanted.min_confidence_percent
    uri, prefix = ask.document.uri, ask.prefix
    # Behind a block that was accepted the typist reads; another block would come too soon.
    taken = session.cache.taken(uri=uri, prefix=prefix) if ask.automatic else None
    one_line = taken is not None and "\n" in taken.text
    options = CompletionOptions(
        multiline=False if one_line else None,
        automatic=ask.automatic,
        time_limit_ms=float(limit) if ask.automatic and limit else None,
        banned=banned,
        in_comments=wanted.in_comments,
        min_confidence=None if least < 0 else least / 100,
        n_candidates=ask.n_wanted,
        context_tokens=surroundings.most_tokens(session),
    )
    gap = gap_of(session, ask)
    try:
        completion = await run(gap, options)
    except ModelUnavailable:
        raise NoSuggestion("model-unavailable") from None
    except Exception as error:  # noqa: BLE001 -- the editor gets an empty answer, the log a line
        wire.report(error)
        raise NoSuggestion("model-failed") from None
    entry.note(
        source="model",
        stop_reason=completion.stop_reason,
        timings_ms={name: round(ms, 1) for name, ms in completion.timings_ms.items()},
        prompt_tokens=completion.prompt_tokens,
        cached_tokens=completion.cached_tokens,
        new_tokens=completion.new_tokens,
        confidence=None if completion.confidence is None else round(completion.confidence, 3),
        context=[each.path for each in gap.context],
    )
    name = f"{entry.id}.{len(banned)}b" if banned else entry.id
    made = _suggestions_of(completion, name, len(ask.suffix))
    if not made:
        raise NoSuggestion(completion.stop_reason)
    entry.note(candidates=len(made))
    # They are kept even where the text has moved on: what was typed may be how one begins.
    session.cache.put(
        *made,
        uri=uri,
        prefix=prefix,
        suffix=ask.suffix,
        n_sought=options.n_candidates,
    )
    return made


def _suggestions_of(completion: Completion, name: str, room: int) -> tuple[Suggestion, ...]:
    """All that has text, the engine's own choice first; `room` is what there is to replace."""
    answers: tuple[Completion | Alternative, ...] = (completion, *completion.alternatives)
    texts = [each for each in answers if each.text]
    return tuple(
        Suggestion(
            name if number == 1 else f"{name}.{number}", each.text, min(each.replace_after, room)
        )
        for number, each in enumerate(texts, 1)
    )


async def _allowed(
    session: Session,
    ask: Ask,
    entry: Entry,
    suggestions: tuple[Suggestion, ...],
    *,
    shown_at: float = 0.0,
    banned: tuple[Ban, ...] = (),
) -> tuple[Suggestion, ...]:
    """The suggestions with their verdicts, or others, or none, as the mode wants it.

    Until `shown_at` a verdict delays nothing.
    """
    attribution = session.settings.attribution
    if attribution.mode == "warn":
        budget = max(attribution.budget_ms / 1000, verdicts.seconds_until(shown_at))
        return await _judged(session, ask, entry, suggestions, seconds=budget)
    attempts = 1 + (_REGENERATIONS if attribution.mode == "regenerate" else 0)
    for left in reversed(range(attempts)):
        judged = await _judged(session, ask, entry, suggestions, seconds=_PATIENCE_S)
        bad = [each for each in judged if each.matches or verdicts.unjudged(session, each)]
        for each in bad:
            session.cache.drop(each.id)
        if len(bad) < len(judged):
            return tuple(each for each in judged if each not in bad)
        if not any(each.matches for each in judged):
            raise NoSuggestion("dropped:unchecked")
        if left:
            banned += tuple(verdicts.ban_of(ask.prefix, each) for each in judged)
            run = session.engine.complete
            suggestions = await _generate(session, ask, entry, run=run, banned=banned)
            entry.note(regenerated=attempts - left)
    raise NoSuggestion("dropped:near-verbatim")


async def _judged(
    session: Session,
    ask: Ask,
    entry: Entry,
    suggestions: tuple[Suggestion, ...],
    *,
    seconds: float,
) -> tuple[Suggestion, ...]:
    started = time.monotonic()
    judged = await verdicts.judged(session, ask, suggestions, seconds=seconds)
    entry.note(
        matches=sum(len(each.matches) for each in judged),
        checked=all(each.checked for each in judged),
        attribution_ms=round((time.monotonic() - started) * 1000, 1),
    )
    return judged


def gap_of(session: Session, ask: Ask) -> Gap:
    """The gap with what is known of other files now."""
    document = ask.document
    context = surroundings.around(session, document)
    return Gap(ask.prefix, ask.suffix, document.shown_path, document.language, context=context)
