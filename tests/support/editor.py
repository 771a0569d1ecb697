"""An editor for tests: opens, types, asks, cancels; ends in failure if the server misbehaved.

Misbehaving is: a line on stderr, an exit code that is not 0, a message nobody expected, two
answers to one request, or none.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from lsp_server.client import Client
from tests.support import staged
from tests.support.casefile import Place, cut

GHOST = {
    "textDocument": {
        "inlineCompletion": {"dynamicRegistration": True},
        "hover": {"contentFormat": ["markdown", "plaintext"]},
        "publishDiagnostics": {
            "relatedInformation": True,
            "versionSupport": True,
            "codeDescriptionSupport": True,
            "dataSupport": True,
        },
    },
    "general": {"positionEncodings": ["utf-16"]},
}
NO_INDEX = "no attribution index at"  # the suite has none unless a test builds one
_ALWAYS = {"$/footnote/status", "textDocument/publishDiagnostics", "$/progress"}


class Stage:
    """The script of a staged model, and the record of its calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.write({"text": "{before}|{after}"})

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-I", str(Path(staged.__file__)), str(self.folder))

    def write(self, *rules: Mapping[str, Any], **script: Any) -> None:
        """Another script and an empty record."""
        (self.folder / "calls.jsonl").write_text("")
        self.script(*rules, **script)

    def script(self, *rules: Mapping[str, Any], **script: Any) -> None:
        """Another script for the calls from now on."""
        (self.folder / "go").unlink(missing_ok=True)
        text = json.dumps({"rules": list(rules), **script})
        fresh = self.folder / "script.new"
        fresh.write_text(text)
        fresh.replace(self.folder / "script.json")

    def go(self) -> None:
        """Let the calls that are held answer, until there is another script."""
        (self.folder / "go").touch()

    def calls(self) -> list[dict[str, Any]]:
        """Those for text."""
        return [call for call in self._calls() if call["max_new_tokens"] != 0]

    def readings(self) -> list[dict[str, Any]]:
        """Those that only have the prompt read."""
        return [call for call in self._calls() if call["max_new_tokens"] == 0]

    def loaded(self) -> list[tuple[str, str]]:
        """Backend and device of each time that the model was loaded."""
        lines = self._lines()
        return [(line["backend"], line["device"]) for line in lines if "backend" in line]

    def began(self) -> list[str]:
        """The line before the gap of each call, whatever it is for, from when it begins."""
        return [line["began"] for line in self._lines() if "began" in line]

    def _lines(self) -> list[dict[str, Any]]:
        # Behind the last line end there may be one that is just being written.
        *whole, _ = (self.folder / "calls.jsonl").read_text().split("\n")
        return [json.loads(line) for line in whole]

    def _calls(self) -> list[dict[str, Any]]:
        return [line for line in self._lines() if "before" in line]


