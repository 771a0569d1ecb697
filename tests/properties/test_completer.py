"""Any text in, a completion or nothing out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.api import Ban, CancelToken, CompletionOptions, Gap
from engine.loading import load
from engine.scripted import load_script
from engine.window import window_of
from tests.support.tiny import write_tiny

if TYPE_CHECKING:
    from engine.local import LocalCompleter

# Every code point, halves of surrogate pairs included, and plenty of what code is made of.
CHARACTERS = st.characters() | st.characters(categories=["Cs"])
TEXT = st.text(CHARACTERS, max_size=60) | st.text("ab_1 \n\r\t()[]{}\"'`#/:,.=\\", max_size=120)
LARGE = st.builds(lambda text, times: text * times, TEXT, st.integers(0, 400))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> LocalCompleter:
    folder = write_tiny(tmp_path_factory.mktemp("models") / "tiny")
    return load(folder, dtype="float32", threads=1)  # type: ignore[return-value]


@settings(max_examples=60, deadline=None)
@given(prefix=LARGE, suffix=LARGE, path=TEXT, language=st.sampled_from(["python", "", "c", "x?"]))
@example(prefix="", suffix="", path="", language="")
@example(prefix="x" * 300_000, suffix="y" * 300_000, path="p" * 5000, language="python")
@example(prefix="\ud83d", suffix="\ude0b", path="\ud800", language="python")
@example(prefix="a\r", suffix="\nb", path="", language="python")
def test_any_text_is_answered(
    tiny: LocalCompleter, prefix: str, suffix: str, path: str, language: str
) -> None:
    gap = Gap(prefix, suffix, path, language)
    for options in (
        CompletionOptions(max_new_tokens=5, automatic=True),
        CompletionOptions(
            max_new_tokens=5, multiline=True, banned=(Ban("x"), Ban("y", suffix[:20]))
        ),
    ):
        completion = tiny.complete(gap, options, CancelToken())

        completion.text.encode()  # no halves of characters come out
        assert 0 <= completion.replace_after <= len(suffix.split("\n")[0])
        assert completion.new_tokens <= 5 + 24  # and what was taken back, said again
        assert completion.text or completion.stop_reason != ""


@settings(max_examples=60, deadline=None)
@given(prefix=LARGE, suffix=LARGE, path=TEXT, room=st.integers(1, 300))
def test_a_window_never_exceeds_its_room_and_holds_what_is_next_to_the_gap(
    tiny: LocalCompleter, prefix: str, suffix: str, path: str, room: int
) -> None:
    tokenizer = tiny._tokenizer
    window = window_of(Gap(prefix, suffix, path), tokenizer, room)
    shown_before, shown_after = tokenizer.decode(window.prefix), tokenizer.decode(window.suffix)

    assert len(window.prefix) + len(window.suffix) <= room
    assert len(window.path) <= 48
    if max(prefix + suffix, default="") <= "\ud7ff" and "\r" not in prefix + suffix:
        assert prefix.endswith(shown_before)
        assert suffix.startswith(shown_after)
        assert bool(shown_before) or not prefix or room < 32
    # A step of tokens at most is left unused, unless there is no more text.
    full = prefix == shown_before and suffix == shown_after
    assert full or len(window.prefix) + len(window.suffix) >= room // 2 or room < 32


@given(template=TEXT, prefix=TEXT, suffix=TEXT)
def test_a_template_answers_any_text(template: str, prefix: str, suffix: str) -> None:
    if not template.endswith(".json"):
        completer = load_script(template)
        completer.complete(Gap(prefix, suffix), CompletionOptions(), CancelToken())
