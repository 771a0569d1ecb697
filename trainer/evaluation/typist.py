"""Somebody types in an editor: sessions as edits and requests of the protocol, each answer with what it took."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from engine.api import Gap
from trainer.evaluation.conversation import Conversation, message
from trainer.evaluation.keystrokes import Session

ALONG = "along"  # one more character of the suggestion that is shown
_TYPING_S = (0.08, 0.30)  # between two keystrokes
_THINKING_S = (0.3, 0.7)  # before anything else
_ALONG = 4  # characters of a suggestion, then another way is taken
_AUTOMATIC = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a keystroke, by the editor's clock and by the server's trace."""

    kind: str
    milliseconds: float  # from sending the edit to having the answer
    shown: bool
    reason: str  # model, cache, or why there is nothing
    details: dict[str, Any]

    @property
    def asked_model(self) -> bool:
        return asked_model(self.details)

    @property
    def waited_ms(self) -> float:
        """Of the time, what the server let pass on purpose."""
        return float(self.details.get("waited_ms", 0.0))


def asked_model(details: Mapping[str, Any]) -> bool:
    """Whether the model read and wrote to its end, whatever came of it."""
    stopped = str(details.get("stop_reason", "gated:"))
    unasked = stopped.startswith(("gated:", "superseded", "cancelled"))
    return details.get("source") == "model" and not unasked


@dataclass(slots=True)
class Typist:
    """Who types, and the texts as the editor has them."""

    conversation: Conversation
    hurry: float = 1.0  # pauses are divided by it
    rng: Random = field(default_factory=lambda: Random(0))
    texts: dict[str, str] = field(default_factory=dict)  # by URI
    _version: int = 1
    _minutes: int = 15

    def work(self, session: Session, *, along: bool) -> Iterator[Answer]:
        """Everything of a session in turn.

        `along`: a little of each new suggestion as well; otherwise the server forgets them, so
        that every keystroke is one for the model.
        """
        for step in session.steps:
            gap = _plain(step.gap)
            uri = uri_of(gap.path)
            if not self.turn_to(uri, gap):
                self.rest(_TYPING_S)
            if not along:
                self._have_forgotten()
            answer, text = self.keystroke(step.kind, uri, len(gap.prefix) - 1, gap.prefix[-1])
            yield answer
            if along and text and answer.reason == "model":
                yield from self._along(uri, len(gap.prefix), text)

    def _have_forgotten(self) -> None:
        """Suggestions of other settings are not shown, and another number here changes no more."""
        self._minutes = 31 - self._minutes
        settings = {"unloadAfterMinutes": self._minutes}
        self._tell("workspace/didChangeConfiguration", {"settings": {"footnote": settings}})

    def _along(self, uri: str, offset: int, text: str) -> Iterator[Answer]:
        before = self.texts[uri]
        # Behind its last character there is nothing left of a suggestion to show.
        for index, character in enumerate(text[:-1][:_ALONG].partition("\n")[0]):
            self.rest(_TYPING_S)
            yield self.keystroke(ALONG, uri, offset + index, character)[0]
        self.become(uri, before)

    def turn_to(self, uri: str, gap: Gap) -> bool:
        """Have the text as it is before the last character was typed; whether there was a pause."""
        before = gap.prefix[:-1] + gap.suffix
        if uri not in self.texts:
            self.open(uri, gap.language, before)
        elif self.texts[uri] == before:
            return False
        self.become(uri, before)
        place = position(before, len(gap.prefix) - 1)
        self._tell("footnote/cursor", {"textDocument": {"uri": uri}, "position": place})
        self.rest(_THINKING_S)
        return True

    def open(self, uri: str, language: str, text: str) -> None:
        self.texts[uri] = text
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})

    def rest(self, seconds: tuple[float, float]) -> None:
        self.conversation.rest(self.rng.uniform(*seconds) / self.hurry)

    def become(self, uri: str, text: str) -> None:
        """One edit that makes the text another one."""
        if (old := self.texts[uri]) == text:
            return
        start, end, put = difference(old, text)
        self._tell("textDocument/didChange", self._change(uri, start, end, put))

    def keystroke(self, kind: str, uri: str, offset: int, character: str) -> tuple[Answer, str]:
        """Type a character and ask, as one; the answer, and what it would insert at the cursor."""
        number, data = self.typed(uri, offset, character)
        sent = time.perf_counter()
        self.conversation.send(data)
        reply, at = self.conversation.answer(number)
        entry = self.conversation.result("footnote/explain")["requests"][0]
        answer = Answer(
            kind,
            (at - sent) * 1000,
            bool(reply.get("result")),
            entry["reason"],
            {**entry["details"], "total_ms": entry["total_ms"]},
        )
        return answer, self._inserted(reply.get("result"), uri, offset + 1)

    def typed(self, uri: str, offset: int, character: str) -> tuple[int, bytes]:
        """The messages of a keystroke, to be sent together; the number of its request."""
        change = message("textDocument/didChange", self._change(uri, offset, offset, character))
        where = position(self.texts[uri], offset + 1)
        asked = {"textDocument": {"uri": uri}, "position": where}
        context = {"context": {"triggerKind": _AUTOMATIC}}
        number, question = self.conversation.question(
            "textDocument/inlineCompletion", asked | context
        )
        return number, change + question

    def _inserted(self, result: Any, uri: str, offset: int) -> str:
        """Of the first item, what stands behind the cursor once it is accepted."""
        if not result:
            return ""
        text = self.texts[uri]
        column = position(text, offset)["character"]
        item = result["items"][0]
        written = column - item["range"]["start"]["character"]
        line = text[text.rfind("\n", 0, offset) + 1 : offset]
        return str(item["insertText"])[len(_last_units(line, written)) :]

    def _change(self, uri: str, start: int, end: int, put: str) -> dict[str, Any]:
        """The parameters of an edit, which is made here too."""
        old = self.texts[uri]
        span = {"start": position(old, start), "end": position(old, end)}
        self.texts[uri] = old[:start] + put + old[end:]
        self._version += 1
        return {
            "textDocument": {"uri": uri, "version": self._version},
            "contentChanges": [{"range": span, "text": put}],
        }

    def _tell(self, method: str, params: Any) -> None:
        self.conversation.send(message(method, params))


