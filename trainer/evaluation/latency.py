"""How long a completion takes after a keystroke, by percentile: ours, and others on the same prompts."""

import math
import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

from engine.api import CancelToken, Completer, CompletionOptions, Gap
from indexer.document import Document
from indexer.languages import NEAR_CODE, language_of

OPTIONS = CompletionOptions(multiline=False)
_BEFORE, _AFTER = 3500, 1200  # characters around the line: enough to fill the window
_SHORTEST = 16  # characters of a line that is worth typing


@dataclass(frozen=True, slots=True)
class Session:
    """One line typed character by character: a gap per keystroke, the first in a new place."""

    name: str
    gaps: tuple[Gap, ...]


def sessions(documents: Iterable[Document], *, count: int, keystrokes: int) -> list[Session]:
    """Up to `count` sessions, one per document, drawn the same way every time.

    A document must have a screenful of text before and after the line, so that prompts are full.
    """
    found: list[Session] = []
    for document in sorted(documents, key=lambda each: each.sha256):
        if len(found) == count:
            break
        if document.language in NEAR_CODE or len(document.text) < _BEFORE + _AFTER:
            continue
        session = _session(document, keystrokes)
        if session is not None:
            found.append(session)
    return found


def _session(document: Document, keystrokes: int) -> Session | None:
    text = document.text
    starts = [0, *(i + 1 for i, character in enumerate(text) if character == "\n")]
    lines = [
        (start, text[start:end].rstrip("\n"))
        for start, end in pairwise([*starts, len(text)])
        if start >= _BEFORE and end + _AFTER <= len(text)
    ]
    worth = [(start, line) for start, line in lines if _worth_typing(line)]
    if not worth:
        return None
    start, line = Random(document.sha256).choice(worth)
    indent = len(line) - len(line.lstrip())
    after = text[start + len(line) :]
    gaps = tuple(
        Gap(text[: start + end], after, document.path, document.language)
        for end in range(indent + 1, min(len(line), indent + 2 + keystrokes))
    )
    number = text.count("\n", 0, start) + 1
    return Session(f"{document.package}/{document.path}:{number}", gaps)


def _worth_typing(line: str) -> bool:
    bare = line.strip()
    return len(bare) >= _SHORTEST and not bare.startswith(("#", "//", "*", "/*", '"""'))


def folder_documents(folder: Path) -> Iterator[Document]:
    """The source files under any folder; those that are no UTF-8 are passed over."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        language = language_of(name)
        if language is None or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        yield Document(
            text=text,
            path=name,
            package=folder.name,
            version="",
            kind="folder",
            license="",
            license_source="",
            url="",
            language=language,
            sha256=name,
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion: how long it took, and what it was made of."""

    milliseconds: float
    prompt_tokens: int
    cached_tokens: int
    new_tokens: int


def timed(completer: Completer, gap: Gap) -> Sample:
    """Ask for a line and wait for it, as an editor would."""
    started = time.perf_counter()
    completion = completer.complete(gap, OPTIONS, CancelToken())
    took = (time.perf_counter() - started) * 1000
    return Sample(took, completion.prompt_tokens, completion.cached_tokens, completion.new_tokens)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; NaN for none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


@dataclass(frozen=True, slots=True)
class Row:
    """One engine's line in the report, in milliseconds; `warm` is after a keystroke in a place."""

    engine: str
    warm_p50: float
    warm_p95: float
    cold_p50: float
    cold_p95: float
    prompt_tokens: float  # mean
    computed_tokens: float  # of a warm prompt: those that were not cached; mean
    new_tokens: float  # mean


def row_of(engine: str, cold: Sequence[Sample], warm: Sequence[Sample]) -> Row:
    """Summarise an engine's samples; `cold` are the first of each session."""

    def mean(values: Iterable[float]) -> float:
        known = list(values)
        return sum(known) / len(known) if known else math.nan

    def at(samples: Sequence[Sample], share: float) -> float:
        return percentile([each.milliseconds for each in samples], share)

    return Row(
        engine=engine,
        warm_p50=at(warm, 0.5),
        warm_p95=at(warm, 0.95),
        cold_p50=at(cold, 0.5),
        cold_p95=at(cold, 0.95),
        prompt_tokens=mean(each.prompt_tokens for each in [*cold, *warm]),
        computed_tokens=mean(each.prompt_tokens - each.cached_tokens for each in warm),
        new_tokens=mean(each.new_tokens for each in [*cold, *warm]),
    )


def cancel_latencies(completer: Completer, gaps: Sequence[Gap], *, seed: int = 0) -> list[float]:
    """Milliseconds from cancelling to the engine being free again; one per gap, cancelled midway.

    Gaps must be in different places, so that there is a prompt to be interrupted.
    """
    rng = Random(seed)
    found: list[float] = []
    for gap in gaps:
        cancel = CancelToken()
        stopped: list[float] = []

        def run(
            gap: Gap = gap, cancel: CancelToken = cancel, stopped: list[float] = stopped
        ) -> None:
            completer.complete(gap, CompletionOptions(multiline=True), cancel)
            stopped.append(time.perf_counter())

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(rng.uniform(0.002, 0.040))
        cancelled = time.perf_counter()
        finished = bool(stopped)
        cancel.cancel()
        thread.join()
        if not finished:
            found.append((stopped[0] - cancelled) * 1000)
    return found


def in_turn(engines: Sequence[Callable[[Session], None]], session: Session, turn: int) -> None:
    """Run every engine on a session, another one first each time: drift hits all alike."""
    for offset in range(len(engines)):
        engines[(turn + offset) % len(engines)](session)


def machine() -> str:
    """One line on where the figures come from."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.split(":", 1)[1].strip()
            for line in cpuinfo.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    from engine.cores import physical_cores

    return f"{model}, {physical_cores()} cores, {platform.system()}, Python {platform.python_version()}"
