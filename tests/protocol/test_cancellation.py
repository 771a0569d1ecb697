"""One completion at a time, the newest wins, and every request has exactly one answer."""

from __future__ import annotations

from tests.support.editor import Editor, Stage, only_item, until

CANCELLED = -32800


def test_the_newest_of_fifty_requests_is_answered_and_the_others_are_null(
    editor: Editor, stage: Stage
) -> None:
    stage.write({"text": "value", "held": True})
    uri, at = editor.open_at("x = <CURSOR>")

    asked = [editor.ask(uri, at) for _ in range(50)]
    editor.heard()
    stage.go()
    replies = [editor.client.reply(each) for each in asked]

    assert all("error" not in reply for reply in replies)
    assert [reply["result"] for reply in replies[:-1]] == [None] * 49
    assert only_item(replies[-1]["result"])["insertText"] == "x = value"
    finished = [call for call in stage.calls() if call["ended"] == "done"]
    assert len(finished) == 1


def test_a_request_for_another_document_supersedes_too(editor: Editor, stage: Stage) -> None:
    stage.write({"when": "first = ", "text": "value", "delay_ms": 60_000}, {"text": "value"})
    first = editor.ask(*editor.open_at("first = <CURSOR>"))
    second = editor.ask(*editor.open_at("second = <CURSOR>"))

    assert editor.client.reply(first)["result"] is None
    assert only_item(editor.client.reply(second)["result"])["insertText"] == "second = value"


def test_a_cancelled_request_is_answered_so_and_the_model_stops(
    editor: Editor, stage: Stage
) -> None:
    stage.write({"text": "value", "delay_ms": 20_000})
    uri, at = editor.open_at("x = <CURSOR>")
    asked = editor.ask(uri, at)
    editor.client.notify("$/cancelRequest", {"id": asked})

    reply = editor.client.reply(asked)
    assert reply["error"]["code"] == CANCELLED

    # The model is free again: a second request does not wait for the first one's twenty seconds.
    stage.write({"text": "other"})
    assert editor.suggestion(uri, at)["insertText"] == "x = other"


def test_a_cancel_after_the_answer_is_no_trouble(editor: Editor, stage: Stage) -> None:
    stage.write({"text": "value"})
    uri, at = editor.open_at("x = <CURSOR>")
    asked = editor.ask(uri, at)
    editor.client.reply(asked)
    editor.client.notify("$/cancelRequest", {"id": asked})
    editor.client.notify("$/cancelRequest", {"id": "never asked"})

    assert editor.suggestion(uri, at) is not None


def test_a_change_during_the_work_makes_the_answer_null_and_is_remembered(
    editor: Editor, stage: Stage
) -> None:
    stage.write({"text": "value_one", "held": True})
    uri, at = editor.open_at("x = <CURSOR>")
    asked = editor.ask(uri, at)
    until(lambda: "x = " in stage.began())
    behind = editor.type(uri, at, "val")
    editor.heard()
    stage.go()

    assert editor.client.reply(asked)["result"] is None
    # What was typed is how the suggestion begins, so the rest of it needs no second call.
    assert editor.suggestion(uri, behind)["insertText"] == "x = value_one"
    assert len(stage.calls()) == 1


def test_the_text_asked_about_is_the_text_at_the_time_of_asking(
    editor: Editor, stage: Stage
) -> None:
    stage.write({"text": "{before}", "delay_ms": 50})
    uri, at = editor.open_at("before = <CURSOR>")
    whole = {"text": "entirely different"}
    asked = editor.ask(uri, at)
    editor.change(uri, whole)
    editor.client.reply(asked)

    assert stage.calls()[0]["before"] == "before = "


def test_a_hover_does_not_wait_for_the_model(editor: Editor, stage: Stage) -> None:
    stage.write({"text": "value", "delay_ms": 20_000})
    uri, at = editor.open_at("x = <CURSOR>")
    asked = editor.ask(uri, at)

    assert editor.hover(uri, at) is None  # answered, while the model is at work

    editor.client.notify("$/cancelRequest", {"id": asked})
    editor.client.reply(asked)


def test_closing_the_document_makes_its_answer_null(editor: Editor, stage: Stage) -> None:
    stage.write({"text": "value", "held": True})
    uri, at = editor.open_at("x = <CURSOR>")
    asked = editor.ask(uri, at)
    until(lambda: "x = " in stage.began())
    editor.close_document(uri)
    editor.heard()
    stage.go()

    assert editor.client.reply(asked)["result"] is None
