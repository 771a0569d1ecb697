"""The completer with a model: gates, limits, line ends, bans; the model itself only babbles."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import engine
from engine import Ban, CancelToken, Completion, CompletionOptions, Gap, ModelUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from engine.local import LocalCompleter

GAP = Gap("def f(a):\n    return a\n\n\ndef g(b):\n    ", "\n\n\nx = 1\n", "a/b.py", "python")


def ask(completer: LocalCompleter, gap: Gap = GAP, **options: object) -> Completion:
    return completer.complete(gap, CompletionOptions(**options), CancelToken())  # type: ignore[arg-type]


def test_it_says_what_it_is(tiny: LocalCompleter, tiny_folder: Path) -> None:
    info = tiny.describe()

    assert (info.name, info.device, info.dtype) == ("tiny", "cpu", "float32")
    assert (info.corpus_hash, info.recipe_hash) == ("c0", "r0")
    assert info.parameters > 20_000
    assert info.folder == str(tiny_folder)


def test_the_same_gap_gives_the_same_text(tiny: LocalCompleter) -> None:
    first = ask(tiny)
    ask(tiny, Gap("something else entirely", ""))
    again = ask(tiny)

    assert first.new_tokens > 0
    assert (again.text, again.stop_reason) == (first.text, first.stop_reason)


def test_a_closed_gate_costs_no_token(tiny: LocalCompleter) -> None:
    completion = ask(tiny, Gap("na", "me"))

    assert completion == Completion("", "gated:mid-word")


def test_the_limit_of_tokens_is_kept(tiny: LocalCompleter) -> None:
    completion = ask(tiny, max_new_tokens=3, multiline=True)

    assert completion.new_tokens <= 3


def test_a_line_is_one_line(tiny: LocalCompleter) -> None:
    assert "\n" not in ask(tiny, multiline=False).text


def test_time_that_is_over_gives_an_answer_not_an_error(tiny: LocalCompleter) -> None:
    completion = ask(tiny, time_limit_ms=0.0)

    assert completion.text == ""
    assert completion.new_tokens == 0


def test_a_cancelled_request_says_so(tiny: LocalCompleter) -> None:
    cancel = CancelToken()
    cancel.cancel()

    assert tiny.complete(GAP, CompletionOptions(), cancel).stop_reason == "cancelled"


def test_what_is_banned_is_not_said(tiny: LocalCompleter) -> None:
    first = ask(tiny)
    assert first.text
    other = ask(tiny, banned=(Ban(first.text),))

    assert other.text != first.text
    assert not other.text.startswith(first.text[:1])


def test_a_document_with_carriage_returns_gets_the_same_text_with_them(
    tiny: LocalCompleter,
) -> None:
    def windows(text: str) -> str:
        return text.replace("\n", "\r\n")

    plain = ask(tiny)
    other = ask(tiny, Gap(windows(GAP.prefix), windows(GAP.suffix), GAP.path, GAP.language))

    assert other.text == windows(plain.text)


def test_numbers_of_tokens_and_times_are_told(tiny: LocalCompleter) -> None:
    long = Gap(GAP.prefix * 20, GAP.suffix, language="python")
    ask(tiny, long)
    again = ask(tiny, long)

    assert 0 < again.cached_tokens <= again.prompt_tokens <= tiny.describe().context
    assert set(again.timings_ms) == {"tokenize", "prefill", "decode", "total"}
    assert all(ms >= 0 for ms in again.timings_ms.values())


def test_calls_from_several_threads_take_turns(tiny: LocalCompleter) -> None:
    gaps = [Gap(GAP.prefix + "x" * n, GAP.suffix) for n in range(6)]
    expected = [ask(tiny, gap).text for gap in gaps]
    found: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: ask(tiny, gaps[n]).text}))
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [found[n] for n in range(6)] == expected


def test_the_front_door_loads_a_folder(tiny_folder: Path, tiny: LocalCompleter) -> None:
    completer = engine.load(tiny_folder, dtype="float32", threads=1)

    assert completer.complete(GAP, CompletionOptions(), CancelToken()).text == ask(tiny).text
    completer.close()


def test_a_precision_that_does_not_exist_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(ModelUnavailable, match="use float32, bfloat16 or auto"):
        engine.load(tiny_folder, dtype="int3")


def served(folder: Path, tmp_path: Path, **serving: object) -> LocalCompleter:
    """The model with another way to be served in its record."""
    copy = tmp_path / "copy"
    tmp_path.mkdir(exist_ok=True)
    shutil.copytree(folder, copy)
    record = json.loads((copy / "footnote.json").read_text())
    (copy / "footnote.json").write_text(json.dumps({**record, "serving": serving}))
    return engine.load(copy)  # type: ignore[return-value]


def test_it_tells_how_sure_it_is(tiny: LocalCompleter) -> None:
    found = ask(tiny, multiline=True)

    assert found.text
    assert found.confidence is not None
    assert 0.0 < found.confidence < 1.0
    assert found.entropy is not None
    assert found.entropy > 0.0


def test_an_unsure_suggestion_is_shown_only_to_who_asked(tiny: LocalCompleter) -> None:
    sure = ask(tiny, automatic=True).confidence or 0.0

    hidden = ask(tiny, automatic=True, min_confidence=sure + 0.001)
    assert (hidden.text, hidden.stop_reason) == ("", "dropped:unsure")
    assert ask(tiny, automatic=True, min_confidence=sure - 0.001).text
    assert ask(tiny, automatic=False, min_confidence=1.0).text


def test_the_model_is_served_as_its_record_says(tiny_folder: Path, tmp_path: Path) -> None:
    long = replace(GAP, prefix="x = 1\n" * 400 + GAP.prefix)
    short = served(tiny_folder, tmp_path / "short", multiline=False, prompt_tokens=200, later=True)
    picky = served(tiny_folder, tmp_path / "picky", min_confidence=1.0)

    assert ask(short, long).prompt_tokens <= 200 == short.describe().context
    block = Gap("def f(a):\n    return a\n\n\ndef g(b):\n", "\n\nx = 1\n", "a/b.py", "python")
    line, lines = (
        short.request(block, CompletionOptions(automatic=automatic)).max_new_tokens
        for automatic in (True, False)
    )
    assert line < lines
    assert ask(picky, automatic=True).stop_reason == "dropped:unsure"


@pytest.mark.parametrize(
    ("serving", "named"),
    [
        ({"min_confidence": 2}, "0 to 1"),
        ({"min_confidence": True}, "min_confidence"),
        ({"multiline": 1}, "multiline"),
        ({"prompt_tokens": 5}, "128"),
    ],
)
def test_a_record_that_cannot_be_served_is_refused(
    tiny_folder: Path, tmp_path: Path, serving: dict[str, object], named: str
) -> None:
    with pytest.raises(ModelUnavailable, match=named):
        served(tiny_folder, tmp_path, **serving)
