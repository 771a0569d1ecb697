"""Editors by what they say of themselves, each through a session from its first message to its last.

`clients/` holds what they send with `initialize`: recorded from the editors themselves, but for Zed and Sublime's LSP,
which cannot be had from a registry: theirs is what their source builds. Older ones come with pytest-lsp.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_corpus
from tests.support.editor import Editor, Stage, only_item

HERE = Path(__file__).parent / "clients"
AS_IS, INDENTED = 1, 2
COPY = f"import os\n\n\n{tiny_corpus.RENAMED}\n"


@dataclass(frozen=True)
class Expected:
    """What one editor gets."""

    ghost: bool = False  # else one item of its menu
    pulls: bool = False  # asks for diagnostics; else they are sent
    mode: int = AS_IS  # of an item
    tells_settings: bool = False  # as soon as it is initialised
    markdown: bool = True


CLIENTS = {
    "vscode_1.139.1": Expected(ghost=True, pulls=True, tells_settings=True),
    "neovim_0.12.4": Expected(ghost=True, pulls=True),
    "lsp-mode_10.0.0": Expected(ghost=True),
    "neovim_v0.11.0": Expected(),
    "neovim_v0.7.0": Expected(),
    "eglot_1.17.30": Expected(tells_settings=True, markdown=False),
    "helix_25.07.1": Expected(tells_settings=True),
    "kate_26.08.2": Expected(),
    "sublime-lsp": Expected(pulls=True, mode=INDENTED),
    "zed": Expected(tells_settings=True),
}


def recorded(name: str) -> dict[str, Any]:
    ours = HERE / f"{name}.json"
    theirs = resources.files("pytest_lsp.clients").joinpath(f"{name}.json")
    params = json.loads((ours if ours.is_file() else theirs).read_text())
    return {"clientInfo": None, **params}


def has(capabilities: Any, path: str) -> bool:
    for part in path.split("/"):
        capabilities = capabilities.get(part) if isinstance(capabilities, dict) else None
    return bool(capabilities)


@dataclass(frozen=True)
class Session:
    """One editor and the server that it speaks to."""

    editor: Editor
    expected: Expected
    capabilities: dict[str, Any]

    def inserted(self, marked: str) -> tuple[Any, str]:
        """Where a suggestion at the cursor goes, and its text."""
        uri, at = self.editor.open_at(marked)
        if self.expected.ghost:
            item = self.editor.suggestion(uri, at)
            assert item is not None
            return item["range"], item["insertText"]
        params = {"textDocument": {"uri": uri}, "position": at, "context": {"triggerKind": 1}}
        item = only_item(self.editor.client.request("textDocument/completion", params))
        assert item is not None
        assert item["insertTextMode"] == self.expected.mode
        assert item["kind"] == 1  # a text, which nobody expands
        assert item["insertTextFormat"] == 1
        assert item["preselect"] is True
        assert item["labelDetails"] == {"description": "Footnote"}
        assert item["label"].startswith(item["filterText"].strip())
        return item["textEdit"]["range"], item["textEdit"]["newText"]

    def mark(self, uri: str) -> dict[str, Any]:
        """The one in a document, sent or fetched."""
        if self.expected.pulls:
            asked = {"textDocument": {"uri": uri}, "identifier": "footnote"}
            marks = self.editor.client.request("textDocument/diagnostic", asked)["items"]
        else:
            marks = self.editor.diagnostics(uri)
        (mark,) = marks
        return dict(mark)


@pytest.fixture(scope="module", params=CLIENTS)
def session(request: pytest.FixtureRequest, stage: Stage, home: Path) -> Iterator[Session]:
    """From `initialize` to `exit`; the editor sees to it that nothing unexpected was said."""
    stage.write({"text": "value"})
    told, expected = recorded(request.param), CLIENTS[request.param]
    with Editor(
        stage.command,
        capabilities=told["capabilities"],
        client_info=told["clientInfo"],
        params=told,
        options={"attribution": {"diagnosticsDelayMs": 50}},
        answers={"client/registerCapability": lambda _params: None},
        allowed={"window/logMessage"},
        said=(),
        env={"FOOTNOTE_HOME": str(home)},
    ) as editor:
        if expected.tells_settings:
            editor.client.notify("workspace/didChangeConfiguration", {"settings": {}})
        editor.ready()
        assert len(stage.loaded()) == 1
        yield Session(editor, expected, told["capabilities"])


def test_it_is_told_of_what_it_can_use(session: Session) -> None:
    announced = session.editor.hello["capabilities"]
    assert ("completionProvider" in announced) != session.expected.ghost
    assert ("diagnosticProvider" in announced) == session.expected.pulls


def test_a_suggestion_goes_to_the_cursor_in_its_own_units(session: Session, stage: Stage) -> None:
    stage.write({"text": "ue + 1"})
    where, text = session.inserted('x = "😀"; y = val<CURSOR>\n')

    assert text.endswith("value + 1")
    units = {"utf-8": 19, "utf-16": 17, "utf-32": 16}[session.editor.encoding]
    assert where["end"] == {"line": 0, "character": units}


def test_further_lines_stand_where_it_will_put_them(session: Session, stage: Stage) -> None:
    """Who indents every line itself gets them without, and none that would be indented too far."""
    stage.write({"text": "ue + [\n        1,\n    ]\nprint(x)"})
    where, text = session.inserted("if x:\n    x = val<CURSOR>\n")

    as_is = "value + [\n        1,\n    ]\nprint(x)"
    if session.expected.ghost:  # from where the text of its line begins
        assert (where["start"]["character"], text) == (4, f"x = {as_is}")
    elif session.expected.mode == AS_IS:
        assert (where["start"]["character"], text) == (8, as_is)
    else:
        assert (where["start"]["character"], text) == (8, "value + [\n    1,\n]")
    assert where["end"] == {"line": 1, "character": 11}


def test_a_copy_is_marked_and_hover_tells_its_licence(session: Session) -> None:
    uri = session.editor.open(COPY)
    mark = session.mark(uri)
    assert "spans 1.2" in mark["message"]
    related = "textDocument/publishDiagnostics/relatedInformation"
    assert ("relatedInformation" in mark) == has(session.capabilities, related)

    hover = session.editor.hover(uri, mark["range"]["start"])["contents"]
    assert hover["kind"] == ("markdown" if session.expected.markdown else "plaintext")
    assert "BSD-3-Clause" in hover["value"]


def test_it_is_asked_for_nothing_that_it_has_not(session: Session) -> None:
    for ask in session.editor.client.asked:
        match ask["method"]:
            case "client/registerCapability":
                (wanted,) = ask["params"]["registrations"]
                needed = f"{wanted['method']}/dynamicRegistration"
            case "window/workDoneProgress/create":
                needed = "window/workDoneProgress"
            case "workspace/diagnostic/refresh":
                needed = "workspace/diagnostics/refreshSupport"
            case "workspace/codeLens/refresh":
                needed = "workspace/codeLens/refreshSupport"
            case method:
                assert method == "workspace/configuration"
                needed = method
        assert has(session.capabilities, needed)
