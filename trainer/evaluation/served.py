"""The server as an editor meets it: how long a typist waits, through the real protocol, and what it holds."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from trainer.evaluation.conversation import Conversation, message
from trainer.evaluation.keystrokes import KINDS, OPENED, TYPED, Session
from trainer.evaluation.latency import machine, percentile
from trainer.evaluation.processes import memory_of
from trainer.evaluation.report import progress, table
from trainer.evaluation.typist import ALONG, Answer, Typist, asked_model, uri_of

_AT_ONCE = {"minShowDelayMs": 0, "maxDebounceMs": 0}  # nothing is waited for on purpose
_BURST = 50  # the trace keeps the last 50 requests
_LONG = 10_000  # lines
_LONG_SESSION = 100  # keystrokes in a file of so many lines
_SCRIPT = "scripted:value_of(item)"
_CANCELS = 24


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside what it should be."""

    what: str
    unit: str
    n: int
    p50: float
    p95: float
    target: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done."""

    starts: int = 5
    bursts: int = 20
    cancels: int = _CANCELS
    long_keystrokes: int = _LONG_SESSION
    hurry: float = 1.0


def described(result: Mapping[str, Any]) -> Iterator[str]:
    """What was measured, for people."""
    yield result["machine"]
    yield (
        "The server as an editor meets it, over stdin and stdout, from sending the edit and the "
        "request for it\nto having the answer, with a typist's pauses between:\n"
    )
    yield table([_shown(row) for row in result["rows"]])
    hits, bursts = result["hits"], result["bursts"]
    yield (
        "\nThe completions after a keystroke are asked for with nothing waited for on purpose and "
        "every suggestion\nforgotten before. By the default settings an automatic suggestion waits "
        "for the next key and shows no\nsooner than 150 ms after the last, while it is made and "
        f"looked up; of {hits['requests']} requests {hits['from_cache']} then needed\n"
        f"no model, and {hits['shown']} showed something. By what was done before, those:\n"
    )
    yield table([_shown(row, "target", "unit") for row in result["by_kind"]])
    yield (
        f"\n{bursts['edits']:,} rapid edits with requests: {bursts['answered']:,} answers; "
        f"{bursts['settled']} requests were not superseded, of which {bursts['decoded']} were "
        f"decoded and {bursts['cached']} cached; {bursts['wasted']} others were decoded to their end."
    )
    if memory := result["memory_mb"]:
        total, children = memory["sum"], sum(each["pss"] for each in memory["children"])
        yield (
            f"Memory after the sessions, pages that are shared counted once: {total['pss']:.0f} MB "
            f"(server {memory['itself']['pss']:.0f}, model {children:.0f}); target 450 MB."
        )
    index = result["index"]
    yield f"The attribution index: {index['state']}, {index['documents']:,} files."


def _shown(row: Mapping[str, Any], *left_out: str) -> dict[str, Any]:
    """Two decimals of a second, one of a millisecond."""
    digits = 2 if row["unit"] == "s" else 1
    return {
        key: f"{value:.{digits}f}".rjust(7) if isinstance(value, float) else value
        for key, value in row.items()
        if key not in left_out
    }


def measure(sessions: Sequence[Session], settings: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """Every row, and what they were made from. Raises ServerLost, and ValueError for no model."""
    started = _starts(settings, plan.starts)
    usual, memory, bursts, status = _usual(sessions, settings, plan)
    hurried, cancels = _at_once(sessions, settings, plan)
    bare = _bare(sessions, settings, plan)
    return {
        "rows": [asdict(row) for row in _rows(started, usual, hurried, cancels, bare)],
        "by_kind": [asdict(row) for row in _by_kind(usual)],
        "memory_mb": memory,
        "bursts": bursts,
        "hits": _hits(usual),
        "index": status["index"],
        "model": status["model"],
        "machine": f"{machine()}, load {os.getloadavg()[0]:.1f}",
        "sessions": len(sessions),
        "prompt_tokens": settings["completion"]["promptTokens"],
    }


def through_protocol(
    sessions: Sequence[Session], model: Path, *, device: str, prompt_tokens: int
) -> dict[str, Any] | None:
    """What a typist waits for with this model; None on Windows, where no pipe can be waited for."""
    if os.name == "nt":
        return None
    settings = {
        "model": str(model),
        "device": device,
        "completion": {"promptTokens": prompt_tokens},
    }
    count = len(sessions)
    plan = Plan(starts=min(5, count), bursts=min(20, 2 * count), cancels=2 * count)
    return measure(sessions, settings, plan)


@contextmanager
def _server(settings: Mapping[str, Any]) -> Iterator[Conversation]:
    """A server that is ready."""
    conversation = Conversation(settings)
    try:
        _begin(conversation)
        yield conversation
    finally:
        conversation.close()


def _begin(conversation: Conversation) -> tuple[float, float, float]:
    """Seconds until it replies, has its model, has its index too; ValueError where it has no model."""
    replied = conversation.initialize()
    model = conversation.until(lambda status: status["model"]["state"] != "loading")
    ready = conversation.until(lambda status: not status["busy"])
    if conversation.status["model"]["state"] != "ready":
        raise ValueError(f"the server has no model: {conversation.status['message']}")
    return replied, model, ready


def _starts(settings: Mapping[str, Any], count: int) -> dict[str, list[float]]:
    """Seconds from the start of the process; the first start, which fills the caches, is not told."""
    found: dict[str, list[float]] = {"replied": [], "model": [], "all": []}
    for number in range(count + 1):
        conversation = Conversation(settings)
        try:
            times = _begin(conversation)
        finally:
            conversation.close()
        if number:
            for each, seconds in zip(found.values(), times, strict=True):
                each.append(seconds)
    return found


def _usual(
    sessions: Sequence[Session], settings: Mapping[str, Any], plan: Plan
) -> tuple[list[Answer], dict[str, Any], dict[str, int], dict[str, Any]]:
    """A working day in short, with the settings as they come; then the bursts of one in haste."""
    with _server(settings) as conversation:
        typist = Typist(conversation, plan.hurry)
        answers = [
            answer
            for session in progress(sessions, "typing through the protocol")
            for answer in typist.work(session, along=True)
        ]
        memory = memory_of(conversation.process_id)
        return answers, memory, _bursts(conversation, plan.bursts), dict(conversation.status)


def _bursts(conversation: Conversation, count: int) -> dict[str, int]:
    """Edits with requests as fast as they can be sent: what was decoded to its end, and for whom."""
    typist = Typist(conversation)
    uri = uri_of("burst.py")
    text = "def total(values):\n    result = 0\n    return \n"
    typist.open(uri, "python", text)
    found = dict.fromkeys(("edits", "answered", "settled", "decoded", "cached", "wasted"), 0)
    for _ in range(count):
        offset = len(typist.texts[uri]) - 1
        sent = [typist.typed(uri, offset + each, "value_"[each % 6]) for each in range(_BURST)]
        conversation.send(b"".join(data for _, data in sent))
        replies = [conversation.answer(number)[0] for number, _ in sent]
        entries = conversation.result("footnote/explain")["requests"]
        found["edits"] += _BURST
        found["answered"] += sum("result" in reply for reply in replies)
        for entry in entries:
            settled, decoded = entry["reason"] != "superseded", asked_model(entry["details"])
            found["settled"] += settled
            found["cached"] += entry["reason"] == "cache"
            found["decoded" if settled else "wasted"] += decoded
        typist.become(uri, text)
    return found


def _at_once(
    sessions: Sequence[Session], settings: Mapping[str, Any], plan: Plan
) -> tuple[list[Answer], list[float]]:
    """The same keystrokes, answered as soon as there is an answer; and what a cancel takes."""
    with _server(_with_completion(settings, _AT_ONCE)) as conversation:
        typist = Typist(conversation, plan.hurry)
        answers = [
            answer
            for session in progress(sessions, "typing, answered at once")
            for answer in typist.work(session, along=False)
        ]
        return answers, _cancels(typist, sessions, plan.cancels)


def _cancels(typist: Typist, sessions: Sequence[Session], count: int) -> list[float]:
    """Milliseconds from a cancel to the model's being at the next request, one per cancelled one.

    The typist begins a line in another place, asks, and goes on typing soon after, which cancels:
    what the answer to that took beside its own making is the wait for the model, with all the
    server does.
    """
    found: list[float] = []
    for number in range(count):
        uri = uri_of(sessions[number % len(sessions)].steps[0].gap.path)
        text = typist.texts[uri]
        offset = text.find("\n", typist.rng.randrange(len(text) // 2)) + 1
        typist.become(uri, text[:offset] + "\n" + text[offset:])
        first, data = typist.typed(uri, offset, "r")
        second, more = typist.typed(uri, offset + 1, "e")
        typist.conversation.send(data)
        typist.conversation.rest(typist.rng.uniform(0.002, 0.040))
        sent = time.perf_counter()
        typist.conversation.send(message("$/cancelRequest", {"id": first}) + more)
        cancelled, _ = typist.conversation.answer(first)
        _, at = typist.conversation.answer(second)
        entry = typist.conversation.result("footnote/explain")["requests"][0]
        own = entry["details"].get("timings_ms", {}).get("total")
        if "error" in cancelled and own is not None:
            own += entry["details"].get("attribution_ms", 0.0)
            found.append((at - sent) * 1000 - own)
        typist.become(uri, text)
    return found


def _bare(sessions: Sequence[Session], settings: Mapping[str, Any], plan: Plan) -> list[Answer]:
    """Keystrokes in a file of 10,000 lines where the model's process answers without a model."""
    gap = next(step.gap for step in sessions[0].steps if step.kind == OPENED)
    lines = [line for each in sessions for line in _lines(each)]
    lines = (lines * (_LONG // len(lines) + 1))[:_LONG]
    middle = _LONG // 2
    above, below = "".join(lines[:middle]), "".join(lines[middle:])
    with _server(_with_completion({**settings, "model": _SCRIPT}, _AT_ONCE)) as conversation:
        typist = Typist(conversation, plan.hurry)
        uri = uri_of(f"long/{Path(gap.path).name}")
        typist.open(uri, gap.language, above + "\n" + below)
        typist.rest((1.0, 1.0))
        rng, answers, offset = Random(1), [], len(above)
        for _ in range(plan.long_keystrokes):
            typist.rest((0.08, 0.30))
            answers.append(typist.keystroke(TYPED, uri, offset, rng.choice("abcdefgh"))[0])
            offset += 1
        return answers


def _lines(session: Session) -> list[str]:
    gap = session.steps[0].gap
    return [line + "\n" for line in (gap.prefix + gap.suffix).splitlines()]


def _with_completion(settings: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    return {**settings, "completion": {**settings.get("completion", {}), **more}}


def _rows(
    started: Mapping[str, Sequence[float]],
    usual: Sequence[Answer],
    hurried: Sequence[Answer],
    cancels: Sequence[float],
    bare: Sequence[Answer],
) -> Iterator[Row]:
    yield _row("initialize reply", started["replied"], "1 s", unit="s")
    yield _row("model ready", started["model"], "2 s", unit="s")
    yield _row("model and index ready", started["all"], "", unit="s")
    along = [each for each in (*usual, *hurried) if each.kind == ALONG or each.reason == "cache"]
    yield _row("typing along, or from the cache", _times(along), "p95 10 ms")
    typed = [each for each in hurried if each.kind == TYPED and each.asked_model]
    yield _row("completion after a keystroke", _times(typed), "80, p95 200 ms")
    usually = [each for each in usual if each.kind == TYPED and each.asked_model]
    yield _row("the same by the default settings", _times(usually), "")
    yield _row("  waited on purpose", [each.waited_ms for each in usually], "")
    worked = [each.milliseconds - each.waited_ms for each in usually]
    yield _row("  worked", worked, "80, p95 200 ms")
    yield _row("from a cancel to the next request's turn", cancels, "30 ms or a token")
    served = [each for each in bare if each.asked_model]
    yield _row("server without a model, 10,000 lines", _times(served), "p95 15 ms")


def _by_kind(answers: Sequence[Answer]) -> Iterator[Row]:
    """What the typist did before, as seen by the default settings, wherever the answer came from."""
    for kind in KINDS:
        yield _row(kind, _times([each for each in answers if each.kind == kind]), "")


def _times(answers: Sequence[Answer]) -> list[float]:
    return [each.milliseconds for each in answers]


def _row(what: str, values: Sequence[float], target: str, *, unit: str = "ms") -> Row:
    return Row(what, unit, len(values), percentile(values, 0.5), percentile(values, 0.95), target)


def _hits(answers: Sequence[Answer]) -> dict[str, int]:
    """What the scripted keystrokes led to."""
    scripted = [each for each in answers if each.kind != ALONG]
    return {
        "requests": len(scripted),
        "shown": sum(each.shown for each in scripted),
        "from_cache": sum(each.reason == "cache" for each in scripted),
        "asked_model": sum(each.asked_model for each in scripted),
    }
