"""The model that learns: a plain Llama from its recipe, and the loss of its tied head in chunks."""

from typing import Any

import torch
from torch import Tensor, nn

from trainer.config import ModelRecipe


def build(recipe: ModelRecipe) -> Any:
    """A `LlamaForCausalLM` in float32, initialised; uses torch's global random state.

    One key/value head is StarCoder's multi-query attention. The projections that write into the
    residual stream start at zero, so that every block starts as the identity.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=recipe.vocabulary,
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=1,
        head_dim=recipe.head_dim,
        max_position_embeddings=recipe.positions,
        rms_norm_eps=recipe.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": recipe.rope_theta},
        initializer_range=recipe.init_std,
        tie_word_embeddings=True,
        attention_bias=False,
        mlp_bias=False,
        attention_dropout=0.0,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=4,
        use_cache=False,
    )
    config._attn_implementation = "sdpa"  # noqa: SLF001 -- the typed constructor does not take it
    model = LlamaForCausalLM(config)
    for name, weight in model.named_parameters():
        if weight.ndim < 2:
            nn.init.ones_(weight)
        elif name.endswith(("o_proj.weight", "down_proj.weight")):
            nn.init.zeros_(weight)
        else:
            nn.init.normal_(weight, std=recipe.init_std)
    return model


def lower(model: nn.Module, dtype: torch.dtype) -> None:
    """Store the weights as `dtype`, but not the buffers: rotary frequencies need all their bits."""
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)


class Learner(nn.Module):
    """Tokens and labels in, mean loss out; logits exist for `chunk` positions at a time."""

    def __init__(self, model: Any, *, chunk: int) -> None:
        super().__init__()
        self.model = model
        self.chunk = chunk

    def forward(self, tokens: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy in nats over labels that are not negative; both are [rows, context]."""
        hidden = self.model.model(input_ids=tokens).last_hidden_state
        weight = self.model.lm_head.weight
        apply: Any = _HeadLoss.apply
        loss: Tensor = apply(hidden.flatten(0, 1), weight, labels.flatten(), self.chunk)
        return loss

    def compile_blocks(self) -> None:
        """Compile each block alone; one that does not compile runs as it is."""
        import torch._dynamo

        torch._dynamo.config.suppress_errors = True  # noqa: SLF001 -- its public place
        global _exponentials
        for layer in self.model.model.layers:
            layer.forward = torch.compile(layer.forward, dynamic=False)
        _exponentials = torch.compile(_plain_exponentials, dynamic=False)


def _plain_exponentials(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Turn each row into exp(row - its maximum), in place; the sum and log-sum-exp in float32."""
    wide = logits.float()
    top = wide.amax(-1, keepdim=True)
    exponentials = torch.exp(wide - top)
    total = exponentials.sum(-1, keepdim=True)
    logits.copy_(exponentials)
    return total, top + torch.log(total)


_exponentials: Any = _plain_exponentials


class _HeadLoss(torch.autograd.Function):
    """Cross-entropy of hidden @ weight.T with the gradient made in the forward pass.

    The logits of a whole batch are the largest tensor of a small model; here they are made,
    used for loss and gradient, and dropped, chunk by chunk. Softmax is not divided out: its
    denominator goes into the small factor of each product.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, chunk: int) -> Tensor:
        counted = (labels >= 0).float()
        share = (counted / counted.sum().clamp(min=1)).unsqueeze(1)  # [positions, 1]
        targets = labels.clamp(min=0).unsqueeze(1)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros(weight.shape[::-1], dtype=torch.float32, device=weight.device)
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        everyone = torch.arange(chunk, device=hidden.device)
        # One buffer for all chunks: fresh memory of this size costs more than the product in it.
        buffer = hidden.new_empty((min(chunk, len(hidden)), len(weight)))
        for start in range(0, len(hidden), chunk):
            here = slice(start, start + chunk)
            part, target, each = hidden[here], targets[here], share[here]
            logits = torch.mm(part, weight.t(), out=buffer[: len(part)])
            chosen = logits.gather(1, target).float()
            total, log_sum = _exponentials(logits)
            loss += ((log_sum - chosen) * each).sum()
            at_target = (torch.exp(chosen - log_sum) - 1) * total
            # not scatter_: on the CPU it walks the whole matrix
            logits[everyone[: len(part)], target[:, 0]] = at_target[:, 0].to(logits.dtype)
            scale = each / total
            grad_hidden[here] = (logits @ weight) * scale
            grad_weight += (part * scale).to(logits.dtype).t().contiguous() @ logits
        ctx.save_for_backward(grad_hidden, grad_weight.t().to(weight.dtype))
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        scale = grads[0].to(grad_hidden.dtype)
        return grad_hidden * scale, grad_weight * scale, None, None
