"""Other publishers' architectures are measured as they compute: positions, masks and scaled heads included."""

from __future__ import annotations

import json
import math

import pytest
import torch
import transformers

from tests.support.tiny import tiny_config, tiny_tokenizer
from trainer.evaluation import loss
from trainer.evaluation.batched import Continuation, continue_all
from trainer.evaluation.causal import load_causal

SIZE = {
    "vocab_size": tiny_config()["vocab_size"],
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
}
FAMILIES = {
    "starcoder": transformers.GPTBigCodeConfig(
        vocab_size=SIZE["vocab_size"], n_positions=128, n_embd=32, n_layer=2, n_head=2
    ),
    "starcoder2": transformers.Starcoder2Config(**SIZE, sliding_window=16),
    "qwen2.5-coder": transformers.Qwen2Config(**SIZE),
    "codegemma": transformers.GemmaConfig(**SIZE, head_dim=16),
    "granite": transformers.GraniteConfig(**SIZE, logits_scaling=7.0, embedding_multiplier=3.0),
}
TEXTS = ["def f(x):\n    return x", "a", "print(" * 9, "class A:\n    b = 1\n"]


@pytest.fixture(scope="module", params=FAMILIES)
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(3)
    config = FAMILIES[request.param]
    config.initializer_range = 0.3
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"})
    )
    return load_causal(folder, device="cpu", dtype="float32")


def logits(model, ids):
    with torch.no_grad():
        return model.net(torch.tensor([ids]), use_cache=False).logits[0]


def test_batches_continue_as_single_prompts_do(model):
    prompts = [model.tokenizer.encode(text) for text in TEXTS]
    expected = []
    for prompt in prompts:
        tokens: list[int] = []
        while len(tokens) < 9:
            chosen = int(logits(model, prompt + tokens)[-1].argmax())
            if chosen in model.ends:
                break
            tokens.append(chosen)
        expected.append(tokens)

    assert continue_all(model, [Continuation(each, 9) for each in prompts]) == expected
    assert any(expected)


def test_nats_are_those_of_the_whole_model(model):
    rows = [loss.encode(model.tokenizer, model.begin, text)[0] for text in TEXTS]

    found = loss.Scorer(model).nats(rows, [1] * len(rows))

    for ids, nats in zip(rows, found, strict=True):
        shares = torch.log_softmax(logits(model, ids)[:-1], 1)
        wanted = [-float(share[token]) for share, token in zip(shares, ids[1:], strict=True)]
        assert nats == pytest.approx(wanted, abs=2e-4)
        assert all(math.isfinite(each) for each in nats)
