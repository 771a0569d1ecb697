"""Models that transformers runs: scores and texts are plain transformers', cached or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers

from engine.api import CompletionOptions, Gap, ModelUnavailable
from engine.backends import Wish, network_of
from engine.checkpoint import read_checkpoint
from engine.fim import FimLayout
from engine.linears import Kernel
from engine.loading import load
from engine.local import LocalCompleter
from engine.prefix_cache import BLOCK, blocks
from engine.transformers_model import TransformersModel
from tests.support.families import ARCHITECTURES, FOREIGN, family_net, write_family

PROMPT = [(each * each + 5) % 290 for each in range(200)]  # longer than starcoder2's window of 48
PACKED = Kernel(torch.float32, packed=True)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def plain(net, tokens):
    with torch.inference_mode():
        return net(torch.tensor([tokens])).logits[0]


def by_blocks(model, tokens, start=0, cache=None):
    """Scores behind every token from `start` on, computed as prompts are."""
    cache = cache or model.new_cache(len(tokens))
    rows = [
        torch.from_numpy(model.scores(block, position, cache, len(block)))
        for position, block in blocks(tokens, start)
    ]
    return torch.cat(rows)


@pytest.mark.parametrize("kernel", [None, PACKED], ids=["plain linears", "packed linears"])
def test_scores_are_those_of_plain_transformers(family, kernel):
    expected = plain(family_net(family), PROMPT)

    model = TransformersModel(family_net(family), positions=512, kernel=kernel)

    assert model._net.config._attn_implementation == "footnote"
    assert torch.allclose(by_blocks(model, PROMPT), expected, atol=1e-4, rtol=1e-4)


def test_a_long_block_and_single_steps_give_them_too(family):
    expected = plain(family_net(family), PROMPT)
    model = TransformersModel(family_net(family), positions=512)
    cache = model.new_cache(256)

    rows = [model.scores(PROMPT[:190], 0, cache, 3)]
    rows += [model.scores([PROMPT[each]], each, cache) for each in range(190, 200)]

    found = torch.cat([torch.from_numpy(each) for each in rows])
    assert torch.allclose(found, expected[187:], atol=1e-4, rtol=1e-4)


def test_cached_equals_uncached_to_the_last_bit(family):
    model = TransformersModel(family_net(family), positions=512)
    fresh = by_blocks(model, PROMPT)
    cache = model.new_cache(len(PROMPT))
    by_blocks(model, PROMPT[: 2 * BLOCK] + PROMPT[::-1][: 200 - 2 * BLOCK], cache=cache)

    again = by_blocks(model, PROMPT, start=2 * BLOCK, cache=cache)

    assert torch.equal(again, fresh[2 * BLOCK :])


def test_going_back_moves_no_memory():
    model = TransformersModel(family_net("gpt_bigcode"), positions=512)
    cache = model.new_cache(256)
    model.scores(PROMPT, 0, cache)
    before = [layer.keys.data_ptr() for layer in cache.cache.layers]

    model.scores(PROMPT[:3], 7, cache)

    assert [layer.keys.data_ptr() for layer in cache.cache.layers] == before
    assert [layer.get_seq_length() for layer in cache.cache.layers] == [7 + 16] * 2


def test_the_last_position_is_used_and_none_behind_it():
    model = TransformersModel(family_net("gpt_bigcode", n_positions=200), positions=200)
    cache = model.new_cache(4096)

    assert cache.capacity == 200
    expected = plain(family_net("gpt_bigcode", n_positions=200), PROMPT)
    assert torch.allclose(by_blocks(model, PROMPT), expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="201 tokens do not fit a cache of 200"):
        model.scores([1], 200, cache)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_folder_is_served_with_the_text_that_plain_transformers_writes(tmp_path, name, caplog):
    folder = write_family(tmp_path / name, name)

    completer = load(folder, dtype="float32", threads=1)

    assert isinstance(completer, LocalCompleter)
    assert completer.describe().backend == "torch"
    assert not caplog.records  # no other backend was tried first
    net = transformers.AutoModelForCausalLM.from_pretrained(folder)
    written = []
    for text in ("def f(x):\n    return ", "print(", "import os\n\nfor each in "):
        request = completer.request(Gap(text, "\n"), CompletionOptions(max_new_tokens=24))
        request = replace(request, owed="", stop=lambda _: None)
        tokens = greedy(net, request.prompt, 24, completer.tokenizer.special_ids)

        assert completer.raw(request).tokens == tokens
        assert completer.raw(request).tokens == tokens  # now with its prompt cached
        written.append(tuple(tokens))
    assert len(set(written)) > 1


def greedy(net, prompt, most, ends):
    """What plain transformers writes, computed from nothing for every token; no end comes first."""
    tokens: list[int] = []
    while len(tokens) < most:
        scores = plain(net, prompt + tokens)[-1].clone()
        if not tokens:
            scores[list(ends)] = -torch.inf
        chosen = int(scores.argmax())
        if chosen in ends:
            break
        tokens.append(chosen)
    return tokens


def test_what_adds_to_scores_in_its_own_way_keeps_its_own_attention():
    config = transformers.Gemma2Config(
        vocab_size=290, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, intermediate_size=64, sliding_window=48,
        initializer_range=0.3, attn_logit_softcapping=2.0, attn_implementation="eager",
    )  # fmt: skip
    torch.manual_seed(0)
    net = transformers.Gemma2ForCausalLM(config).eval()
    expected = plain(net, PROMPT)

    model = TransformersModel(net, positions=512)

    assert net.config._attn_implementation == "eager"
    assert torch.allclose(by_blocks(model, PROMPT), expected, atol=1e-4, rtol=1e-4)


def test_what_remembers_more_than_keys_and_values_is_refused():
    config = transformers.MambaConfig(
        vocab_size=290, hidden_size=32, num_hidden_layers=1, state_size=4
    )

    with pytest.raises(ModelUnavailable, match="cannot be rewound: choose a model"):
        TransformersModel(transformers.MambaForCausalLM(config), positions=512)


def test_weights_that_are_no_numbers_are_refused():
    net = family_net("starcoder2")
    with torch.no_grad():
        net.get_input_embeddings().weight.fill_(torch.nan)

    with pytest.raises(ModelUnavailable, match=r"no numbers \(NaN\)"):
        TransformersModel(net, positions=512)


def test_in_bfloat16_the_scores_are_near(family):
    expected = plain(family_net(family), PROMPT)
    kernel = Kernel(torch.bfloat16, packed=False)

    model = TransformersModel(family_net(family).bfloat16(), positions=512, kernel=kernel)

    assert model.dtype == "bfloat16"
    distance = (by_blocks(model, PROMPT) - expected).norm() / expected.norm()
    assert 0 < distance < 0.1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no accelerator")
@pytest.mark.parametrize("name", FOREIGN)
def test_on_an_accelerator_the_scores_are_those_of_the_cpu(tmp_path, name):
    checkpoint = read_checkpoint(write_family(tmp_path / name, name))
    expected = plain(family_net(name), PROMPT)

    backend, model = network_of(checkpoint, Wish(dtype="float32"))

    assert (backend, model.device) == ("torch", "cuda")
    assert torch.allclose(by_blocks(model, PROMPT), expected, atol=1e-3, rtol=1e-3)


def test_the_tiny_layout_is_found_by_its_tokens(tmp_path):
    completer = load(write_family(tmp_path / "model", "starcoder2"), dtype="float32", threads=1)

    assert completer._layout == FimLayout(file_name="", repo_name="", file_sep="", spm=())
    assert isinstance(completer._decoder.model, TransformersModel)
    assert Path(completer.describe().folder) == (tmp_path / "model").resolve()
