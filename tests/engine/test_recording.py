"""Runs over fixed buffers: the same scores as runs that are told each time, on whatever device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from engine import attention
from engine.api import CompletionOptions, Gap
from engine.backends import Wish, network_of
from engine.checkpoint import read_checkpoint
from engine.loading import load
from engine.prefix_cache import BLOCK, blocks
from engine.recording import STEPS, CudaGraphs, Work, again, buffers, size_for
from engine.transformers_model import TransformersModel
from tests.support.families import ARCHITECTURES, family_net, write_family
from tests.support.tiny import write_tiny

PROMPT = [(each * each + 5) % 290 for each in range(200)]
CUDA = pytest.param(
    "cuda",
    marks=[
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no accelerator"),
    ],
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine take seconds for nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=["cpu", CUDA])
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Noted:
    """Records as the device does, and counts."""

    def __init__(self, device: str) -> None:
        self._record = CudaGraphs() if device == "cuda" else again
        self.recorded = self.played = 0

    def __call__(self, work: Work) -> Work:
        self.recorded += 1
        play = self._record(work)

        def counted() -> torch.Tensor:
            self.played += 1
            return play()

        return counted


def models(name: str, device: str) -> tuple[TransformersModel, TransformersModel, Noted]:
    """One that records and one that does not, with the same weights."""
    noted = Noted(device)
    net = family_net(name).to(device)
    return (
        TransformersModel(net, positions=512, record=noted),
        TransformersModel(family_net(name).to(device), positions=512),
        noted,
    )


def near(found: Any, expected: Any) -> bool:
    return torch.allclose(torch.as_tensor(found), torch.as_tensor(expected), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_size_gives_the_scores_of_an_ordinary_run(name: str, device: str) -> None:
    ours, plain, noted = models(name, device)
    assert (ours.note, ours._net.config._attn_implementation) == ("", "footnote")
    cache, expected = ours.new_cache(256), plain.new_cache(256)
    assert near(ours.scores(PROMPT, 0, cache), plain.scores(PROMPT, 0, expected))
    recorded = noted.recorded
    for rows in (1, 2, 3, 4, 5, 8, 1, 30, BLOCK):
        wanted = min(rows, 3)
        found = ours.scores(PROMPT[:rows], 120, cache, wanted)
        assert found.shape == (wanted, 290)
        assert near(found, plain.scores(PROMPT[:rows], 120, expected, wanted))

    assert sorted(cache.runs) == [*STEPS, BLOCK]
    assert noted.recorded == recorded + 4


def test_going_back_and_on_gives_the_scores_of_a_fresh_sequence(device: str) -> None:
    ours, _, _ = models("llama", device)
    used, fresh = ours.new_cache(256), ours.new_cache(256)
    for position, block in blocks(PROMPT[::-1], 0):
        ours.scores(block, position, used)
    for cache in (used, fresh):
        for position, block in blocks(PROMPT, 0):
            last = ours.scores(block, position, cache)
    again_used = [ours.scores([each], 200 + place, used) for place, each in enumerate(PROMPT[:5])]
    again_fresh = [ours.scores([each], 200 + place, fresh) for place, each in enumerate(PROMPT[:5])]

    assert last.any()
    for one, other in zip(again_used, again_fresh, strict=True):
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))


def test_two_sequences_do_not_write_into_each_other(device: str) -> None:
    ours, plain, _ = models("qwen2", device)
    one, two, expected = ours.new_cache(256), ours.new_cache(256), plain.new_cache(256)
    for cache, tokens in ((one, PROMPT), (two, PROMPT[::-1])):
        ours.scores(tokens[:60], 0, cache)
    plain.scores(PROMPT[:60], 0, expected)

    assert near(ours.scores([7], 60, one), plain.scores([7], 60, expected))


def test_a_run_is_filled_up_at_the_end_of_the_memory_and_of_the_model(device: str) -> None:
    noted = Noted(device)
    net = family_net("gpt_bigcode", n_positions=200).to(device)
    ours = TransformersModel(net, positions=200, record=noted)
    plain = TransformersModel(family_net("gpt_bigcode", n_positions=200).to(device), positions=200)
    cache, expected = ours.new_cache(4096), plain.new_cache(4096)
    ours.scores(PROMPT[:197], 0, cache)
    plain.scores(PROMPT[:197], 0, expected)

    assert near(
        ours.scores(PROMPT[197:], 197, cache, 3), plain.scores(PROMPT[197:], 197, expected, 3)
    )
    with pytest.raises(ValueError, match="201 tokens do not fit a cache of 200"):
        ours.scores([1], 200, cache)


def test_what_cannot_be_recorded_is_run_as_before_and_noted(device: str) -> None:
    def refuse(_work: Work) -> Work:
        raise RuntimeError("operation not permitted when stream is capturing\nand so on")

    ours = TransformersModel(family_net("starcoder2").to(device), positions=512, record=refuse)
    plain = TransformersModel(family_net("starcoder2").to(device), positions=512)

    assert ours.note == (
        "its steps cannot be recorded: operation not permitted when stream is capturing"
    )
    cache, expected = ours.new_cache(256), plain.new_cache(256)
    assert near(ours.scores(PROMPT, 0, cache), plain.scores(PROMPT, 0, expected))
    assert near(ours.scores([1], 200, cache), plain.scores([1], 200, expected))
    assert cache.runs == {}


def test_what_repeats_wrongly_is_not_repeated() -> None:
    def wrongly(work: Work) -> Work:
        return lambda: work() * -1.0

    ours = TransformersModel(family_net("llama"), positions=512, record=wrongly)
    plain = TransformersModel(family_net("llama"), positions=512)

    assert ours.note == "its steps are not recorded: the scores would differ"
    assert near(
        ours.scores(PROMPT, 0, ours.new_cache(256)), plain.scores(PROMPT, 0, plain.new_cache(256))
    )


@pytest.mark.parametrize(
    ("rows", "wanted", "size"),
    [
        (1, 1, 1),
        (2, 2, 4),
        (4, 0, 4),
        (5, 5, 8),
        (9, 1, 64),
        (64, 8, 64),
        (64, 9, None),
        (65, 1, None),
    ],
)
def test_the_next_size_is_taken(rows: int, wanted: int, size: int | None) -> None:
    assert size_for(rows, wanted, (*STEPS, BLOCK)) == size


def test_the_buffers_say_what_is_run_and_where() -> None:
    told = buffers(4, torch.device("cpu"))

    told.fill([7, 9], 510, last_position=511)

    assert told.ids.tolist() == [[7, 9, 9, 9]]
    assert told.places.tolist() == [[510, 511, 511, 511]]
    assert told.slots.tolist() == [510, 511, 512, 513]
    assert told.kept.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(("costs", "blocks_too"), [((1, 2), True), ((2, 1), False)])
def test_blocks_of_a_prompt_are_repeated_where_that_is_faster(
    costs: tuple[int, int], blocks_too: bool
) -> None:
    model = TransformersModel(family_net("llama"), positions=512, record=again)
    ticks = iter([0, costs[0], 10, 10 + costs[1]])

    model.prefer_recorded_blocks(lambda: next(ticks))

    assert model.recorded == ((*STEPS, BLOCK) if blocks_too else STEPS)


@pytest.mark.parametrize("blocks_too", [True, False])
def test_greedy_text_is_the_same(tmp_path: Any, device: str, blocks_too: bool) -> None:
    folder = write_family(tmp_path / "model", "starcoder2")
    options = CompletionOptions(max_new_tokens=24)
    plain = load(folder, dtype="float32", threads=1, device=device)
    noted = Noted(device)
    ours: Any = load(folder, dtype="float32", threads=1, device=device)
    net = family_net("starcoder2").to(device)
    model = TransformersModel(net, positions=512, record=noted)
    model.recorded = (*STEPS, BLOCK) if blocks_too else STEPS
    ours._decoder = replace(ours._decoder, model=model)
    ours._shelf._make, ours._shelf._held = lambda: model.new_cache(500), []
    texts = set()
    for text in ("def f(x):\n    return ", "print(", "import os\n\nfor each in " + "x" * 300):
        request = plain.request(Gap(text, "\n"), options)  # type: ignore[attr-defined]
        request = replace(request, owed="", stop=lambda _: None)
        expected = plain.raw(request).tokens  # type: ignore[attr-defined]
        assert ours.raw(request).tokens == expected
        assert ours.raw(request).tokens == expected  # now with its prompt cached
        texts.add(tuple(expected))

    assert len(texts) > 1
    assert noted.played > 20


def reference(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    group = query.shape[1] // key.shape[1]
    n, keys = query.shape[2], key.shape[2]
    mask = torch.ones(n, keys, dtype=torch.bool).tril(keys - n)
    wide = (each.repeat_interleave(group, 1) for each in (key, value))
    return torch.nn.functional.scaled_dot_product_attention(query, *wide, attn_mask=mask).transpose(
        1, 2
    )


@pytest.mark.parametrize(("n", "keys"), [(64, 64), (40, 100), (2, 77)])
def test_without_a_mask_a_block_sees_what_stands_before_it(n: int, keys: int) -> None:
    query, key, value = (
        torch.randn(1, heads, size, 16) for heads, size in ((4, n), (2, keys), (2, keys))
    )

    found, _ = attention.attend(torch.nn.Identity(), query, key, value, None)

    assert torch.allclose(found, reference(query, key, value), atol=1e-5)


def test_flash_attn_computes_it_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def flash(query: Any, key: Any, value: Any, *, softmax_scale: float, causal: bool) -> Any:
        assert causal
        assert softmax_scale == 0.25
        assert query.shape == (1, 10, 4, 16)
        assert key.shape == value.shape == (1, 30, 2, 16)
        return reference(*(each.transpose(1, 2) for each in (query, key, value)))

    monkeypatch.setattr(attention, "_flash_attn", lambda: flash)
    monkeypatch.setattr(attention, "CUDA", "cpu")
    query, key, value = (
        torch.randn(1, heads, n, 16).bfloat16() for heads, n in ((4, 10), (2, 30), (2, 30))
    )

    found, _ = attention.attend(torch.nn.Identity(), query, key, value, None)

    assert torch.equal(found, reference(query, key, value))


def test_a_card_is_told_no_mask_that_is_merely_causal() -> None:
    from transformers.masking_utils import causal_mask_function, sliding_window_causal_mask_function

    asked = {"batch_size": 1, "q_length": 4, "q_offset": 6, "kv_offset": 0, "attention_mask": None}
    plain = {**asked, "mask_function": causal_mask_function}

    assert attention._mask(**plain, kv_length=10, device="meta") is None
    for other in (
        {**plain, "kv_length": 10, "device": "cpu"},
        {**plain, "kv_length": 16, "device": "meta"},
        {**plain, "kv_length": 10, "device": "meta", "q_offset": torch.tensor(6)},
        {
            **asked,
            "mask_function": sliding_window_causal_mask_function(3),
            "kv_length": 10,
            "device": "meta",
        },
    ):
        mask = attention._mask(**other)
        assert mask is not None
        assert mask.shape == (1, 1, 4, other["kv_length"])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no accelerator")
def test_a_llama_on_a_card_records_its_steps(tmp_path: Any) -> None:
    checkpoint = read_checkpoint(write_tiny(tmp_path / "tiny"))
    _, expected = network_of(checkpoint, Wish("torch", "float32", 1, "cpu"))

    backend, model = network_of(checkpoint, Wish("torch", "float32", device="cuda"))

    assert (backend, model.device, model.note) == ("torch", "cuda", "")
    one, two = model.new_cache(256), expected.new_cache(256)
    for position, block in blocks(PROMPT, 0):
        found = model.scores(block, position, one)
        plain = expected.scores(block, position, two)
    assert torch.allclose(torch.as_tensor(found), torch.as_tensor(plain), atol=1e-3, rtol=1e-3)
    assert BLOCK in one.runs or BLOCK not in model.recorded