def uri_of(path: str) -> str:
    return f"file:///footnote-bench/{path}"


def _plain(gap: Gap) -> Gap:
    """With line ends of one character, so that no edit begins inside one."""
    prefix, suffix = (
        each.replace("\r\n", "\n").replace("\r", "\n") for each in (gap.prefix, gap.suffix)
    )
    return Gap(prefix, suffix, gap.path, gap.language)


def difference(old: str, new: str) -> tuple[int, int, str]:
    """Start and end of the part of the old text that goes, and what comes there."""
    low, high = 0, min(len(old), len(new))
    while low < high:  # how much both begin with, by halves: whole slices compare fast
        middle = (low + high + 1) // 2
        if old[:middle] == new[:middle]:
            low = middle
        else:
            high = middle - 1
    start, low, high = low, 0, min(len(old), len(new)) - low
    while low < high:
        middle = (low + high + 1) // 2
        if old[len(old) - middle :] == new[len(new) - middle :]:
            low = middle
        else:
            high = middle - 1
    return start, len(old) - low, new[start : len(new) - low]


def position(text: str, offset: int) -> dict[str, int]:
    """An index into a text as line and UTF-16 column."""
    start = text.rfind("\n", 0, offset) + 1
    return {"line": text.count("\n", 0, start), "character": _units(text[start:offset])}


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _last_units(line: str, units: int) -> str:
    """The end of a line that so many UTF-16 units make up."""
    start = len(line)
    while start and units > 0:
        start -= 1
        units -= _units(line[start])
    return line[start:]
