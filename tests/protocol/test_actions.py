"""What can be done about a passage: credit it, settle it, have it written anew, list it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_corpus
from tests.support.editor import GHOST, Editor, Stage

LAZY: dict[str, Any] = {
    "textDocument": {
        **GHOST["textDocument"],
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}},
            "resolveSupport": {"properties": ["edit"]},
        },
    },
    "window": {"showDocument": {"support": True}},
    "workspace": {"workspaceEdit": {"documentChanges": True, "resourceOperations": ["create"]}},
}
EAGER: dict[str, Any] = {
    "textDocument": {**GHOST["textDocument"], "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}},
}  # fmt: skip
ALL = [
    "Open the source: spans 1.2, spans/intervals.py",
    "Insert an attribution comment: spans 1.2 (BSD-3-Clause)",
    "Add spans 1.2 to THIRD_PARTY_NOTICES.md",
    "Ignore this passage, with a reason",
]
HEAD = tiny_corpus.INTERVALS[: tiny_corpus.INTERVALS.index("    merged = []")]
BODY = tiny_corpus.INTERVALS[len(HEAD) :]


class Person(Editor):
    """Somebody at the editor, who answers questions and lets edits be made."""

    def __init__(self, stage: Stage, home: Path, capabilities: dict[str, Any] = LAZY) -> None:
        self.reason: str | None = None
        self.edits: list[Any] = []
        super().__init__(
            stage.command,
            capabilities=capabilities,
            env={"FOOTNOTE_HOME": str(home)},
            said=("is left as it is", "no longer there", "ignores nothing"),
            options={"attribution": {"budgetMs": 1000}},
            answers={
                "window/showDocument": lambda _params: {"success": True},
                "window/showMessageRequest": self._choose,
                "workspace/applyEdit": self._apply,
            },
        )
        self.ready()

    def _choose(self, params: Any) -> Any:
        titles = [each["title"] for each in params["actions"]]
        return {"title": self.reason} if self.reason in titles else None

    def _apply(self, params: Any) -> Any:
        self.edits.append(params["edit"])
        return {"applied": True}

    def actions(
        self,
        uri: str,
        line: int,
        *,
        only: list[str] | None = None,
        marks: Any = (),
        automatic: bool = False,
    ) -> list[dict[str, Any]] | None:
        at = {"line": line, "character": 0}
        context = {"diagnostics": list(marks), **({"only": only} if only else {})}
        context["triggerKind"] = 2 if automatic else 1
        params = {
            "textDocument": {"uri": uri},
            "range": {"start": at, "end": at},
            "context": context,
        }
        return self.client.request("textDocument/codeAction", params)

    def action(self, uri: str, line: int, title: str) -> dict[str, Any]:
        (found,) = [each for each in self.actions(uri, line) if each["title"].startswith(title)]
        return found

    def edit(self, uri: str, line: int, title: str) -> list[Any]:
        action = self.client.request("codeAction/resolve", self.action(uri, line, title))
        return action["edit"]["documentChanges"]

    def run(self, command: dict[str, Any], *more: Any) -> Any:
        params = {"command": command["command"], "arguments": [*command["arguments"], *more]}
        return self.client.request("workspace/executeCommand", params)


@pytest.fixture(scope="module")
def person(stage: Stage, home: Path) -> Iterator[Person]:
    with Person(stage, home) as person:
        yield person


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    return tmp_path


def opened(person: Person, project: Path, text: str, name: str = "mine.py") -> str:
    return person.open(text, name=(project / name).as_uri())


def test_what_can_be_done_is_offered_at_the_passage_only(person: Person, project: Path) -> None:
    uri = opened(person, project, f"import os\n\n\n{tiny_corpus.INTERVALS}")
    (mark,) = person.diagnostics(uri)
    actions = person.actions(uri, 8, marks=[mark])

    assert [each["title"] for each in actions] == ALL
    assert {each["kind"] for each in actions} == {"quickfix"}
    assert "diagnostics" not in actions[0]  # nothing is settled by looking
    assert actions[1]["diagnostics"] == [mark]
    assert "edit" not in actions[1]
    assert person.actions(uri, 0) == []
    assert person.actions(uri, 8, only=["refactor"]) == []
    assert len(person.actions(uri, 8, only=["quickfix", "source"])) == 4


def test_a_key_has_nothing_looked_up(person: Person, project: Path) -> None:
    uri = opened(person, project, tiny_corpus.INTERVALS)
    person.diagnostics(uri)
    assert len(person.actions(uri, 8, automatic=True) or []) == 4
    person.type(uri, {"line": 0, "character": 0}, "x = 1\n")
    assert person.actions(uri, 9, automatic=True) is None
    assert len(person.actions(uri, 9) or []) == 4


def test_a_comment_is_inserted_above_the_passage_once(person: Person, project: Path) -> None:
    text = "class Spans:\n" + "".join(
        f"    {line}" if line.strip() else line
        for line in tiny_corpus.INTERVALS.splitlines(keepends=True)
    )
    uri = opened(person, project, text.replace("\n", "\r\n"))
    (change,) = person.edit(uri, 8, "Insert an attribution comment")

    (edit,) = change["edits"]
    assert change["textDocument"] == {"uri": uri, "version": 1}
    start = edit["range"]["start"]
    assert edit["range"]["end"] == start == {"line": 1, "character": 0}
    first, second, third, last = edit["newText"].split("\r\n")
    assert first == "    # SPDX-License-Identifier: BSD-3-Clause"
    assert second.startswith("    # Source: spans 1.2, spans/intervals.py lines ")
    assert (third, last) == ("    # https://example.org/spans", "")

    person.change(uri, edit | {"text": edit["newText"]})
    titles = [each["title"] for each in person.actions(uri, 9)]
    assert titles == [ALL[0], *ALL[2:]]


def test_a_file_of_notices_is_made_with_the_text_of_the_licence(
    person: Person, project: Path
) -> None:
    uri = opened(person, project, tiny_corpus.INTERVALS)
    create, change = person.edit(uri, 8, "Add spans 1.2")
    notices = (project / "THIRD_PARTY_NOTICES.md").as_uri()

    assert create == {"kind": "create", "uri": notices, "options": {"ignoreIfExists": True}}
    assert change["textDocument"] == {"uri": notices, "version": None}
    text = change["edits"][0]["newText"]
    assert "## spans 1.2\n" in text
    assert "`mine.py` (from `spans/intervals.py`" in text
    assert "Neither the name of the copyright holder" in text


def test_notices_that_are_there_are_added_to_and_nothing_twice(
    person: Person, project: Path
) -> None:
    notices = project / "THIRD_PARTY_NOTICES.md"
    notices.write_bytes(b"# Ours\r\n\r\nothers")
    uri = opened(person, project, tiny_corpus.INTERVALS)
    (change,) = person.edit(uri, 8, "Add spans 1.2")
    (edit,) = change["edits"]
    assert edit["range"]["start"] == {"line": 2, "character": 6}
    assert edit["newText"].startswith("\r\n\r\n## spans 1.2\r\n")

    notices.write_bytes(b"# Ours\r\n\r\nothers" + edit["newText"].encode())
    action = person.action(uri, 8, "Add spans 1.2")
    assert "edit" not in person.client.request("codeAction/resolve", action)
    other = person.open(tiny_corpus.INTERVALS, name=(project / "other.py").as_uri())
    (use,) = person.edit(other, 8, "Add spans 1.2")
    (edit,) = use["edits"]
    assert edit["newText"].startswith("- Used in: `other.py` (from `spans/intervals.py` lines ")
    assert edit["newText"].endswith(")\r\n")
    before = notices.read_bytes().splitlines()[edit["range"]["start"]["line"] - 1]
    assert before.startswith(b"- Used in: `")
    shown = person.open("# open, and not saved\n", name=notices.as_uri(), language="markdown")
    (change,) = person.edit(uri, 8, "Add spans 1.2")
    assert change["textDocument"] == {"uri": shown, "version": 1}


def test_notices_that_cannot_be_read_are_left_as_they_are_and_named(
    person: Person, project: Path
) -> None:
    notices = project / "THIRD_PARTY_NOTICES.md"
    notices.write_bytes("# Notizen, größere".encode("latin-1"))
    uri = opened(person, project, tiny_corpus.INTERVALS)
    seen = len(person.client.notes)

    action = person.action(uri, 8, "Add spans 1.2")
    assert "edit" not in person.client.request("codeAction/resolve", action)
    told = person.client.wait_for(lambda note: note["method"] == "window/showMessage", since=seen)
    assert told["params"]["message"] == f"Footnote: {notices} is left as it is: it is not UTF-8"


def test_a_passage_is_ignored_for_a_reason_and_comes_back_when_it_is_edited(
    person: Person, project: Path
) -> None:
    uri = opened(person, project, tiny_corpus.INTERVALS)
    command = person.action(uri, 8, "Ignore")["command"]
    person.reason = None
    assert person.run(command) is False
    assert person.diagnostics(uri, version=1)

    seen = len(person.client.notes)
    person.reason = "It may be used here"
    assert person.run(command) is True
    person.client.wait_for(
        lambda note: (
            note["method"] == "textDocument/publishDiagnostics"
            and note["params"]["uri"] == uri
            and note["params"]["diagnostics"] == []
        ),
        since=seen,
    )
    ignored = (project / ".footnote" / "ignore.toml").read_text(encoding="utf-8")
    assert 'reason = "It may be used here"' in ignored
    assert "spans/intervals.py" in ignored

    person.type(uri, {"line": 8, "character": 0}, "            extra = other(merged, stop, gap)\n")
    person.type(uri, {"line": 4, "character": 0}, "    checked(start, stop, limit=limit)\n" * 3)
    assert person.diagnostics(uri, version=3)
    seen = len(person.messages())
    assert person.run(command, "because") is False  # the passage that was named is another now
    assert "no longer there" in person.messages()[seen]


def test_an_ignore_file_that_cannot_be_written_is_left_and_said(
    person: Person, project: Path
) -> None:
    file = project / ".footnote" / "ignore.toml"
    file.parent.mkdir()
    file.write_text("ignored = 3\n")
    uri = opened(person, project, tiny_corpus.INTERVALS)
    command = person.action(uri, 8, "Ignore")["command"]

    assert person.run(command, "because") is False
    assert "is left as it is" in person.messages()[-1]
    assert file.read_text() == "ignored = 3\n"


def test_text_of_ours_is_taken_out_and_written_anew(
    person: Person, project: Path, stage: Stage, home: Path
) -> None:
    mine = "def mine(value):\n    return [value, 1]\n\n\n"
    stage.write({"text": mine + tiny_corpus.INTERVALS, "instead": "other()\n"})
    uri = opened(person, project, "import os\n\n")
    at = {"line": 2, "character": 0}
    item = person.suggestion(uri, at)
    person.change(uri, {"range": item["range"], "text": item["insertText"]})
    assert [each["title"] for each in person.actions(uri, 10)] == ALL  # it was not accepted yet
    person.run(item["command"])

    action = person.action(uri, 10, "Replace by another suggestion")
    assert action["kind"] == "refactor.rewrite"
    found = person.run(action["command"])
    assert found == {"uri": uri, "position": {"line": 6, "character": 0}}
    ((edit,),) = person.edits[-1]["changes"].values()
    assert edit["range"]["start"] == found["position"]
    assert edit["newText"] == ""

    person.change(uri, {"range": edit["range"], "text": ""})
    other = person.suggestion(uri, found["position"])
    assert other["insertText"] == "other()\n"
    last = stage.calls()[-1]
    assert last["banned"][0][0] == ""
    assert last["banned"][0][1].startswith("def merge_intervals")

    accepted = (home / "accepted.jsonl").read_text().splitlines()[-1]
    record = json.loads(accepted)
    assert record["line"] == 3
    assert record["matches"][0]["source"]["license"] == "BSD-3-Clause"
    assert "def " not in accepted


def test_all_passages_are_listed_by_licence_and_package(person: Person, project: Path) -> None:
    one = opened(person, project, f"import os\n{tiny_corpus.RENAMED}", "one.py")
    two = opened(person, project, tiny_corpus.INTERVALS, "two.py")
    (licence,) = person.client.request("footnote/matches")["licences"]

    assert (licence["licence"], licence["licenceClass"]) == ("BSD-3-Clause", "permissive")
    (package,) = licence["packages"]
    assert (package["package"], package["version"]) == ("spans", "1.2")
    found = {each["uri"]: each for each in package["matches"]}
    assert {one, two} <= set(found)
    assert found[one]["kind"] == "renamed"
    assert found[two]["sourceUri"] == "footnote-source:/spans/1.2/spans/intervals.py"
    assert found[two]["startLine"] == 1


def test_an_editor_that_resolves_nothing_gets_the_edit_at_once(
    stage: Stage, home: Path, project: Path
) -> None:
    with Person(stage, home, EAGER) as person:
        uri = opened(person, project, tiny_corpus.INTERVALS)
        (comment,) = person.action(uri, 8, "Insert")["edit"]["changes"][uri]
        titles = [each["title"] for each in person.actions(uri, 8)]
    assert comment["newText"].startswith("# SPDX-License-Identifier")
    assert titles == [*ALL[:2], ALL[3]]  # it creates no files either


def test_an_editor_that_knows_commands_only_gets_those(
    stage: Stage, home: Path, project: Path
) -> None:
    with Person(stage, home, GHOST) as person:
        uri = opened(person, project, tiny_corpus.INTERVALS)
        commands = [each["command"] for each in person.actions(uri, 8)]
    assert commands == ["footnote.openSource", "footnote.ignoreMatch"]
