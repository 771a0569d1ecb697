"""What the server does while nothing is asked: it reads the prompt, and gives way to any request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_corpus
from tests.support.editor import Editor, Stage, only_item, until
from tests.support.tiny import write_tiny

ABOVE = "value = 1\n" * 20
BLOCK = 64  # tokens that every backend keeps


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Editor, Stage]]:
    """A server with a real model, tiny, and the record of its calls."""
    folder = tmp_path_factory.mktemp("reading")
    stage = Stage(folder / "stage")
    stage.write(model=str(write_tiny(folder / "tiny")))
    with Editor(stage.command) as editor:
        editor.ready()
        yield editor, stage


def newest(editor: Editor) -> dict[str, Any]:
    """What is known about the last request."""
    return editor.client.request("footnote/explain")["requests"][0]["details"]


def how_read(stage: Stage) -> list[tuple[str, str]]:
    """The lines before the cursor that were read, and how that ended."""
    return [(call["before"], call["ended"]) for call in stage.readings()]


def is_read(stage: Stage, line: str) -> bool:
    return (line, "done") in how_read(stage)


def test_the_first_completion_in_an_opened_file_finds_its_prompt(
    reading: tuple[Editor, Stage],
) -> None:
    editor, stage = reading
    uri, at = editor.open_at(f"{ABOVE}opened = <CURSOR>")
    until(lambda: is_read(stage, "opened = "))
    editor.suggestion(uri, at)

    details = newest(editor)
    assert details["cached_tokens"] >= (details["prompt_tokens"] - 1) // BLOCK * BLOCK > 0


def test_where_the_editor_says_that_the_cursor_is_the_prompt_is_read(
    reading: tuple[Editor, Stage],
) -> None:
    editor, stage = reading
    uri, at = editor.open_at(f"{ABOVE}told = <CURSOR>\n\nprint(told)\n" + ABOVE)
    editor.rest(uri, at)
    until(lambda: is_read(stage, "told = "))
    editor.suggestion(uri, at)

    details = newest(editor)
    assert details["cached_tokens"] >= (details["prompt_tokens"] - 1) // BLOCK * BLOCK > 0


def test_what_is_typed_after_a_pause_finds_its_prompt_too(reading: tuple[Editor, Stage]) -> None:
    editor, stage = reading
    uri, at = editor.open_at(f"{ABOVE}typed <CURSOR>\n" + ABOVE)
    at = editor.type(uri, at, "= ")
    until(lambda: is_read(stage, "typed = "))
    at = editor.type(uri, at, "x")
    editor.suggestion(uri, at, kind=2)

    details = newest(editor)
    assert details["cached_tokens"] >= (details["prompt_tokens"] - 3) // BLOCK * BLOCK > 0


def test_after_a_deletion_nothing_is_suggested_but_the_prompt_is_read(
    editor: Editor, stage: Stage
) -> None:
    stage.write({"text": "value"})
    uri, at = editor.open_at("gone = one<CURSOR>")
    before = {"line": 0, "character": 7}
    editor.change(uri, {"range": {"start": before, "end": at}, "text": ""})
    assert editor.suggestion(uri, before, kind=2) is None
    assert editor.reasons()[0] == "gated:deletion"

    until(lambda: is_read(stage, "gone = "))


def test_a_request_ends_the_reading_of_another_prompt(editor: Editor, stage: Stage) -> None:
    stage.write({"when": "slow = ", "delay_ms": 60_000}, {"text": "value"})
    editor.open("slow = ")
    until(lambda: "slow = " in stage.began())

    assert editor.suggestion(*editor.open_at("fast = <CURSOR>"))["insertText"] == "fast = value"
    until(lambda: ("slow = ", "cancelled") in how_read(stage))


def test_a_file_that_is_opened_while_the_model_loads_is_read_afterwards(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    stage.write({"text": "value"}, load_ms=700)
    with Editor(stage.command) as editor:
        editor.open("early = ")
        until(lambda: is_read(stage, "early = "))


def test_only_the_newest_of_many_opened_files_is_read(editor: Editor, stage: Stage) -> None:
    stage.write({"when": "file19 = ", "text": "value"}, {"text": "value", "delay_ms": 60_000})
    for number in range(20):
        editor.open(f"file{number} = ")
    until(lambda: is_read(stage, "file19 = "))

    # On a busy machine some may have begun before the next was opened; hardly all of them.
    assert len(stage.began()) < 20


@pytest.fixture(scope="module")
def looking(stage: Stage) -> Iterator[Editor]:
    """A server that computes what follows a suggestion."""
    with Editor(stage.command, look_ahead=True) as editor:
        editor.ready()
        yield editor


def done(stage: Stage) -> list[str]:
    """The lines before the gaps that were filled."""
    return [call["before"] for call in stage.calls() if call["ended"] == "done"]


def stopped(stage: Stage) -> list[str]:
    """The lines before the gaps that were given up."""
    return [call["before"] for call in stage.calls() if call["ended"] == "cancelled"]


def accept(editor: Editor, uri: str, at: dict[str, int], text: str) -> dict[str, int]:
    """Insert what was suggested; the position behind it."""
    return editor.type(uri, at, text)


def released(editor: Editor, stage: Stage, uri: str, at: dict[str, int]) -> dict[str, Any] | None:
    """The suggestion for who asks while the model is held, and is then let go."""
    asked = editor.ask(uri, at, kind=2)
    editor.heard()
    stage.go()
    return only_item(editor.client.reply(asked)["result"])


def test_accepting_a_suggestion_shows_the_next_without_a_model_call(
    looking: Editor, stage: Stage
) -> None:
    stage.write({"when": "a = ", "text": "one + "}, {"when": "one + ", "text": "two"})
    uri, at = looking.open_at("a = <CURSOR>")
    looking.suggestion(uri, at, kind=2)
    until(lambda: done(stage) == ["a = ", "a = one + "])
    at = accept(looking, uri, at, "one + ")

    assert looking.suggestion(uri, at, kind=2)["insertText"] == "a = one + two"
    assert looking.reasons()[0] == "cache"
    assert done(stage)[:2] == ["a = ", "a = one + "]
    assert [call["automatic"] for call in stage.calls()[:2]] == [True, True]


def test_what_is_replaced_behind_the_cursor_is_gone_when_it_is_accepted(
    looking: Editor, stage: Stage
) -> None:
    stage.write(
        {"when": "print(", "text": "value)", "replace_after": 1},
        {"when": "print(value)", "text": "  # {after}."},
    )
    uri, at = looking.open_at("print(<CURSOR>) + b")
    looking.suggestion(uri, at)
    until(lambda: "print(value)" in done(stage))
    end = {"line": 0, "character": at["character"] + 1}
    looking.change(uri, {"range": {"start": at, "end": end}, "text": "value)"})
    at = {"line": 0, "character": 12}

    assert looking.suggestion(uri, at, kind=2)["insertText"] == "print(value)  #  + b."
    assert looking.reasons()[0] == "cache"


def test_only_one_suggestion_ahead_and_only_of_the_first(looking: Editor, stage: Stage) -> None:
    stage.write(
        {"when": "c = ", "text": "one", "others": ["two"]},
        {"when": "one", "text": ".more"},
        {"when": "", "text": "never"},
    )
    uri, at = looking.open_at("c = <CURSOR>")
    assert len(looking.suggestions(uri, at)) == 2
    until(lambda: done(stage) == ["c = ", "c = one"])
    # Typing along shows the rest again; nothing follows but what follows it.
    for stroke in "on":
        at = looking.type(uri, at, stroke)
        looking.suggestion(uri, at, kind=2)
    other = looking.open("later = ")
    until(lambda: is_read(stage, "later = "))
    looking.close_document(other)

    assert set(done(stage)) == {"c = ", "c = one"}


def test_a_request_ends_what_is_computed_ahead(looking: Editor, stage: Stage) -> None:
    stage.write(
        {"when": "d = ", "text": "one"}, {"when": "one", "text": "x", "delay_ms": 60_000},
        {"text": "value"},
    )  # fmt: skip
    uri, at = looking.open_at("d = <CURSOR>")
    looking.suggestion(uri, at, kind=2)
    until(lambda: "d = one" in stage.began())

    assert looking.suggestion(*looking.open_at("e = <CURSOR>"))["insertText"] == "e = value"
    until(lambda: "d = one" in stopped(stage))


def test_accepting_while_it_is_computed_waits_for_that_and_asks_no_more(
    looking: Editor, stage: Stage
) -> None:
    stage.write({"when": "f = ", "text": "one"}, {"when": "one", "text": "two", "held": True})
    uri, at = looking.open_at("f = <CURSOR>")
    looking.suggestion(uri, at, kind=2)
    until(lambda: "f = one" in stage.began())
    at = accept(looking, uri, at, "one")
    looking.rest(uri, at)

    assert released(looking, stage, uri, at)["insertText"] == "f = onetwo"
    assert looking.reasons()[0] == "cache"
    assert done(stage)[:2] == ["f = ", "f = one"]
    assert stopped(stage) == []


def test_where_nothing_follows_who_waited_for_it_hears_so(looking: Editor, stage: Stage) -> None:
    stage.write({"when": "g = ", "text": "one"}, {"when": "one", "text": "", "held": True})
    uri, at = looking.open_at("g = <CURSOR>")
    looking.suggestion(uri, at, kind=2)
    until(lambda: "g = one" in stage.began())
    at = accept(looking, uri, at, "one")

    assert released(looking, stage, uri, at) is None
    assert looking.reasons()[0] == "end"
    assert done(stage) == ["g = ", "g = one"]


def test_who_asks_by_a_key_or_for_another_text_does_not_wait_for_it(
    looking: Editor, stage: Stage
) -> None:
    slow = {"when": "one", "text": "two", "delay_ms": 60_000}
    for name, kind, typed in (("h", 1, "one"), ("i", 2, "on")):
        stage.write({"when": f"{name} = ", "text": "one"}, slow, {"text": "other"})
        uri, at = looking.open_at(f"{name} = <CURSOR>")
        looking.suggestion(uri, at, kind=2)
        until(lambda name=name: f"{name} = one" in stage.began())  # type: ignore[misc]
        at = accept(looking, uri, at, typed)
        stage.script({"text": "other"})

        found = looking.suggestion(uri, at, kind=kind)
        assert found["insertText"] == f"{name} = one" + ("other" if kind == 1 else "")
        # Its record is written beside the answer, not before it.
        until(lambda: stopped(stage))


def test_what_was_computed_ahead_is_cited_or_hidden_like_any_other(
    stage: Stage, tmp_path: Path
) -> None:
    tiny_corpus.build(tmp_path)
    head, _, body = tiny_corpus.INTERVALS.partition('    """Join')  # alone it is nobody's
    body = f'"""Join{body}'
    env = {"FOOTNOTE_HOME": str(tmp_path)}
    with Editor(stage.command, look_ahead=True, env=env, said=()) as editor:
        editor.ready()
        for mode in ("warn", "hide"):
            settings = {"attribution": {"mode": mode, "budgetMs": 1000}}
            editor.client.notify(
                "workspace/didChangeConfiguration", {"settings": {"footnote": settings}}
            )
            stage.write(
                {"when": f"{head}    ", "text": body}, {"when": "# head\n", "text": f"{head}    "}
            )
            uri, at = editor.open_at(f"# {mode}\n# head\n<CURSOR>\n")
            editor.suggestion(uri, at, kind=2)
            until(lambda: len(done(stage)) == 2)
            editor.type(uri, at, f"{head}    ")
            at = {"line": at["line"] + head.count("\n"), "character": 4}
            item = editor.suggestion(uri, at, kind=2)
            if mode == "warn":
                assert item["command"]["title"] == "100% like spans 1.2 (BSD-3-Clause)"
                assert editor.reasons()[0] == "cache"
            else:
                assert item is None
                assert editor.reasons()[0] == "dropped:near-verbatim"
            assert done(stage)[2:] == []


def test_a_cursor_that_cannot_be_read_does_no_harm(stage: Stage) -> None:
    stage.write({"text": "value"})
    with Editor(stage.command, stderr_allowed="a message that cannot be read") as editor:
        editor.ready()
        uri, at = editor.open_at("x = <CURSOR>")
        nowhere = {"line": 10**12, "character": -3}
        for params in (
            None,
            [],
            {"textDocument": {"uri": uri}, "position": "here"},
            {"textDocument": {"uri": "file:///unknown.py"}, "position": at},
            {"textDocument": {"uri": uri}, "position": nowhere},
        ):
            editor.client.notify("footnote/cursor", params)
        editor.client.reply(editor.client.ask("footnote/cursor", {"textDocument": {"uri": uri}}))

        assert editor.suggestion(uri, at)["insertText"] == "x = value"
