"""The networks are transformers' own, faster: same logits, same names, same shapes."""

from dataclasses import replace

import pytest
import torch

from trainer.config import load_recipe
from trainer.conversion import big_code_config, config_of, llama_config, recipe_of, to_transformers
from trainer.model import attention, build

TINY = load_recipe("tiny").model
BIG_CODE = replace(TINY, family="gpt_bigcode")


def shaken(recipe, **more):
    """A network whose norms and projections all do something."""
    network = build(recipe, seed=5, **more)
    generator = torch.Generator().manual_seed(1)
    for weight in network.parameters():
        weight.data += 0.05 * torch.randn(weight.shape, generator=generator)
    return network


@pytest.mark.parametrize("recipe", [TINY, BIG_CODE], ids=["llama", "gpt_bigcode"])
def test_logits_equal_those_of_transformers(recipe):
    from transformers import GPTBigCodeForCausalLM, LlamaForCausalLM

    network = shaken(recipe).eval()
    theirs = (
        LlamaForCausalLM(llama_config(recipe))
        if recipe.family == "llama"
        else GPTBigCodeForCausalLM(big_code_config(recipe))
    ).eval()
    tensors = dict(to_transformers(dict(network.named_parameters()), recipe))
    missing, unexpected = theirs.load_state_dict(tensors, strict=False)
    tokens = torch.randint(0, recipe.vocabulary, (3, 70))

    with torch.no_grad():
        torch.testing.assert_close(
            network.hidden(tokens) @ network.head.T, theirs(tokens).logits, atol=1e-5, rtol=1e-5
        )
    assert missing == ["lm_head.weight"]
    assert unexpected == []


@pytest.mark.parametrize("recipe", [TINY, BIG_CODE], ids=["llama", "gpt_bigcode"])
def test_a_configuration_gives_its_recipe_back(recipe):
    assert recipe_of(config_of(recipe)) == recipe


@pytest.mark.parametrize("recipe", [TINY, BIG_CODE], ids=["llama", "gpt_bigcode"])
def test_recomputing_changes_no_gradient(recipe):
    tokens = torch.randint(0, recipe.vocabulary, (2, 40))
    grads = []
    for again in (False, True):
        network = shaken(recipe).train()
        network.recompute = again
        network.hidden(tokens).square().mean().backward()
        grads.append([weight.grad for weight in network.parameters()])

    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


def test_a_seed_gives_the_same_weights_whatever_else_was_drawn():
    first = build(TINY, seed=3)
    torch.rand(7)
    again, other = build(TINY, seed=3), build(TINY, seed=4)

    assert torch.equal(first.head, again.head)
    assert not torch.equal(first.head, other.head)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "llama", "num_key_value_heads": 4},
        {"model_type": "qwen2", "num_key_value_heads": 1},
        {"model_type": "gpt_bigcode", "multi_query": False},
    ],
)
def test_a_model_that_cannot_be_trained_here_is_refused(config):
    with pytest.raises(ValueError, match="can"):
        recipe_of(config)


@pytest.mark.parametrize("length", [70, 600])
def test_attention_in_products_is_torchs_own(length):
    torch.manual_seed(0)
    shapes = [(2, heads, length, 16) for heads in (3, 1, 1)]
    ours = [torch.randn(shape, requires_grad=True) for shape in shapes]
    theirs = [each.detach().clone().requires_grad_() for each in ours]
    cpu = torch.device("cpu")
    auto, sdpa = (attention(name, cpu, torch.float32) for name in ("auto", "sdpa"))
    assert auto is not sdpa

    seen, wanted = auto(*ours), sdpa(*theirs)
    pull = torch.randn_like(seen)
    for each in (seen, wanted):
        each.backward(pull)

    torch.testing.assert_close(seen, wanted)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)
