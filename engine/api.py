"""The nouns of completion: a gap, what fills it, and who can. Plain values, no torch."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some lines of another file of the project."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Gap:
    """The place where text is wanted, between all that precedes and all that follows it."""

    prefix: str
    suffix: str
    path: str = ""  # relative file name, shown to models that were trained with file names
    language: str = ""  # language id as editors name it
    skipped: int = 0  # characters of the document before `prefix` that were left out
    context: tuple[Excerpt, ...] = ()  # of other files, the most telling first


@dataclass(frozen=True, slots=True)
class Ban:
    """A way that no answer takes: one that begins with `after` does not go on as `text` does."""

    text: str
    after: str = ""

    def forbids(self, answer: str) -> bool:
        """Whether an answer goes that way, told by the first word behind `after`."""
        rest = answer[len(self.after) :] if answer.startswith(self.after) else ""
        return bool(rest) and _first_word(rest) == _first_word(self.text)


def ban_from(text: str, line: int) -> Ban:
    """What brings another text from one of its lines on (from 0): the way is left at that line's first word.

    What stands before stays; of a text that has nothing there, nothing does.
    """
    kept = sum(map(len, _LINE.findall(text)[: max(0, line)]))
    if not text[kept:].strip():
        kept = 0
    kept += len(text[kept:]) - len(text[kept:].lstrip())
    return Ban(text[kept:], after=text[:kept])


_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)")


def _first_word(text: str) -> str:
    found = re.match(r"\s*(\w+|\S)", text)
    return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class CompletionOptions:
    """What the caller allows. None leaves the choice to the engine's policy."""

    multiline: bool | None = None  # None: decided from the text around the gap
    max_new_tokens: int | None = None  # None: 32 for a line, 128 for several; 0: read the prompt
    automatic: bool = False  # typed, not asked for: the gates of editors.md d.2 apply
    in_comments: bool = True  # also in comments and docstrings, of what was not asked for
    time_limit_ms: float | None = None  # return the whole lines made so far when it is over
    banned: tuple[Ban, ...] = ()  # ways not to be taken (attribution: regenerate)
    # Automatic suggestions less sure than this (see Completion.confidence) are not shown; None:
    # what was measured to be best for the model, if its folder says so.
    min_confidence: float | None = None
    n_candidates: int = 1  # distinct answers wanted, at most
    context_tokens: int | None = None  # of other files, fewer than the model is best served with


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another text for the same gap."""

    text: str
    replace_after: int = 0  # as in Completion
    confidence: float | None = None  # as in Completion


@dataclass(frozen=True, slots=True)
class Completion:
    """Text for a gap, ready to insert; empty text means no suggestion."""

    text: str
    stop_reason: (
        str  # end, line, scope, length, time, repetition, cancelled, gated:WHY, dropped:WHY
    )
    replace_after: int = (
        0  # characters after the gap that the text replaces (closers already there)
    )
    timings_ms: Mapping[str, float] = field(
        default_factory=dict
    )  # tokenize, prefill, decode, total
    prompt_tokens: int = 0
    cached_tokens: int = 0  # of the prompt tokens, those whose keys and values were reused
    new_tokens: int = 0
    model_runs: int = 0  # behind the prompt: fewer than new tokens where guesses were right
    confidence: float | None = None  # 0 to 1: the geometric mean of the tokens' probabilities
    entropy: float | None = None  # nats, the mean of the tokens' choices
    alternatives: tuple[Alternative, ...] = ()  # the surest first; only where several were wanted


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model answers, and what it was made from."""

    name: str
    device: str
    dtype: str
    parameters: int
    folder: str = ""
    corpus_hash: str = ""
    context: int = 0  # tokens
    recipe_hash: str = ""  # of the corpus: how it was curated
    backend: str = ""  # what computes: native, openvino or torch
    note: str = ""  # why it computes slower than it might
    corpus_parts: str = ""  # of a fine-tuned model: hashes of all its corpora and their recipes


class CancelToken:
    """Says to a running completion that nobody waits for it any more. Thread-safe."""

    __slots__ = ("_calls", "_cancelled", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._calls: list[Callable[[], None]] = []

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            calls, self._calls = self._calls, []
        for call in calls:
            call()

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def when_cancelled(self, call: Callable[[], None]) -> None:
        """Have `call` run by whoever cancels; at once if that has happened. It must not raise."""
        with self._lock:
            if not self._cancelled:
                self._calls.append(call)
                return
        call()


class Completer(Protocol):
    """Whoever can fill a gap: a model here, a model in a worker process, or a script."""

    def complete(self, gap: Gap, options: CompletionOptions, cancel: CancelToken) -> Completion:
        """Fill the gap; any text is a valid gap. Blocks; polls `cancel` between model steps."""
        ...

    def describe(self) -> ModelInfo: ...

    def close(self) -> None: ...


class ModelUnavailable(Exception):
    """The model cannot be loaded; the message says what to do about it."""
