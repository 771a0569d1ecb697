"""A model in a GGUF file, run by llama.cpp; each sequence of keys and values is a context of its own.

A prompt's rows are the same to the last bit in whatever company, from a number of rows on that
depends on how the file stores its weights: that number is tried when the model is loaded. A row
alone goes through other products, which are twice as fast as two rows are: so tokens are written
one by one, without guesses, and what was written is computed again when it comes in a prompt.
"""

import ctypes
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.api import ModelUnavailable
from engine.cuts import COARSE, Cuts
from engine.devices import memory
from engine.llama_library import DENSE_ATTENTION, Llama, llama, opened
from engine.network import Scores
from engine.sampling import certainty

_BATCH = 128  # tokens that are run at a time
_OUTPUTS = (
    16  # rows of scores that room is kept for: of a large vocabulary each takes half a megabyte
)
_SMALL = 300_000_000  # parameters; a larger model looks at the clock more often
_TURNS = 4  # to time a token with so many threads or so many
_FEW = 8  # rows: of fewer, threads may wait longer for each other than they compute
_TRIAL = 36  # tokens that are run in several ways when the model is loaded
# How a prompt may be cut, the finest way first, each with parts that try it. The second is how four
# rows at a time are packed for, the third how eight are unpacked for, and files such as Q4_K_M have both.
_WAYS = (
    (Cuts(grain=1, least=2, block=_BATCH), (3, 7, 24, 2)),
    (Cuts(grain=4, least=2, block=_BATCH), (4, 8, 16, 8)),
    (Cuts(grain=1, least=8, block=_BATCH), (8, 11, 9, 8)),
    (Cuts(grain=4, least=8, block=_BATCH), (8, 12, 8, 8)),
)
_INVALID = -1  # what llama_decode says of a token or a place that there is not


class LlamaKeyValues:
    """The keys and values of one sequence."""

    def __init__(
        self, library: Llama, model: int, capacity: int, threads: int, *, outputs: int = _OUTPUTS
    ) -> None:
        """MemoryError where there is no room for them."""
        self.capacity, self.outputs = capacity, outputs
        self._library = library
        wishes = library.context_wishes()
        wishes.n_ctx = capacity
        wishes.n_batch = wishes.n_ubatch = _BATCH
        wishes.n_outputs_max = outputs
        wishes.n_threads = wishes.n_threads_batch = threads
        wishes.flash_attention = DENSE_ATTENTION
        library.said.clear()
        self.context: int | None = library.call["llama_init_from_model"](model, wishes)
        if not self.context:
            raise MemoryError(library.why())
        self.memory = library.call["llama_get_memory"](self.context)

    def __del__(self) -> None:
        if getattr(self, "context", None):
            self._library.call["llama_free"](self.context)
            self.context = None


