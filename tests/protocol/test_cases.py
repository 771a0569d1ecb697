"""Runs the case files: each is a place, a scripted answer, and what the editor gets for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.casefile import CURSOR, Case, Place, read_cases
from tests.support.editor import GHOST, Editor, Stage, only_item, units

CASES = read_cases(Path(__file__).parent / "cases")
LANGUAGES = {".py": "python", ".md": "markdown"}
PROFILES: dict[str, dict[str, Any]] = {
    "ghost text": GHOST,
    "utf-8": {**GHOST, "general": {"positionEncodings": ["utf-8"]}},
    "no ghost text": {"textDocument": {"completion": {}}},
}


class Profiles:
    """One process for each kind of client, started when the first case needs it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._editors: dict[str, Editor] = {}

    def get(self, name: str) -> Editor:
        if name not in self._editors:
            editor = Editor(
                self._stage.command,
                capabilities=PROFILES[name],
                stderr_allowed="RuntimeError at",
            )
            editor.ready()
            self._editors[name] = editor
        return self._editors[name]

    def close(self) -> None:
        for editor in self._editors.values():
            editor.close()


@pytest.fixture(scope="module")
def profiles(stage: Stage) -> Iterator[Profiles]:
    profiles = Profiles(stage)
    yield profiles
    profiles.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path.stem)
def test_case(case: Case, stage: Stage, profiles: Profiles, request: pytest.FixtureRequest) -> None:
    stage.write(
        {
            "text": case.get("script"),
            "error": case.get("fails"),
            "replace_after": int(case.get("replace_after", "0")),
        }
    )
    editor = profiles.get(case.get("client", "ghost text"))
    settings = json.loads(case.get("settings", "{}"))
    editor.client.notify("workspace/didChangeConfiguration", {"settings": {"footnote": settings}})
    place = case.place()
    language = LANGUAGES.get(Path(place.name).suffix, Path(place.name).suffix[1:])
    uri = editor.open(place.text, name=place.name, language=language)

    got = asked(editor, case, uri, place)

    editor.close_document(uri)
    if got != case.expected and request.config.getoption("--update"):
        case.rewrite(got)
        pytest.fail("the expectation was rewritten: read it, then commit it")
    assert got == case.expected, case.about


def asked(editor: Editor, case: Case, uri: str, place: Place) -> str:
    at = editor.position(place)
    if case.get("ask") == "completion":
        params = {"textDocument": {"uri": uri}, "position": at, "context": {"triggerKind": 1}}
        item = only_item(editor.client.request("textDocument/completion", params))
        if item is None:
            return f"null because {editor.reasons()[0]}"
        edit = item["textEdit"]
        return f"{span(edit['range'])} {edit['newText']!r} shown as {item['label']!r}"
    context = {}
    if selected := case.get("selected"):
        context["selectedCompletionInfo"] = selection(selected, at, editor.encoding)
    item = editor.suggestion(uri, at, **context)
    if item is None:
        return f"null because {editor.reasons()[0]}"
    assert item["filterText"] == item["insertText"]
    assert item["command"]["command"] == "footnote.accepted"
    return f"{span(item['range'])} {item['insertText']!r}"


def selection(text: str, at: dict[str, int], encoding: str) -> dict[str, Any]:
    """`app<CURSOR>: append` is a menu over the typed `app` whose selected item is `append`."""
    typed, item = text.split(f"{CURSOR}: ")
    start = {"line": at["line"], "character": at["character"] - units(typed, encoding)}
    return {"range": {"start": start, "end": at}, "text": item}


def span(found: dict[str, Any]) -> str:
    return "-".join(f"{end['line']}:{end['character']}" for end in (found["start"], found["end"]))
