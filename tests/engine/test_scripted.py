"""A script stands in for a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import engine
from engine import Ban, CancelToken, CompletionOptions, Gap, ModelUnavailable
from engine.scripted import Rule, ScriptedCompleter, ScriptedError

GAP = Gap("first\nna", "me\nlast", "a.py", "python")


def script(folder: Path, **content: Any) -> str:
    path = folder / "script.json"
    path.write_text(json.dumps(content))
    return f"scripted:{path}"


def answer(name: str, gap: Gap = GAP, **options: Any) -> engine.Completion:
    return engine.load(name).complete(gap, CompletionOptions(**options), CancelToken())


def test_echo_shows_the_line_around_the_gap() -> None:
    assert answer("scripted:echo").text == "[na|me]"


def test_a_template_is_a_script_too() -> None:
    completion = answer("scripted:<{path} {language} {unknown} {prefix}>")

    assert completion.text == "<a.py python {unknown} first\nna>"


def test_the_first_rule_that_fits_answers(tmp_path: Path) -> None:
    name = script(
        tmp_path,
        rules=[
            {"prefix": "x$", "text": "no"},
            {"prefix": "na$", "suffix": "^me", "text": "yes", "stop_reason": "line"},
            {"text": "late"},
        ],
    )

    assert (answer(name).text, answer(name).stop_reason) == ("yes", "line")
    assert answer(name, Gap("", "")).text == "late"


def test_without_a_rule_there_is_no_text(tmp_path: Path) -> None:
    assert answer(script(tmp_path, rules=[])).text == ""


def test_a_banned_text_is_not_said() -> None:
    assert answer("scripted:x", banned=(Ban("x"),)).text == ""


def test_another_answers_where_the_text_goes_a_banned_way(tmp_path: Path) -> None:
    name = script(tmp_path, rules=[{"text": "a = [b]", "others": ["a = b.c", "a = ()"]}])

    assert answer(name, banned=(Ban("[b]", "a = "), Ban("b", "a = "))).text == "a = ()"
    assert answer(name, banned=(Ban("[b]"), Ban("= [", "b"))).text == "a = [b]"


def test_cancelling_is_seen_between_two_steps() -> None:
    cancel = CancelToken()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            cancel.cancel()

    completer = ScriptedCompleter([Rule("x", delay_ms=100, steps=10)], sleep)
    completion = completer.complete(GAP, CompletionOptions(), cancel)

    assert completion.stop_reason == "cancelled"
    assert slept == [0.01] * 3


def test_an_error_is_raised(tmp_path: Path) -> None:
    with pytest.raises(ScriptedError, match="on purpose"):
        answer(script(tmp_path, rules=[{"error": "on purpose"}]))


@pytest.mark.parametrize(
    "content",
    [
        {"rules": [{"tekst": "x"}]},
        {"rules": [{"prefix": "("}]},
        {"rules": ["x"]},
        {"load_error": "no such model today"},
    ],
)
def test_a_script_that_cannot_be_followed_is_no_model(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    with pytest.raises(ModelUnavailable):
        answer(script(tmp_path, **content))


def test_a_script_that_is_not_there_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="cannot be followed"):
        answer(f"scripted:{tmp_path}/none.json")


def test_others_are_given_where_they_are_wanted(tmp_path: Path) -> None:
    name = script(tmp_path, rules=[{"text": "one", "others": ["{after}", "three"]}])

    def others(n_candidates: int) -> list[str]:
        return [each.text for each in answer(name, n_candidates=n_candidates).alternatives]

    assert [others(wanted) for wanted in (1, 2, 3)] == [[], ["me"], ["me", "three"]]
