"""Users' GGUF files: scores of transformers, texts that do not depend on what was cached, refusals."""

from __future__ import annotations

import importlib.util
import itertools
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import engine
from engine import (
    CancelToken,
    CompletionOptions,
    Gap,
    ModelUnavailable,
    llama_model,
)
from engine.backends import Wish, candidates, chosen
from engine.checkpoint import read_checkpoint
from engine.cuts import COARSE
from engine.decoding import Decoder, Request, decode
from engine.gguf_tokenizer import GgufTokenizer
from engine.llama_model import LlamaModel
from engine.local import LocalCompleter
from engine.prefix_cache import PrefixCache
from engine.retokenizing import Retokenizer
from engine.timing import time_backends
from engine.tokenizer import TextStream, load_tokenizer
from lsp_server.commands import complete, doctor
from tests.engine.test_families import DOCUMENTED
from tests.support.families import SPECIALS, family_net
from tests.support.gguf import PLAIN, converted, family_file, vocabulary_of, write_net
from tests.support.published import UGLY, write_bigcode
from tests.support.tiny import write_tiny
from trainer.release.precision import load_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

if importlib.util.find_spec("xllamacpp") is None:
    pytest.skip("xllamacpp (llama.cpp as a wheel) is not installed", allow_module_level=True)

TOKENS = [16 + each * 7 % 250 for each in range(300)]
GAP = Gap("def f(a):\n    return a\n\n\ndef g(b):\n    ", "\n\n\nx = 1\n", "a/b.py", "python")


@pytest.fixture(scope="module", params=(*PLAIN, "k-quants"))
def completer(request: Any, gguf_files: dict[str, Path]) -> LocalCompleter:
    made = engine.load(gguf_files[request.param], threads=1)
    assert isinstance(made, LocalCompleter)
    return made


def fresh(completer: LocalCompleter) -> Decoder:
    own = completer._decoder
    memory = own.model.new_cache(1024)
    return Decoder(own.model, own.tokenizer, own.spellings, memory, PrefixCache(own.model.cuts))


def ran(decoder: Decoder, prompt: list[int], count: int = 24, **wishes: Any) -> Any:
    request = Request(prompt, max_new_tokens=count, stop=lambda _text: None, **wishes)
    return decode(decoder, request, CancelToken())


def nets(name: str, tmp_path: Path) -> tuple[Path, Any]:
    """A file of a family, and the same model in transformers."""
    path = tmp_path / f"{name}.gguf"
    if name in ("llama", "gpt_bigcode"):
        folder = (write_tiny if name == "llama" else write_bigcode)(tmp_path / name)
        return converted(folder, path), load_model(folder)
    changes: dict[str, Any] = {
        "starcoder2": {"sliding_window": None},
        "gemma": {"hidden_act": "gelu_pytorch_tanh"},
    }.get(name, {})
    net = family_net(name, **changes)
    return write_net(path, name, net, vocabulary_of()), net


@pytest.mark.parametrize("quickest", [1, 3])
@pytest.mark.parametrize("kind", PLAIN)
def test_few_rows_take_the_threads_that_are_quickest_and_score_the_same(
    gguf_files: dict[str, Path], kind: str, quickest: int
) -> None:
    def ticks() -> Iterator[float]:
        now = 0.0
        for threads in itertools.cycle((1, 3)):
            yield now
            now += 1.0 if threads == quickest else 2.0
            yield now

    many = LlamaModel([gguf_files[kind]], threads=3, clock=ticks().__next__)
    one = LlamaModel([gguf_files[kind]], threads=1)
    assert many._threads_for_few == quickest

    found = []
    for model in (many, one):
        cache = model.new_cache(64)
        parts = [(TOKENS[:40], 0, 1), (TOKENS[40:42], 40, 2), (TOKENS[42:43], 42, 1)]
        found.append([model.scores(part, place, cache, rows) for part, place, rows in parts])
    for some, same in zip(*found, strict=True):
        assert np.array_equal(some, same)


@pytest.mark.parametrize("name", ["llama", "gpt_bigcode", "qwen2", "starcoder2", "gemma"])
def test_scores_and_greedy_text_are_those_of_transformers(name: str, tmp_path: Path) -> None:
    path, net = nets(name, tmp_path)
    model = LlamaModel([path])
    cache = model.new_cache(128)
    prompt = TOKENS[:40]

    found = [model.scores(prompt, 0, cache)[0]]
    for place in range(40, 60):
        prompt = [*prompt, int(found[-1].argmax())]
        found.append(model.scores(prompt[place:], place, cache)[0])
    with torch.inference_mode():
        expected = net(torch.tensor([prompt])).logits[0, 39:].float().numpy()

    # Keys and values are kept in float16, and wide random weights blow every rounding up.
    difference = np.abs(np.stack(found) - expected) / expected.std()
    assert difference.max() < 2e-2
    assert difference.mean() < 2e-3
    assert prompt[40:] == expected.argmax(1)[:-1].tolist()


