"""What a step runs: tokens and labels in, loss out, with the logits of the tied head in chunks."""

from typing import Any

import torch
from torch import Tensor, nn

from trainer.model import Network


def lower(model: nn.Module, dtype: torch.dtype) -> None:
    """Store the weights as `dtype`, but not the buffers."""
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)


class Learner(nn.Module):
    """Tokens and labels in, loss out; logits exist for `chunk` positions at a time."""

    def __init__(self, network: Network, *, chunk: int) -> None:
        super().__init__()
        self.network = network
        self.chunk = chunk

    def forward(self, tokens: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        """Cross-entropy in nats over labels that are not negative; both are [rows, context].

        `weight` multiplies each position's loss: 1 / the labels of a whole step makes the sum over
        its micro-batches and processes the mean of the step. Without it: the mean of this call.
        """
        counted = labels >= 0
        share = counted.float()
        share = share * weight if weight is not None else share / counted.sum().clamp(min=1)
        hidden = self.network.hidden(tokens)
        apply: Any = _HeadLoss.apply
        loss: Tensor = apply(
            hidden.flatten(0, 1),
            self.network.head,
            labels.flatten().clamp(min=0),
            share.flatten(),
            self.chunk,
        )
        return loss

    def compile_blocks(self) -> None:
        """Compile each block alone; one that does not compile runs as it is."""
        import torch._dynamo

        torch._dynamo.config.suppress_errors = True  # noqa: SLF001 -- its public place
        global _exponentials
        for block in self.network.blocks:
            block.forward = torch.compile(block.forward, dynamic=False)
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
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, share: Tensor, chunk: int
    ) -> Tensor:
        shares = share.unsqueeze(1)  # [positions, 1]
        targets = labels.unsqueeze(1)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros(weight.shape[::-1], dtype=torch.float32, device=weight.device)
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        everyone = torch.arange(chunk, device=hidden.device)
        # One buffer for all chunks: fresh memory of this size costs more than the product in it.
        buffer = hidden.new_empty((min(chunk, len(hidden)), len(weight)))
        for start in range(0, len(hidden), chunk):
            here = slice(start, start + chunk)
            part, target, each = hidden[here], targets[here], shares[here]
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
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        scale = grads[0].to(grad_hidden.dtype)
        return grad_hidden * scale, grad_weight * scale, None, None, None