class Editor:
    """One server, initialised and watched."""

    def __init__(
        self,
        command: tuple[str, ...],
        *,
        capabilities: Mapping[str, Any] = GHOST,
        options: Any = None,
        look_ahead: bool = False,
        answers: Mapping[str, Callable[[Any], Any]] | None = None,
        allowed: set[str] = frozenset(),  # type: ignore[assignment]
        said: tuple[str, ...] = (NO_INDEX,),
        client_info: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        stderr_allowed: str = "",
        root: Path | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        tcp: bool = False,
    ) -> None:
        # Most tests count the calls of the model, or change its script between two requests.
        # What is done ahead must not depend on whether this machine is plugged in.
        known = {"completion.lookAhead": look_ahead, "completion.saveBattery": False}
        options = {**known, **(options or {})}
        self.client = Client(command, cwd=cwd, env=env, answers=answers, tcp=tcp)
        self._allowed = _ALWAYS | set(allowed)
        self._said = said
        self._stderr_allowed = stderr_allowed
        self._versions: dict[str, int] = {}
        self._names = itertools.count(1)
        self.started = time.monotonic()
        self.hello = self.client.request(
            "initialize",
            {
                "processId": None,
                "rootUri": None if root is None else root.as_uri(),
                "clientInfo": client_info or {"name": "test"},
                "capabilities": capabilities,
                "initializationOptions": options,
                **(params or {}),
            },
        )
        self.encoding = self.hello["capabilities"]["positionEncoding"]
        self.client.notify("initialized", {})

    def __enter__(self) -> Editor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.client.kill()
            return
        self.close()

    def close(self) -> None:
        code = self.client.end()
        wrong = [
            line
            for line in self.client.stderr
            if not (self._stderr_allowed and self._stderr_allowed in line)
        ]
        assert wrong == [], "\n".join(wrong)
        assert code == 0
        assert self.client.doubled == []
        assert [note for note in self.client.notes if not self._expected(note)] == []

    def _expected(self, note: Mapping[str, Any]) -> bool:
        if note["method"] == "window/showMessage":
            return any(text in note["params"]["message"] for text in self._said)
        return note["method"] in self._allowed

    def messages(self) -> list[str]:
        """What was shown to the person so far."""
        return [
            note["params"]["message"]
            for note in self.client.notes
            if note["method"] == "window/showMessage"
        ]

    def ready(self) -> dict[str, Any]:
        """Wait until model and index are there or known not to be; the last status."""
        note = self.client.wait_for(
            lambda note: note["method"] == "$/footnote/status" and not note["params"]["busy"]
        )
        return note["params"]

    def open(
        self, text: str, *, name: str = "", language: str = "python", scheme: str = "file"
    ) -> str:
        name = name or f"file{next(self._names)}.py"
        uri = name if ":" in name else f"{scheme}:///project/{name}"
        self._versions[uri] = 1
        self.client.notify(
            "textDocument/didOpen",
            {"textDocument": {"uri": uri, "languageId": language, "version": 1, "text": text}},
        )
        return uri

    def open_at(self, marked: str, **more: Any) -> tuple[str, dict[str, int]]:
        """Open a text with a <CURSOR> in it; its URI and the position."""
        place = cut("", marked)
        return self.open(place.text, **more), self.position(place)

    def position(self, place: Place) -> dict[str, int]:
        """Computed the slow and certain way."""
        line = place.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[place.line]
        return {"line": place.line, "character": units(line[: place.index], self.encoding)}

    def change(self, uri: str, *changes: Mapping[str, Any]) -> None:
        self._versions[uri] += 1
        document = {"uri": uri, "version": self._versions[uri]}
        self.client.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": list(changes)}
        )

    def type(self, uri: str, at: Mapping[str, int], text: str) -> dict[str, int]:
        """Insert text on one line; the position behind it."""
        self.change(uri, {"range": {"start": at, "end": at}, "text": text})
        return {"line": at["line"], "character": at["character"] + units(text, self.encoding)}

    def close_document(self, uri: str) -> None:
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def close_all(self) -> None:
        """Close whatever is open."""
        for uri in list(self._versions):
            self.close_document(uri)
        self._versions.clear()

    def rest(self, uri: str, at: Mapping[str, int]) -> None:
        """Say where the cursor is."""
        self.client.notify("footnote/cursor", {"textDocument": {"uri": uri}, "position": at})

    def ask(self, uri: str, at: Mapping[str, int], *, kind: int = 1, **context: Any) -> int:
        params = {
            "textDocument": {"uri": uri},
            "position": at,
            "context": {"triggerKind": kind, **context},
        }
        return self.client.ask("textDocument/inlineCompletion", params)

    def suggestion(
        self, uri: str, at: Mapping[str, int], *, kind: int = 1, **context: Any
    ) -> dict[str, Any] | None:
        """The first item, or None; who did not ask for it gets no second."""
        items = self.suggestions(uri, at, kind=kind, **context)
        assert kind == 1 or len(items) <= 1
        return items[0] if items else None

    def suggestions(
        self, uri: str, at: Mapping[str, int], *, kind: int = 1, **context: Any
    ) -> list[dict[str, Any]]:
        """All items."""
        reply = self.client.reply(self.ask(uri, at, kind=kind, **context))
        assert "error" not in reply, reply
        assert reply["result"] is None or reply["result"]["items"]
        return reply["result"]["items"] if reply["result"] else []

    def hover(self, uri: str, at: Mapping[str, int]) -> Any:
        params = {"textDocument": {"uri": uri}, "position": at}
        return self.client.request("textDocument/hover", params)

    def diagnostics(self, uri: str, version: int | None = None) -> list[dict[str, Any]]:
        """Wait for those of a version; without one, for the first that are not empty."""
        note = self.client.wait_for(
            lambda note: (
                note["method"] == "textDocument/publishDiagnostics"
                and note["params"]["uri"] == uri
                and (
                    note["params"]["version"] == version
                    if version is not None
                    else bool(note["params"]["diagnostics"])
                )
            )
        )
        return note["params"]["diagnostics"]

    def heard(self) -> None:
        """Wait until the server has begun with everything that it was sent."""
        self.client.request("footnote/explain")

    def reasons(self) -> list[str]:
        """Why the last requests ended as they did, newest first."""
        requests = self.client.request("footnote/explain")["requests"]
        return [request["reason"] for request in requests]


def until(happened: Callable[[], object]) -> None:
    """Wait until something is so; the test's own time limit ends a vain wait."""
    while not happened():
        time.sleep(0.02)


def framed(method: str, params: Any, **more: Any) -> bytes:
    """A message as it is sent, so that several go together."""
    content = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(content), content)


def only_item(result: Any) -> dict[str, Any] | None:
    if result is None:
        return None
    (item,) = result["items"]
    return item


def units(text: str, encoding: str) -> int:
    width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    codec = "utf-8" if encoding == "utf-8" else f"{encoding}-le"
    return len(text.encode(codec)) // width
