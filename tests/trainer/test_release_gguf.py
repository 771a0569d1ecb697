"""llama.cpp reads what we write: the same tokens, the same log-probabilities, the same text."""

from __future__ import annotations

import importlib.util
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from engine.fim import FimLayout, render, sentinel_ids
from engine.loading import DEFAULT_MODEL
from tests.support.llama_cpp import LlamaCpp
from tests.support.published import UGLY, edit_json, write_bigcode
from tests.support.tiny import write_tiny
from trainer import checkpoints
from trainer.config import load_recipe
from trainer.model import build
from trainer.release import gguf_file
from trainer.release.precision import load_model
from trainer.release.source import ReleaseError, Source, read_source

needs_llama_cpp = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None,
    reason="xllamacpp (llama.cpp as a wheel) is not installed: Linux only",
)
LENGTH = 64
# Of log-probabilities with float32 weights. Measured: 1.2e-4 for Llamas, 3.2e-3 for GPTBigCode,
# whose GELU llama.cpp reads from a table in float16.
TOLERANCE = {"LlamaForCausalLM": 5e-4, "GPTBigCodeForCausalLM": 1e-2}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Source:
    return read_source(write_tiny(tmp_path_factory.mktemp("tiny") / "tiny"))


@pytest.fixture(scope="module")
def bigcode(tmp_path_factory) -> Source:
    return read_source(write_bigcode(tmp_path_factory.mktemp("bigcode") / "bigcode"))


@pytest.fixture(scope="module")
def trained(finished) -> Source:
    return read_source(finished / "export")


@pytest.fixture(scope="module")
def embedded() -> Source:
    return read_source(DEFAULT_MODEL)


@pytest.fixture
def llama_of(tmp_path):
    """Loads a model into llama.cpp in the type given; all are taken down at the end."""
    running: list[LlamaCpp] = []

    def loaded(source: Source, kind: str = "f32") -> LlamaCpp:
        running.append(LlamaCpp(written(source, tmp_path, kind)))
        return running[-1]

    yield loaded
    for each in running:
        each.close()


def written(source: Source, folder: Path, kind: str = "f32") -> Path:
    path = folder / f"{kind}.gguf"
    gguf_file.write(gguf_file.plan(source), path, kind, facts={"general.license": "apache-2.0"})
    return path


def a_gap(source: Source) -> list[int]:
    """A prompt to fill a gap, in the order that llama.cpp knows as well."""
    encode = source.tokenizer.encode
    ids = sentinel_ids(source.layout, source.tokenizer.id_of, encode)
    before, after = "def total(values):\n    out = 0\n    for value in ", "\n    return out\n"
    return render(source.layout, order="psm", prefix=encode(before), suffix=encode(after), ids=ids)


def ends_of(source: Source) -> set[int]:
    """Where llama.cpp stops: the end, and the tokens that only stand between files."""
    names = (source.layout.end, "<fim_pad>", "<reponame>", "<|file_sep|>")
    return {found for name in names if (found := source.tokenizer.id_of(name)) is not None}


@needs_llama_cpp
@pytest.mark.parametrize("name", ["tiny", "bigcode", "trained", "embedded"])
def test_llama_cpp_splits_any_text_into_our_tokens(name, request, llama_of) -> None:
    source: Source = request.getfixturevalue(name)
    llama = llama_of(source, "f16")
    letters = [chr(code) for code in range(1, 0x250)] + list("".join(UGLY)) * 4
    chance = random.Random(0)
    texts = [
        *UGLY,
        *("".join(chance.choices(letters, k=chance.randint(1, 40))) for _ in range(300)),
    ]

    assert [llama.tokens(text) for text in texts] == [
        source.tokenizer.encode(text) for text in texts
    ]


@needs_llama_cpp
@pytest.mark.parametrize("name", ["tiny", "bigcode", "trained", "embedded"])
def test_llama_cpp_gives_the_log_probabilities_and_the_text_of_transformers(
    name, request, llama_of
) -> None:
    source: Source = request.getfixturevalue(name)
    prompt, model = a_gap(source), load_model(source.folder)
    steps = llama_of(source).greedy(prompt, LENGTH)
    text = [token for token, _ in steps]
    with torch.inference_mode():
        # One pass over all of it: what stands at a place depends on what is before it alone.
        logits = model(torch.tensor([prompt + text])).logits[0, len(prompt) - 1 :].float()
    ours = torch.log_softmax(logits, dim=-1)

    stopped = len(steps) < LENGTH
    assert len(steps) >= 48 or (stopped and int(ours[len(steps)].argmax()) in ends_of(source))
    assert text == [int(each.argmax()) for each in ours[: len(text)]]
    worst = max(
        abs(float(ours[at, token]) - found)
        for at, (_, likeliest) in enumerate(steps)
        for token, found in likeliest.items()
    )
    compared = sum(bool(likeliest) for _, likeliest in steps)
    print(f"{name}: {len(steps)} tokens, {compared} log-probabilities within {worst:.1e}")
    assert compared > len(steps) / 2
    assert worst < TOLERANCE[source.architecture]