def test_the_embedded_models_kind_of_file_is_asked_as_its_folder_is(
    gguf_files: dict[str, Path],
) -> None:
    folder = engine.load(gguf_files["folder"], backend="torch", dtype="float32", threads=1)
    made = engine.load(gguf_files["f32"], threads=1)
    assert isinstance(folder, LocalCompleter)
    assert isinstance(made, LocalCompleter)
    options = CompletionOptions(multiline=True)

    ours, theirs = (each.request(GAP, options) for each in (made, folder))
    about = made.describe()

    assert ours.prompt == theirs.prompt
    assert ours.owed == theirs.owed
    assert made.raw(replace(ours, stop=lambda _: None)).text
    assert (about.backend, about.dtype, about.name) == ("llama_cpp", "f32", "tiny")
    assert (about.corpus_hash, about.recipe_hash) == ("c0", "r0")
    assert (
        made.complete(GAP, options, CancelToken()).text
        == folder.complete(GAP, options, CancelToken()).text
    )


@pytest.mark.parametrize("kept", [1, 2, 63, 130, 255, 299])
def test_what_was_cached_changes_not_the_last_bit(completer: LocalCompleter, kept: int) -> None:
    decoder = fresh(completer)
    ran(decoder, [*TOKENS[:kept], *reversed(TOKENS)])

    found, expected = ran(decoder, TOKENS), ran(fresh(completer), TOKENS)

    assert found.cached_tokens >= kept - 16
    assert found.tokens == expected.tokens
    assert found.log_probabilities == expected.log_probabilities
    assert found.entropies == expected.entropies


def test_typing_computes_what_was_typed(completer: LocalCompleter) -> None:
    decoder = fresh(completer)
    said = ran(decoder, TOKENS[:200])

    found = ran(decoder, TOKENS[:205])
    accepted = ran(decoder, [*TOKENS[:205], *found.tokens])

    assert found.cached_tokens >= 192 - 8
    assert accepted.tokens == ran(fresh(completer), [*TOKENS[:205], *found.tokens]).tokens
    assert found.steps >= len(found.tokens) - 1  # no guesses run along
    assert said.tokens


@pytest.mark.parametrize("parts", [(8, 292), (128, 132, 40), (20, 32, 64, 184), (12, 256, 32)])
def test_rows_are_the_same_in_any_company(
    completer: LocalCompleter, parts: tuple[int, ...]
) -> None:
    model = completer._decoder.model
    if model.cuts == COARSE:
        pytest.skip("on this processor a row's scores depend on its company")
    cache, place = model.new_cache(512), 0
    for part in parts:
        found = model.scores(TOKENS[place : place + part], place, cache)
        place += part

    assert np.array_equal(found, model.scores(TOKENS, 0, model.new_cache(512)))


def test_many_rows_of_scores_are_each_its_own(completer: LocalCompleter) -> None:
    model = completer._decoder.model
    rows = model.scores(TOKENS[:100], 0, model.new_cache(512), 100)
    cache = model.new_cache(512)

    single = [model.scores(TOKENS[: n + 1], 0, cache)[0] for n in (0, 1, 50, 99)]

    assert np.abs(rows[[0, 1, 50, 99]] - np.stack(single)).max() < 0.05 * rows.std()


def test_where_no_way_to_cut_is_exact_blocks_are(
    gguf_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama_model, "_WAYS", ())
    made = engine.load(gguf_files["q8_0"], threads=1)
    assert isinstance(made, LocalCompleter)
    decoder = fresh(made)
    ran(decoder, [*TOKENS[:130], 7, 7, 7])

    found, expected = ran(decoder, TOKENS), ran(fresh(made), TOKENS)

    assert made._decoder.model.cuts == COARSE
    assert found.cached_tokens == 128
    assert found.log_probabilities == expected.log_probabilities


