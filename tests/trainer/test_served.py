"""The server measured through the protocol: that edits and requests say what was meant, and every row comes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from trainer.commands import bench, bench_completion
from trainer.evaluation.conversation import Conversation, ServerLost
from trainer.evaluation.keystrokes import TYPED, folder_documents, sessions
from trainer.evaluation.served import Plan, described, measure
from trainer.evaluation.typist import ALONG, Answer, Typist, asked_model, difference, position

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.evaluation.keystrokes import Session

FILE = "".join(
    f"def function_{n}(value):\n    # a remark that nobody types\n    return value + {n}\n\n\n"
    for n in range(120)
)
HURRY = 20.0
QUICK = Plan(starts=1, bursts=1, cancels=2, long_keystrokes=3, hurry=HURRY)


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> list[Session]:
    folder = tmp_path_factory.mktemp("source")
    (folder / "a.py").write_text(FILE)
    (folder / "b.py").write_text(FILE.replace("value", "wört"))
    return sessions(folder_documents(folder), count=2, keystrokes=3)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("old", "new"),
    [("", ""), ("abc", "abc"), ("abc", "abxc"), ("aaa", "aa"), ("aa", "aaaa"), ("xay", "xby")],
)
def test_an_edit_makes_one_text_the_other(old: str, new: str) -> None:
    start, end, put = difference(old, new)

    assert old[:start] + put + old[end:] == new
    assert 0 <= start <= end <= len(old)


def test_a_place_is_a_line_and_a_column_of_utf_16() -> None:
    assert position("a\nwö𝄞x", 5) == {"line": 1, "character": 4}
    assert position("a\n", 2) == {"line": 1, "character": 0}


@pytest.mark.parametrize(
    ("details", "asked"),
    [
        ({"source": "model", "stop_reason": "end"}, True),
        ({"source": "model", "stop_reason": "dropped:unsure"}, True),
        ({"source": "model", "stop_reason": "gated:mid-line"}, False),
        ({"source": "model", "stop_reason": "superseded"}, False),
        ({"source": "cache"}, False),
        ({}, False),
    ],
)
def test_what_the_model_was_at_to_its_end_is_told_by_the_trace(
    details: dict[str, str], asked: bool
) -> None:
    assert asked_model(details) == asked


def test_the_server_has_the_text_of_every_step_and_suggestions_are_typed_along(
    typed: list[Session],
) -> None:
    at_once = {"minShowDelayMs": 0, "maxDebounceMs": 0}
    conversation = Conversation({"model": "scripted:echo", "completion": at_once})
    typist = Typist(conversation, HURRY)
    try:
        conversation.initialize()
        conversation.until(lambda status: not status["busy"])
        answers: list[Answer] = []
        for session in typed:
            answers += typist.work(session, along=True)
            # The echo is of the line around the gap, so a text that differs gives another.
            gap = session.steps[-1].gap
            line = gap.prefix.rpartition("\n")[2]
            shown, text = typist.keystroke(TYPED, _uri(typist, gap.path), len(gap.prefix), "q")
            assert text == f"[{line}q|{gap.suffix.split(chr(10))[0]}]"
            assert shown.waited_ms == 0
    finally:
        conversation.close()

    assert all(each.shown for each in answers)
    assert {each.reason for each in answers if each.kind == ALONG} == {"cache"}
    assert sum(each.kind == TYPED for each in answers) == 6


def _uri(typist: Typist, path: str) -> str:
    return next(uri for uri in typist.texts if uri.endswith(path))


def test_every_row_is_measured(typed: list[Session], tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    # Longer than any machine takes for the rest of a burst.
    burst = {"path": "burst", "text": "a_name", "delay_ms": 2000, "steps": 100}
    script.write_text(json.dumps({"rules": [burst, {"text": "a_name", "delay_ms": 10}]}))
    settings = {"model": f"scripted:{script}", "completion": {"promptTokens": 0}}
    result = measure(typed, settings, QUICK)

    assert all(row["n"] > 0 for row in result["rows"] if "cancel" not in row["what"])
    assert all(row["n"] > 0 for row in result["by_kind"])
    done = {"edits": 50, "answered": 50, "settled": 1, "decoded": 1, "cached": 0, "wasted": 0}
    assert result["bursts"] == done
    by_name = {row["what"].strip(): row for row in result["rows"]}
    assert by_name["completion after a keystroke"]["n"] == 6  # none is typed along
    assert 0 < by_name["waited on purpose"]["p50"] <= 150 + 75
    if sys.platform == "linux":
        assert result["memory_mb"]["sum"]["pss"] > result["memory_mb"]["itself"]["pss"] > 10
    text = "\n".join(described(result))
    assert "50 answers; 1 requests were not superseded, of which 1 were decoded" in text


def test_the_command_measures_the_server_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def quick(*_arguments: object, **_more: object) -> dict[str, str]:
        return {"rows": "measured"}

    monkeypatch.setattr(bench_completion, "through_protocol", quick)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.py").write_text(FILE)
    code = bench.main(["completion", str(tmp_path / "source"), "--protocol", "--json"])

    assert code == 0
    assert json.loads(capsys.readouterr().out)["served"] == {"rows": "measured"}


def test_a_server_without_a_model_is_said(typed: list[Session]) -> None:
    with pytest.raises(ValueError, match=r"no model.*cannot be followed"):
        measure(typed, {"model": "scripted:nowhere.json"}, QUICK)


def test_a_server_that_ends_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "trainer.evaluation.conversation.SERVER", (sys.executable, "-c", "raise SystemExit(3)")
    )
    conversation = Conversation({})
    with pytest.raises(ServerLost, match="ended"):
        conversation.initialize()
    conversation.close()
