"""Any causal model that transformers knows, its keys and values in memory set aside.

transformers has the architectures; what makes its own loop slow is left out. Its cache is copied
with every token, here nothing is; its attention copies keys for each head; its products leave the
CPU's packed kernels unused. What comes out is compared with plain transformers when it is loaded.
"""

import inspect
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from engine import attention
from engine.api import ModelUnavailable
from engine.cuts import COARSE
from engine.linears import Kernel, make_linear
from engine.network import Scores
from engine.prefix_cache import BLOCK
from engine.recording import STEPS, Buffers, Record, Work, buffers, size_for
from engine.sampling import certainty

# As in engine.model: kernels are made for every number of rows and keys, so there are few of them.
_ROWS, _KEYS = 16, 64
# How far scores may lie from plain transformers', as a share of how far they lie from each other.
_DIFFERENCE = {torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.1}
# Bytes of an embedding that may be held a second time, packed to be the head: a quarter of a step.
_TWICE = 256_000_000
_TRIAL = 40  # tokens that are compared: two blocks of them and a step


class _Layer(DynamicLayer):  # type: ignore[no-untyped-call, misc, unused-ignore]
    """Keys and values of one layer: written in place, rewound by setting `length`."""

    def __init__(self, capacity: int, grain: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.length, self._capacity, self._grain = 0, capacity, grain
        self.slots: torch.Tensor | None = None  # where to write, in a run over fixed buffers

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        # Zeros: what was never written is not seen, but must be numbers.
        self._keys, self._values = (
            each.new_zeros(*each.shape[:2], self._capacity, each.shape[-1])
            for each in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        if self.slots is not None:
            where = self.slots.to(self.device)
            self._keys.index_copy_(2, where, key_states)
            self._values.index_copy_(2, where, value_states)
            self.keys, self.values = self._keys, self._values
            return self.keys, self.values
        n = key_states.shape[-2]
        here, shown = slice(self.length, self.length + n), self.get_mask_sizes(n)[0]
        self._keys[:, :, here], self._values[:, :, here] = key_states, value_states
        self.length += n
        self.keys, self.values = self._keys[:, :, :shown], self._values[:, :, :shown]
        return self.keys, self.values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Number of keys, from the first: a few that the mask hides, to have few numbers."""
        if self.slots is not None:
            return self._capacity, 0
        grain = self._grain if query_length > 1 else 1
        return min(self._capacity, _rounded(self.length + query_length, grain)), 0

    def get_seq_length(self) -> int | torch.Tensor:  # type: ignore[override, unused-ignore]
        return self.length if self.slots is None else self.slots[0]


class KeyValues:
    """The keys and values of one sequence, and the runs over fixed buffers that write them."""

    def __init__(self, capacity: int, layers: int, grain: int) -> None:
        self.capacity = capacity
        self.runs: dict[int, tuple[Buffers, Work]] = {}  # by their rows
        held = _rounded(capacity + BLOCK, _KEYS)  # a filled-up run writes behind the last token
        self._layers = [_Layer(held, grain) for _ in range(layers)]
        self.cache = Cache(layers=[*self._layers])

    def rewind(self, position: int) -> None:
        for layer in self._layers:
            layer.length, layer.slots, layer.is_compileable = position, None, False

    def write_to(self, slots: torch.Tensor) -> None:
        """What is run next is told by a buffer where its keys and values go."""
        for layer in self._layers:
            # All places are shown then: transformers has to make a mask for one row too.
            layer.slots, layer.is_compileable = slots, True


class TransformersModel:
    """A model of transformers', ready to run."""

    is_exact = False  # torch's products round differently for every number of rows
    cuts = COARSE

    def __init__(
        self,
        net: Any,
        *,
        positions: int,
        kernel: Kernel | None = None,
        record: Record | None = None,
    ) -> None:
        """Take a PreTrainedModel that is in place; its linears are packed where the kernel is.

        With `record`, runs of few rows and blocks of a prompt are recorded once and then repeated.
        ModelUnavailable where it keeps more than keys and values, or scores differ from its own.
        """
        self._net, self._positions = net, positions
        self._record = record
        self.recorded: tuple[int, ...] = (*STEPS, BLOCK)  # rows of the runs that are repeated
        self.note = ""  # why it is slower than it might be
        self.parameters = sum(each.numel() for each in net.parameters())
        self._layers = _layers(net)
        self._grain = _KEYS if self.device == "cpu" else 1
        self._takes = frozenset(inspect.signature(net.forward).parameters)
        self._settle(kernel)

    @property
    def dtype(self) -> str:
        return str(self._net.dtype).removeprefix("torch.")

    @property
    def device(self) -> str:
        return str(self._net.device.type)

    def new_cache(self, capacity: int) -> KeyValues:
        """Room for `capacity` tokens, or for as many as the model has positions."""
        return KeyValues(min(capacity, self._positions), self._layers, self._grain)

    @torch.inference_mode()
    def scores(
        self, tokens: Sequence[int], position: int, cache: KeyValues, wanted: int = 1
    ) -> Scores:
        """As engine.network.Network has it."""
        n = len(tokens)
        if position + n > cache.capacity:
            raise ValueError(f"{position + n} tokens do not fit a cache of {cache.capacity}")
        size = size_for(n, wanted, self.recorded) if self._record is not None else None
        repeated = None if size is None else self._repeated(tokens, position, cache, size)
        if repeated is not None:
            return repeated[len(repeated) - wanted :]
        cache.rewind(position)
        rows = _rounded(n, _ROWS) if n > 1 and self._grain > 1 else n
        where = self._net.get_input_embeddings().weight.device
        ids = torch.tensor([[*tokens, *[tokens[-1]] * (rows - n)]], device=where)
        places = torch.arange(position, position + rows, device=where)
        kept = torch.arange(n - max(1, wanted), n, device=where)
        logits = self._run(ids, places.clamp_(max=self._positions - 1), kept, cache.cache)
        found: Scores = logits[len(kept) - wanted :].float().cpu().numpy()
        return found

    def _repeated(
        self, tokens: Sequence[int], position: int, cache: KeyValues, size: int
    ) -> Scores | None:
        """The scores that a run over fixed buffers keeps; None where it cannot be recorded here."""
        assert self._record is not None
        made = cache.runs.get(size)
        told = made[0] if made else buffers(size, self._net.get_input_embeddings().weight.device)
        told.fill(tokens, position, self._positions - 1)
        if made is None:
            cache.write_to(told.slots)

            def work() -> torch.Tensor:
                return self._run(told.ids, told.places[0], told.kept, cache.cache).float()

            try:
                made = cache.runs[size] = told, self._record(work)
            except (RuntimeError, NotImplementedError) as error:
                first = str(error).strip().split("\n", 1)[0]
                self._record, self.note = None, f"its steps cannot be recorded: {first}"
                return None
        cache.write_to(told.slots)
        scores: Scores = made[1]().cpu().numpy()
        return scores

    def prefer_recorded_blocks(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Have blocks of a prompt repeated, or told anew with the kernel for them: what is faster here.

        A small model waits to be told; a large one has its attention computed faster.
        """
        if self._record is None or self._positions < 2 * BLOCK:
            return
        cache = self.new_cache(2 * BLOCK)
        cost: dict[tuple[int, ...], float] = {}
        for sizes in ((*STEPS, BLOCK), STEPS):
            self.recorded = sizes
            self.scores([0] * BLOCK, BLOCK, cache)  # once for nothing
            started = clock()
            for _ in range(3):
                self.scores([0] * BLOCK, BLOCK, cache)
            cost[sizes] = clock() - started
        self.recorded = min(cost, key=cost.__getitem__)

    def certainty(self, scores: Scores, token: int) -> tuple[float, float]:
        return certainty(scores, token)

    def _run(
        self, ids: torch.Tensor, places: torch.Tensor, kept: torch.Tensor, cache: Cache
    ) -> torch.Tensor:
        wishes = {"position_ids": places[None], "logits_to_keep": kept}
        taken = {name: each for name, each in wishes.items() if name in self._takes}
        logits: torch.Tensor = self._net(
            input_ids=ids, past_key_values=cache, use_cache=True, **taken
        ).logits[0]
        return logits if "logits_to_keep" in taken else logits[kept]

    def _settle(self, kernel: Kernel | None) -> None:
        """Our attention and linears where they give the model's own scores; else its own."""
        vocabulary = self._net.get_input_embeddings().num_embeddings
        tokens = [(7 * each + 3) % vocabulary for each in range(min(_TRIAL, self._positions))]
        where = self._net.get_input_embeddings().weight.device
        with torch.inference_mode():
            plain = self._net(torch.tensor([tokens], device=where), use_cache=False).logits[0, -2:]
        plain = plain.float().cpu()
        if not bool(torch.isfinite(plain).all()):
            raise ModelUnavailable(
                f"the model gives no numbers (NaN) in {self.dtype}: its weights are damaged, or "
                "it needs --dtype float32"
            )
        own = self._net.config._attn_implementation  # noqa: SLF001 -- there is no other way to ask
        if kernel is not None and kernel.packed:
            _pack(self._net, kernel)
        attention.register()
        record = self._record
        for name, grain, each in (
            *([(attention.NAME, self._grain, record)] if record else []),
            (attention.NAME, self._grain, None),
            (own, 1, None),
        ):
            self._net.set_attn_implementation(name)
            self._grain, self._record = grain, each
            if self._agrees(tokens, plain):
                if record is not None and self._record is None:
                    self.note = self.note or "its steps are not recorded: the scores would differ"
                return
        raise ModelUnavailable(
            f"{type(self._net).__name__} does not give the same scores with its keys and values "
            "cached: choose another model"
        )

    def _agrees(self, tokens: list[int], plain: torch.Tensor) -> bool:
        cache = self.new_cache(len(tokens))
        half = len(tokens) // 2
        try:
            self.scores(tokens[:half], 0, cache)
            self.scores(tokens[half:], half, cache)  # overwritten at once: to rewind is tried too
            before = self.scores(tokens[half:-1], half, cache)
            last = self.scores(tokens[-1:], len(tokens) - 1, cache)
        except (RuntimeError, ValueError, TypeError, AttributeError):
            return False
        ours = torch.from_numpy(last).new_tensor([*before.tolist(), *last.tolist()])
        spread = (plain - plain.mean(-1, keepdim=True)).norm()
        return bool((ours - plain).norm() <= _DIFFERENCE[self._net.dtype] * spread)


def _layers(net: Any) -> int:
    """How many layers keep keys and values; ModelUnavailable where some keep anything else."""
    layers = DynamicCache(config=net.config).layers
    known = (DynamicLayer, DynamicSlidingWindowLayer)
    if not layers or any(type(each) not in known for each in layers):
        raise ModelUnavailable(
            f"{type(net).__name__} remembers more than keys and values, which cannot be rewound: "
            "choose a model with attention alone"
        )
    return len(layers)


class _Packed(torch.nn.Module):
    """A linear layer with its weight packed."""

    def __init__(self, linear: torch.nn.Linear, kernel: Kernel) -> None:
        super().__init__()
        self._multiply = make_linear(linear.weight.detach(), linear.bias, kernel)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self._multiply(rows.reshape(-1, rows.shape[-1])).view(*rows.shape[:-1], -1)


def _pack(net: Any, kernel: Kernel) -> None:
    """Replace linear layers, one by one; a large one that is the embedding too stays as it is."""
    shared = net.get_input_embeddings().weight
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if type(child) is not torch.nn.Linear:
                continue
            if child.weight is not shared or shared.nbytes <= _TWICE:
                setattr(module, name, _Packed(child, kernel))


def _rounded(count: int, step: int) -> int:
    return -(-count // step) * step