def test_the_same_gap_gives_the_same_text_with_others_and_without(
    completer: LocalCompleter,
) -> None:
    options = CompletionOptions(multiline=True)
    several = replace(options, n_candidates=3)

    first = completer.complete(GAP, options, CancelToken())
    asked = completer.complete(GAP, several, CancelToken())
    completer.complete(Gap("something else entirely " * 40, ""), options, CancelToken())
    again = completer.complete(GAP, options, CancelToken())

    assert first.new_tokens > 0
    assert first.text == asked.text == again.text
    assert first.confidence == asked.confidence == again.confidence
    assert len({each.text for each in asked.alternatives} - {first.text}) == len(asked.alternatives)


def test_cancelling_ends_between_two_runs_and_leaves_the_memory_right(
    completer: LocalCompleter,
) -> None:
    cancel, own = CancelToken(), fresh(completer)

    class Watched:
        is_exact, cuts = False, own.model.cuts
        certainty = own.model.certainty

        def scores(self, *arguments: Any) -> Any:
            cancel.cancel()
            return own.model.scores(*arguments)

    watched = replace(own, model=Watched())  # type: ignore[arg-type]
    request = Request(TOKENS, max_new_tokens=5, stop=lambda _text: None)
    stopped = decode(watched, request, cancel)

    assert (stopped.stop_reason, stopped.tokens) == ("cancelled", [])
    assert ran(own, TOKENS).log_probabilities == ran(fresh(completer), TOKENS).log_probabilities


def test_what_does_not_fit_is_said(completer: LocalCompleter) -> None:
    model = completer._decoder.model

    with pytest.raises(ValueError, match="do not fit"):
        model.scores(TOKENS, 0, model.new_cache(100))
    with pytest.raises(ValueError, match=r"llama\.cpp gave up"):
        model.scores([100_000, 1], 0, model.new_cache(100))


def test_the_files_tokens_are_those_of_the_folder(gguf_files: dict[str, Path]) -> None:
    ours, theirs = (
        GgufTokenizer(gguf_files["f32"]),
        load_tokenizer(gguf_files["folder"] / "tokenizer.json"),
    )
    chance = random.Random(0)
    letters = [chr(code) for code in range(1, 0x250)] + list("".join(UGLY)) * 4
    texts = [*UGLY, "\ud800 a", "\ud83d\ude00", ""]
    texts += ["".join(chance.choices(letters, k=chance.randint(1, 40))) for _ in range(200)]

    for text in texts:
        assert ours.encode_with_starts(text) == theirs.encode_with_starts(text)
        assert ours.decode(ours.encode(text)) == theirs.decode(theirs.encode(text))
    assert ours.pieces() == theirs.pieces()
    assert ours.special_ids == theirs.special_ids
    assert ours.special_texts == theirs.special_texts
    assert (ours.opening, ours.size) == (theirs.opening, theirs.size)


def test_only_what_changed_is_tokenised_again(gguf_files: dict[str, Path]) -> None:
    tokenizer = GgufTokenizer(gguf_files["f32"])
    assert tokenizer.is_local
    counted: list[int] = []

    class Counting(GgufTokenizer):
        def __init__(self) -> None:
            self.__dict__.update(tokenizer.__dict__, _model=None)

        def _cut(self, text: str) -> list[int]:
            counted.append(len(text))
            return super()._cut(text)

    again, chance = Retokenizer(Counting()), random.Random(1)
    text = "def total(values):\n    return sum(values)\n\n\nclass A:\n    x = 'é'\n" * 20
    for _ in range(150):
        place = chance.choice([len(text), chance.randrange(len(text))])
        typed = chance.choice(["a", "\n", "  ", "foo(", "\n\n    x", "é", "(self)\n"])
        text = text[:place] + typed + text[place + chance.choice([0, 0, 1, 5]) :]
        assert again.encode_with_starts(text) == tokenizer.encode_with_starts(text)
    counted.clear()
    again.encode_with_starts(text + "b")

    assert sum(counted) < 200


def completer_of(path: Path) -> LocalCompleter:
    made = engine.load(path, threads=1)
    assert isinstance(made, LocalCompleter)
    return made


@pytest.mark.parametrize("name", SPECIALS)
def test_each_family_is_asked_in_its_documented_layout(name: str, tmp_path: Path) -> None:
    before, between, behind, end = DOCUMENTED[name]
    begins = " " in before
    made = completer_of(family_file(tmp_path / "f.gguf", name, add_bos_token=begins))
    tokenizer, gap = made.tokenizer, Gap("def f(a):\n    return a\n", " = a\n", path="f.py")

    prompt = made.request(gap, CompletionOptions()).prompt

    parts = [
        [tokenizer.id_of(each) for each in part.split(" ")] for part in (before, between, behind)
    ]
    assert prompt == [
        *parts[0],
        *tokenizer.encode(gap.prefix),
        *parts[1],
        *tokenizer.encode(gap.suffix),
        *parts[2],
    ]
    assert tokenizer.id_of(end) in tokenizer.special_ids
    assert tokenizer.decode([*tokenizer.encode("a"), tokenizer.id_of(end) or 0]) == "a"
    for token in SPECIALS[name]:
        ids = tokenizer.encode(f"a {token} a{token}")
        assert not set(ids) & tokenizer.special_ids
        stream = TextStream(tokenizer)
        for each in tokenizer.encode(" a = in a"):
            stream.push(each)
        assert stream.text == " a = in a"


