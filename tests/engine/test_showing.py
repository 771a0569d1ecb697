"""Excerpts of other files in a prompt: as many as fit, before the gap's own file, kept while one types."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import engine
from engine import CancelToken, CompletionOptions, Excerpt, Gap
from engine.showing import Showing

if TYPE_CHECKING:
    from pathlib import Path

    from engine.local import LocalCompleter

FIRST = Excerpt("a/first.py", "first = 1\nother = 2\n")
SECOND = Excerpt("a/second.py", "second = 1\nthird = 2\n")
GAP = Gap("def f(a):\n    ", "\n\nx = 1\n", "a/b.py", "python", context=(FIRST, SECOND))
ASKED = CompletionOptions()


def prompt_of(completer: LocalCompleter, gap: Gap, options: CompletionOptions = ASKED) -> str:
    tokens = completer.request(gap, options).prompt
    names = {completer.tokenizer.id_of(name): name for name in ("<|file_sep|>", "<fim_prefix>")}
    return "".join(names.get(each) or completer.tokenizer.decode([each]) for each in tokens)


def test_the_most_telling_file_stands_nearest_to_the_gaps_own(tiny: LocalCompleter) -> None:
    prompt = prompt_of(tiny, GAP)

    assert prompt.startswith(
        f"<|file_sep|>a/second.py\n{SECOND.text}<|file_sep|>a/first.py\n{FIRST.text}"
        "<|file_sep|>a/b.py\n<fim_prefix>"
    )


def test_without_excerpts_the_prompt_is_what_it_was(tiny: LocalCompleter) -> None:
    assert "<|file_sep|>" not in prompt_of(tiny, replace(GAP, context=()))


def test_who_wants_none_of_it_is_shown_none(tiny: LocalCompleter) -> None:
    none = CompletionOptions(context_tokens=0)

    assert prompt_of(tiny, GAP, none) == prompt_of(tiny, replace(GAP, context=()))


def test_what_does_not_fit_is_cut_at_a_line_and_the_least_telling_left_out(
    tiny: LocalCompleter,
) -> None:
    tokenizer = tiny.tokenizer
    long = Excerpt("a/long.py", "value = 1\n" * 20)
    ((path, text),) = Showing(tokenizer).files((long,), 10_000)
    ((_, whole),) = Showing(tokenizer).files((long, SECOND), len(path) + len(text) + 4)
    ((_, cut),) = Showing(tokenizer).files((long,), len(path) + len(text) - 1)

    assert tokenizer.decode(whole) == long.text
    assert long.text.startswith(tokenizer.decode(cut))
    assert tokenizer.decode(cut).endswith("\n")
    assert len(cut) < len(text)


@pytest.mark.parametrize("room", range(0, 120, 7))
def test_no_more_tokens_are_shown_than_are_allowed(tiny: LocalCompleter, room: int) -> None:
    files = Showing(tiny.tokenizer).files(
        (*GAP.context, Excerpt("\udc00", "\udc00 é\r\n" * 40)), room
    )

    assert sum(len(path) + len(text) + 2 for path, text in files) <= room


def test_a_model_of_single_files_sees_them_at_the_top_of_this_one(
    tiny_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "single"
    shutil.copytree(tiny_folder, folder)
    record = json.loads((folder / "footnote.json").read_text())
    record["fim"] |= {"file_sep": "", "repo_name": ""}
    (folder / "footnote.json").write_text(json.dumps(record))
    completer: LocalCompleter = engine.load(folder, threads=1)  # type: ignore[assignment]

    assert f"{SECOND.text}{FIRST.text}{GAP.prefix[:4]}" in prompt_of(completer, GAP)


def test_a_keystroke_computes_nothing_of_the_excerpts_again(tiny: LocalCompleter) -> None:
    long = replace(GAP, prefix="x = 1\n" * 40 + GAP.prefix)
    tiny.complete(long, ASKED, CancelToken())
    typed = tiny.complete(replace(long, prefix=long.prefix + "r"), ASKED, CancelToken())

    assert typed.cached_tokens > typed.prompt_tokens - 64 - 8


def test_the_true_answer_can_be_scored(tiny: LocalCompleter) -> None:
    request = tiny.request(GAP, ASKED)
    answer = tiny.tokenizer.encode("return a")
    scores = tiny.log_probabilities(request.prompt, answer)

    assert len(scores) == len(answer)
    assert all(each < 0 for each in scores)
    assert tiny.log_probabilities(request.prompt, answer[:1]) == pytest.approx(scores[:1], abs=1e-4)