@needs_llama_cpp
def test_a_head_of_its_own_linear_positions_and_biases_are_written_too(tmp_path, llama_of) -> None:
    scaling = {"rope_type": "linear", "factor": 4.0, "rope_theta": 5000.0}
    folder = write_tiny(
        tmp_path / "other",
        seed=5,
        tie_word_embeddings=False,
        num_attention_heads=4,
        num_key_value_heads=2,
        rope_parameters=scaling,
    )
    source = read_source(folder)
    prompt, model = a_gap(source), load_model(folder)
    ((_, likeliest),) = llama_of(source).greedy(prompt, 1, likeliest=290)
    with torch.inference_mode():
        ours = torch.log_softmax(model(torch.tensor([prompt])).logits[0, -1].float(), dim=-1)

    assert len(likeliest) == 290
    assert max(abs(float(ours[token]) - each) for token, each in likeliest.items()) < 3e-4


@needs_llama_cpp
def test_a_starcoder_of_our_own_recipes_runs_in_llama_cpp(tokenizer, tmp_path, llama_of) -> None:
    """GPTBigCode as the trainer exports it, with our vocabulary instead of StarCoder's."""
    sizes = {"vocabulary": 512, "hidden": 64, "heads": 2, "head_dim": 32, "positions": 256}
    recipe = replace(load_recipe("tiny").model, family="gpt_bigcode", **sizes, init_std=0.2)
    weights = {name: each.detach() for name, each in build(recipe).named_parameters()}
    record = {"corpus": {}, "training": {}}
    checkpoints.export(
        tmp_path / "star",
        weights,
        recipe,
        tokenizer=tokenizer,
        layout=FimLayout(),
        name="star",
        record=record,
    )
    source = read_source(tmp_path / "star")
    prompt = a_gap(source)
    ((_, likeliest),) = llama_of(source).greedy(prompt, 1, likeliest=512)
    with torch.inference_mode():
        logits = load_model(source.folder)(torch.tensor([prompt])).logits[0, -1].float()
    ours = torch.log_softmax(logits, dim=-1)

    assert len(likeliest) == 512
    worst = max(abs(float(ours[token]) - each) for token, each in likeliest.items())
    assert worst < TOLERANCE["GPTBigCodeForCausalLM"]


@needs_llama_cpp
@pytest.mark.parametrize("size", [32016, 49152])
def test_sizes_that_mean_another_model_to_converters_mean_nothing_here(
    tmp_path, llama_of, size
) -> None:
    """The rows past the vocabulary are in the file, and no text reaches them."""
    source = read_source(write_tiny(tmp_path / "padded", vocab_size=size))
    llama = llama_of(source)
    answer = llama.ask("/infill", {"input_prefix": "a = ", "input_suffix": "\n", "n_predict": 1})

    assert llama.tokens("x = [UNUSED300]") == source.tokenizer.encode("x = [UNUSED300]")
    assert answer["prompt"] == "<fim_prefix>a = <fim_suffix>\n<fim_middle>"


@needs_llama_cpp
def test_a_begin_token_is_put_before_texts_there_as_here(tmp_path, llama_of) -> None:
    folder = write_tiny(tmp_path / "begun")
    (folder / "footnote.json").unlink()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    template = {"single": "<gh_stars> $A", "special_tokens": [("<gh_stars>", 7)]}
    tokenizer.post_processor = TemplateProcessing(**template)
    tokenizer.save(str(folder / "tokenizer.json"))
    source = read_source(folder)

    assert llama_of(source).tokens("def f") == [
        7,
        *source.tokenizer.encode("def f"),
    ]


@needs_llama_cpp
@pytest.mark.parametrize("kind", ["bf16", "q8_0"])
def test_shorter_types_are_near_the_original_in_llama_cpp(embedded, llama_of, kind) -> None:
    prompt = a_gap(embedded)
    exact = llama_of(embedded).greedy(prompt, LENGTH)
    short = llama_of(embedded, kind)
    # Along one text, so that one early difference does not make all that follow differ.
    agreed, error = 0, 0.0
    for at, (token, likeliest) in enumerate(exact):
        along = prompt + [each for each, _ in exact[:at]]
        ((found, theirs),) = short.greedy(along, 1)
        agreed += found == token
        if theirs and likeliest:
            error = max(error, abs(theirs.get(token, -20.0) - likeliest[token]))
    print(f"{kind}: {agreed} of {len(exact)} tokens the same, log-probabilities within {error:.3f}")

    assert agreed >= 0.9 * len(exact)
    assert error < 0.5