@pytest.mark.parametrize("keys", ["fim_{}_token_id", "{}_token_id"])
def test_sentinels_that_the_file_names_are_taken_whatever_their_spelling(
    keys: str, tmp_path: Path
) -> None:
    words = vocabulary_of()
    names = ("pre", "suf", "mid") if keys.startswith("fim") else ("prefix", "suffix", "middle")
    odd = dict(zip(names, ("<A>", "<B>", "<C>"), strict=True))
    for place, spelling in enumerate(odd.values(), 1):
        words["tokens"][place] = spelling
    words["keys"] = {
        "eos_token_id": 0,
        "bos_token_id": 0,
        "add_bos_token": False,
        **{keys.format(name): words["tokens"].index(each) for name, each in odd.items()},
    }
    path = write_net(tmp_path / "odd.gguf", "qwen2", family_net("qwen2"), words)
    made = completer_of(path)

    prompt = made.request(Gap("a = ", "\n"), CompletionOptions()).prompt

    assert (prompt[0], prompt[-1]) == (1, 3)
    assert 2 in prompt


def test_a_file_without_sentinels_is_refused(tmp_path: Path) -> None:
    words = vocabulary_of()
    words["tokens"] = [each.replace("fim_", "not_") for each in words["tokens"]]
    path = write_net(tmp_path / "chat.gguf", "qwen2", family_net("qwen2"), words)

    with pytest.raises(ModelUnavailable, match="no fill-in-the-middle tokens: choose one"):
        engine.load(path)


def test_files_and_folders_have_backends_of_their_own(gguf_files: dict[str, Path]) -> None:
    shape = read_checkpoint(gguf_files["f32"]).shape

    assert chosen(Wish(), shape) == chosen(Wish("llama_cpp"), shape) == "llama_cpp"
    with pytest.raises(ModelUnavailable, match="torch runs checkpoint folders, not GGUF"):
        engine.load(gguf_files["f32"], backend="torch")
    with pytest.raises(ModelUnavailable, match="as it is stored"):
        engine.load(gguf_files["f32"], dtype="float32")
    with pytest.raises(ModelUnavailable, match="llama_cpp runs GGUF files"):
        engine.load(gguf_files["folder"], backend="llama_cpp")


def test_it_is_served_by_a_process_of_its_own(gguf_files: dict[str, Path]) -> None:
    worker = engine.load_in_worker(gguf_files["q8_0"], threads=1)
    try:
        assert worker.describe().backend == "llama_cpp"
        served = worker.complete(GAP, CompletionOptions(), CancelToken())
    finally:
        worker.close()

    made = completer_of(gguf_files["q8_0"])
    assert served.text == made.complete(GAP, CompletionOptions(), CancelToken()).text
    assert served.new_tokens > 0


def test_the_commands_take_a_file_and_print_nothing_of_llama_cpps(
    gguf_files: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "a.py"
    source.write_text("def add(a, b):\n    return \n")
    arguments = [str(source), "--line", "2", "--column", "12", "--model", str(gguf_files["q8_0"])]

    code = complete.main([*arguments, "--json"])
    printed = capfd.readouterr()
    doctor.main(["--json", "--model", str(gguf_files["q8_0"])])
    examined = capfd.readouterr()

    assert code == 0
    assert json.loads(printed.out)["model"]
    assert "llama" not in printed.err
    (model,) = [each for each in json.loads(examined.out)["checks"] if each["name"] == "model"]
    assert model["state"] == "ok"
    assert "q8_0 by llama_cpp" in model["found"]
    assert "llama" not in examined.err


def test_it_is_timed_like_the_others(gguf_files: dict[str, Path]) -> None:
    checkpoint = read_checkpoint(gguf_files["q8_0"])
    (timing,) = time_backends(checkpoint, candidates(Wish(threads=1), checkpoint.shape))

    assert (timing.backend, timing.problem) == ("llama_cpp", "")
    assert timing.step_ms > 0
