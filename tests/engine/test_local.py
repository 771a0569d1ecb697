"""The completer with a model: gates, limits, line ends, bans; the model itself only babbles."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

import engine
from engine import CancelToken, Completion, CompletionOptions, Gap, ModelUnavailable

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
    other = ask(tiny, banned=(first.text,))

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

    assert 0 < again.cached_tokens < again.prompt_tokens <= tiny.describe().context
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