class LlamaModel:
    """The weights of one file, mapped or packed by llama.cpp."""

    note = ""
    is_exact = False  # a row alone is not what it is in company

    def __init__(
        self,
        parts: Sequence[Path],
        *,
        threads: int = 1,
        offload: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """ModelUnavailable where llama.cpp cannot run it, MemoryError where there is no room."""
        size = sum(each.stat().st_size for each in parts)
        if size > memory():
            raise MemoryError(f"{size / 1e6:,.0f} MB of weights")
        self._threads = self._threads_for_few = threads
        self._library = llama()
        self._model: int | None = opened(parts[0], offload=offload)
        call = self._call = self._library.call
        self._refuse(parts[0])
        self.parameters = int(call["llama_model_n_params"](self._model))
        self.dtype = self._stored()
        self.device = "gpu" if offload and call["llama_supports_gpu_offload"]() else "cpu"
        self._vocabulary = int(
            call["llama_vocab_n_tokens"](call["llama_model_get_vocab"](self._model))
        )
        self._batch = call["llama_batch_init"](_BATCH, 0, 1)
        for place in range(_BATCH):
            self._batch.n_sequences[place] = 1
            self._batch.sequences[place][0] = 0
        trial = LlamaKeyValues(self._library, self._model, _TRIAL, threads, outputs=_TRIAL)
        if threads > 1 and self.parameters < _SMALL:
            self._threads_for_few = self._quickest(trial, clock)
        self.cuts = self._tried(trial)

    def __del__(self) -> None:
        if getattr(self, "_batch", None) is not None:
            self._call["llama_batch_free"](self._batch)
            self._batch = None
        if getattr(self, "_model", None):
            self._call["llama_model_free"](self._model)
            self._model = None

    def new_cache(self, capacity: int) -> LlamaKeyValues:
        """Room for `capacity` tokens."""
        assert self._model
        return LlamaKeyValues(self._library, self._model, capacity, self._threads)

    def scores(
        self, tokens: Sequence[int], position: int, cache: LlamaKeyValues, wanted: int = 1
    ) -> Scores:
        """As engine.network.Network has it."""
        if position + len(tokens) > cache.capacity:
            raise ValueError(
                f"{position + len(tokens)} tokens do not fit a cache of {cache.capacity}"
            )
        if not self._call["llama_memory_seq_rm"](cache.memory, 0, position, -1):
            raise RuntimeError("llama.cpp cannot go back in this model's memory")
        found = np.empty((wanted, self._vocabulary), np.float32)
        first = len(tokens) - wanted  # the first whose scores are wanted
        size = _BATCH if wanted <= cache.outputs else cache.outputs
        for start in range(0, len(tokens), size):
            part = tokens[start : start + size]
            self._run(part, position + start, cache, max(0, first - start))
            for place in range(max(first, start), start + len(part)):
                row = self._call["llama_get_logits_ith"](cache.context, place - start)
                found[place - first] = np.ctypeslib.as_array(row, (self._vocabulary,))
        return found

    def certainty(self, scores: Scores, token: int) -> tuple[float, float]:
        return certainty(scores, token)

    def _run(self, tokens: Sequence[int], position: int, cache: LlamaKeyValues, first: int) -> None:
        self._library.said.clear()
        threads = self._threads if len(tokens) >= _FEW else self._threads_for_few
        self._call["llama_set_n_threads"](cache.context, threads, threads)
        batch = self._batch
        batch.n_tokens = len(tokens)
        for place, token in enumerate(tokens):
            batch.tokens[place] = token
            batch.places[place] = position + place
            batch.wanted[place] = place >= first
        said = self._call["llama_decode"](cache.context, batch)
        if said:
            why = self._library.why()
            raise (ValueError if said == _INVALID else RuntimeError)(f"llama.cpp gave up: {why}")

    def _quickest(self, cache: LlamaKeyValues, clock: Callable[[], float]) -> int:
        """How many threads run a token soonest here: one, or all that there are."""
        took: dict[int, float] = {}
        for threads in (1, self._threads) * _TURNS:
            self._threads_for_few = threads
            started = clock()
            self.scores([0], 0, cache)
            took[threads] = min(clock() - started, took.get(threads, float("inf")))
        return min(took, key=took.__getitem__)

    def _tried(self, cache: LlamaKeyValues) -> Cuts:
        """How prompts may be cut without a change in the last bit of any row."""
        whole = self._in_parts((_TRIAL,), cache)
        if not np.isfinite(whole).all():
            raise ModelUnavailable(
                "the model gives no numbers (NaN): its file is damaged, copy it again or choose another"
            )
        block = _BATCH if self.parameters < _SMALL else _BATCH // 4
        for cuts, parts in _WAYS:
            if np.array_equal(self._in_parts(parts, cache), whole):
                return replace(cuts, block=block)
        return COARSE

    def _in_parts(self, parts: Sequence[int], cache: LlamaKeyValues) -> Scores:
        """All rows of a text that is run in parts."""
        tokens = [each * 7919 % self._vocabulary for each in range(1, _TRIAL + 1)]
        place, found = 0, []
        for part in parts:
            found.append(self.scores(tokens[place : place + part], place, cache, part))
            place += part
        return np.concatenate(found)

    def _refuse(self, path: Path) -> None:
        call = self._call
        remembers = call["llama_model_is_recurrent"](self._model) or call["llama_model_is_hybrid"](
            self._model
        )
        if remembers or call["llama_model_has_encoder"](self._model):
            raise ModelUnavailable(
                f"the model in {path} remembers more than keys and values, which cannot be rewound: "
                "choose a model with attention alone"
            )

    def _stored(self) -> str:
        """Such as q8_0, the last of what llama.cpp says of a model."""
        text = ctypes.create_string_buffer(256)
        self._call["llama_model_desc"](self._model, text, len(text))
        words = text.value.decode("utf-8", "replace").split(" - ")[0].split()
        return words[-1].lower() if words else "gguf"