@needs_llama_cpp
def test_the_infill_of_llama_cpp_makes_our_prompt(embedded, llama_of) -> None:
    llama = llama_of(embedded)
    before, after = "def total(values):\n    out = 0\n    for value in ", "\n    return out\n"
    body = {"input_prefix": before, "input_suffix": after, "n_predict": 16, "temperature": 0}
    answer = llama.ask("/infill", {**body, "return_tokens": True, "cache_prompt": False})
    expected = llama.greedy(a_gap(embedded), 16)

    layout = embedded.layout
    assert answer["prompt"].startswith(layout.prefix)
    assert layout.suffix in answer["prompt"]
    assert answer["prompt"].endswith(layout.middle)
    assert answer["tokens"] == [token for token, _ in expected][: len(answer["tokens"])]
    assert len(answer["tokens"]) >= 8 or answer["stop_type"] == "eos"


@pytest.mark.parametrize("name", ["tiny", "bigcode"])
@pytest.mark.parametrize(
    ("kind", "error"), [("f32", 0.0), ("bf16", 0.01), ("f16", 1e-3), ("q8_0", 0.02)]
)
def test_what_is_written_is_read_back(name, kind, error, request, tmp_path) -> None:
    source: Source = request.getfixturevalue(name)
    path = written(source, tmp_path, kind)
    read = dict(gguf_file.read(gguf_file.plan(source), path))

    assert set(read) == set(source.tensors) - {"lm_head.weight"}
    assert all(float((read[key] - source.tensor(key).float()).abs().max()) <= error for key in read)


def test_pairing_is_undone_by_halving() -> None:
    rows = np.random.default_rng(0).normal(size=(24, 5)).astype(np.float32)

    paired = gguf_file.paired(rows, 3)
    assert not np.array_equal(paired, rows)
    assert np.array_equal(gguf_file.halved(paired, 3), rows)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"pre_tokenizer": {"type": "Whitespace"}}, "no name for the way this tokenizer splits"),
        ({"pre_tokenizer": None}, "no name for the way this tokenizer splits"),
        (
            {
                "pre_tokenizer": {
                    "type": "ByteLevel",
                    "add_prefix_space": True,
                    "use_regex": True,
                    "trim_offsets": True,
                }
            },
            "no name for the way",
        ),
        ({"normalizer": {"type": "Lowercase"}}, "changes texts first .Lowercase."),
    ],
)
def test_a_tokenizer_that_llama_cpp_would_read_differently_is_refused(
    tmp_path, change, complaint
) -> None:
    folder = write_tiny(tmp_path / "odd")
    edit_json(folder / "tokenizer.json", **change)
    (folder / "footnote.json").unlink()

    with pytest.raises(ReleaseError, match=complaint):
        gguf_file.plan(read_source(folder))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"byte_fallback": True}, "SentencePiece BPE"),
        ({"ignore_merges": True}, "ignore_merges"),
        ({"end_of_word_suffix": "</w>"}, "end_of_word_suffix"),
    ],
)
def test_another_kind_of_vocabulary_is_refused(tmp_path, change, complaint) -> None:
    folder = write_tiny(tmp_path / "odd")
    raw = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps({**raw, "model": {**raw["model"], **change}}))
    (folder / "footnote.json").unlink()

    with pytest.raises(ReleaseError, match=complaint):
        gguf_file.plan(read_source(folder))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"architectures": ["Qwen2ForCausalLM"]},
            "LlamaForCausalLM and GPTBigCodeForCausalLM, not",
        ),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "yarn"),
        ({"num_hidden_layers": 3}, "weights lack model.layers.2"),
        ({"num_hidden_layers": 1}, "model.layers.1.* has no place"),
        ({"vocab_size": 100}, "different checkpoints"),
    ],
)
def test_what_llama_cpp_would_not_run_as_transformers_does_is_refused(
    tmp_path, change, complaint
) -> None:
    folder = write_tiny(tmp_path / "odd")
    edit_json(folder / "config.json", **change)

    with pytest.raises(ReleaseError, match=complaint):
        gguf_file.plan(read_source(folder))


def test_several_key_value_heads_of_gpt_bigcode_are_refused(tmp_path) -> None:
    folder = write_bigcode(tmp_path / "heads", multi_query=False)

    with pytest.raises(ReleaseError, match="one key/value head"):
        gguf_file.plan(read_source(folder))


def test_numbers_too_large_for_half_precision_are_refused(tmp_path) -> None:
    source = read_source(write_tiny(tmp_path / "large", scale=1e5))

    with pytest.raises(ReleaseError, match="F16 cannot hold: use bf16"):
        written(source, tmp_path, "f16")
