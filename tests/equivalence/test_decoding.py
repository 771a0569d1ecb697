"""The fast way equals the slow one: cached and fresh, in blocks and whole, ours and transformers'."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.api import CancelToken, CompletionOptions, Gap
from engine.loading import load
from engine.model import Model
from engine.shape import shape_of
from tests.support.tiny import tiny_config, tiny_tensors, write_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from engine.local import LocalCompleter

SOURCE = "".join(
    f"def name_{n}(self, value):\n    return self.other(value, {n}) + value\n\n" for n in range(40)
)
VOCABULARY = tiny_config()["vocab_size"]


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LocalCompleter, Path, str]:
    """A completer that keeps its memory over all examples, and how to make a fresh one."""
    folder = write_tiny(tmp_path_factory.mktemp("models") / "tiny")
    kept = load(folder, dtype=request.param, threads=1)
    return kept, folder, request.param  # type: ignore[return-value]


EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("type"), st.text(alphabet="abc(x). =\n", min_size=1, max_size=5)),
        st.tuples(st.just("delete"), st.integers(1, 6)),
        st.tuples(st.just("move"), st.integers(0, len(SOURCE))),
        st.tuples(st.just("open"), st.sampled_from(["", "x = 1\n", SOURCE[::-1]])),
    ),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(start=st.integers(0, len(SOURCE)), edits=EDITS)
def test_a_session_of_edits_gives_what_fresh_models_give(
    pair: tuple[LocalCompleter, Path, str], start: int, edits: list[tuple[str, Any]]
) -> None:
    kept, folder, dtype = pair
    before, after = SOURCE[:start], SOURCE[start:]
    options = CompletionOptions(max_new_tokens=6)
    for kind, value in edits:
        if kind == "type":
            before += value
        elif kind == "delete":
            before = before[:-value]
        elif kind == "move":
            text = before + after
            before, after = text[:value], text[value:]
        else:
            before, after = value, ""
        gap = Gap(before, after, "a.py", "python")
        cached = kept.complete(gap, options, CancelToken())
        fresh = load(folder, dtype=dtype, threads=1).complete(gap, options, CancelToken())

        assert (cached.text, cached.stop_reason, cached.new_tokens, cached.replace_after) == (
            fresh.text,
            fresh.stop_reason,
            fresh.new_tokens,
            fresh.replace_after,
        )
        assert fresh.cached_tokens == 0


def test_typing_reuses_all_but_the_last_block(pair: tuple[LocalCompleter, Path, str]) -> None:
    kept = pair[0]
    options = CompletionOptions(max_new_tokens=1)
    kept.complete(Gap(SOURCE + "x", ""), options, CancelToken())
    typed = kept.complete(Gap(SOURCE + "xy", ""), options, CancelToken())

    assert typed.prompt_tokens - typed.cached_tokens <= 64
    assert typed.cached_tokens >= 128


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_any_division_of_a_prompt_gives_the_same_scores(dtype: str) -> None:
    config = tiny_config()
    model = Model(shape_of(config), tiny_tensors(config).items(), dtype=dtype)
    rng = random.Random(5)
    tokens = [rng.randrange(VOCABULARY) for _ in range(150)]
    whole = model.logits(model.feed(tokens, 0, model.new_cache(150))).float()
    tolerance = 1e-4 if dtype == "float32" else 0.3
    for _ in range(5):
        cuts = sorted({0, len(tokens), *(rng.randrange(len(tokens)) for _ in range(5))})
        cache = model.new_cache(150)
        parts = [
            model.logits(model.feed(tokens[a:b], a, cache)) for a, b in itertools.pairwise(cuts)
        ]
        assert torch.allclose(torch.cat(parts).float(), whole, atol=tolerance, rtol=tolerance)


def test_memory_that_holds_another_text_does_not_show_through() -> None:
    config = tiny_config()
    model = Model(shape_of(config), tiny_tensors(config).items(), dtype="float32")
    used, fresh = model.new_cache(100), model.new_cache(100)
    model.feed(list(range(16, 116)), 0, used)
    tokens = list(range(116, 16, -2))

    assert torch.equal(model.feed(tokens, 0, used), model.feed(tokens, 0, fresh))


def test_a_text_longer_than_its_memory_is_refused() -> None:
    config = tiny_config()
    model = Model(shape_of(config), tiny_tensors(config).items(), dtype="float32")

    with pytest.raises(ValueError, match="do not fit"):
        model.feed([1] * 11, 0, model.new_cache(10))


FAMILIES = {
    "one key/value head, tied": {},
    "grouped heads, own head": {
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "tie_word_embeddings": False,
    },
    "all heads, another base, biases": {
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_theta": 10000.0,
        "attention_bias": True,
        "mlp_bias": True,
    },
    "linear scaling of positions": {"rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    "qwen2": {
        "model_type": "qwen2",
        "architectures": ["Qwen2ForCausalLM"],
        "num_key_value_heads": 2,
        "head_dim": 16,
    },
}


@pytest.mark.parametrize("change", FAMILIES.values(), ids=FAMILIES)
def test_scores_are_those_of_transformers(change: dict[str, Any]) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    values = tiny_config(**change)
    family = values.pop("model_type")
    config = AutoConfig.for_model(family, **values)
    torch.manual_seed(3)
    theirs = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval().float()
    with torch.no_grad():
        for name, weight in theirs.named_parameters():
            weight.copy_(torch.randn_like(weight) * 0.2 + (1.0 if "norm" in name else 0.0))
    ours = Model(shape_of(config.to_dict()), theirs.state_dict().items(), dtype="float32")
    tokens = torch.randint(0, VOCABULARY, (130,), generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        expected = theirs(tokens[None]).logits[0]
    found = ours.logits(ours.feed(tokens.tolist(), 0, ours.new_cache(130)))

    assert float(expected.std()) > 0.1
    assert torch.allclose(found, expected, atol=1e-4, rtol=1e-4)
    assert ours.parameters == sum(each.numel() for each in theirs.parameters())


def test_greedy_text_is_that_of_generate(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = write_tiny(tmp_path / "tiny")
    completer = load(folder, dtype="float32", threads=1)
    theirs = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).float()
    seen: list[str] = []
    for start in (100, 700, 1300):
        gap = Gap(SOURCE[:start], SOURCE[start:], "a.py", "python")
        request = completer.request(gap, CompletionOptions(max_new_tokens=8))  # type: ignore[attr-defined]
        request = replace(request, owed="")
        prompt = request.prompt
        produced = theirs.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=8,
            do_sample=False,
            eos_token_id=list(range(16)),
            begin_suppress_tokens=list(range(16)),
            pad_token_id=4,
        )[0, len(prompt) :].tolist()
        raw = completer.raw(request)  # type: ignore[attr-defined]
        seen.append(raw.text)
        assert raw.tokens == [token for token in produced if token >= 16][: len(raw.tokens)]
        assert raw.tokens

    assert len(set(seen)) == 3
