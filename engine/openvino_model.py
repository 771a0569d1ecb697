"""The model on OpenVINO: int8 weights, paged attention, the blocks of keys and values our own."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from engine.arrays import Floats
from engine.cuts import ANYWHERE, COARSE
from engine.network import Scores
from engine.openvino_graph import build
from engine.openvino_runtime import ov, paged_attention_transformation
from engine.sampling import certainty
from engine.shape import Shape

_BLOCK = 32  # tokens of a block of keys and values: the plugin's own


class PagedKeyValues:
    """The keys and values of one sequence, in the blocks 0, 1, 2 and so on."""

    def __init__(self, compiled: ov.CompiledModel, capacity: int) -> None:
        self.capacity = capacity
        count = -(-(capacity + 1) // _BLOCK)  # a row more: see OpenVinoModel.scores
        self.blocks = np.arange(count, dtype=np.int32)
        self.tensors: dict[str, ov.Tensor] = {}
        for port in compiled.inputs:
            name = port.get_any_name()
            if "cache." in name:
                sizes = [
                    each.get_length() if each.is_static else count
                    for each in port.get_partial_shape()
                ]
                self.tensors[name] = ov.Tensor(port.get_element_type(), ov.Shape(sizes))


class OpenVinoModel:
    """The weights of one model, compiled for this CPU."""

    device = "cpu"
    note = ""
    dtype = "int8"

    def __init__(
        self, shape: Shape, arrays: Iterable[tuple[str, Floats]], *, threads: int = 0
    ) -> None:
        """Build and compile; ModelUnavailable when a weight is missing or of the wrong size.

        RuntimeError when OpenVINO cannot run it here.
        """
        weights = dict(arrays)
        if shape.tied:
            weights.pop("lm_head.weight", None)
        self.shape = shape
        self.parameters = sum(each.size for each in weights.values())
        graph = build(shape, weights)
        del weights
        paged_attention_transformation(graph)
        settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": threads or os.cpu_count() or 1,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "KV_CACHE_PRECISION": "f16",
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = ov.Core().compile_model(graph, "CPU", settings)
        self._request = self._compiled.create_infer_request()
        self._cache: PagedKeyValues | None = None
        self.is_exact = self._rows_are_exact()
        self.cuts = ANYWHERE if self.is_exact else COARSE

    def _rows_are_exact(self) -> bool:
        """Run a few tokens in several companies: whether their scores are the same to the last bit.

        They are where the plugin multiplies any two rows or more in the same way; a row alone has
        another kernel and never runs alone.
        """
        tokens = [each * 7919 % self.shape.vocabulary for each in range(1, 41)]
        cache = self.new_cache(64)
        whole = self.scores(tokens, 0, cache, len(tokens))
        for size in (1, 3, 16):
            for place in range(0, len(tokens), size):
                part = tokens[place : place + size]
                found = self.scores(part, place, cache, len(part))
                if not np.array_equal(found, whole[place : place + len(part)]):
                    return False
        return True

    def new_cache(self, capacity: int) -> PagedKeyValues:
        """Room for `capacity` tokens."""
        return PagedKeyValues(self._compiled, capacity)

    def scores(
        self, tokens: Sequence[int], position: int, cache: PagedKeyValues, wanted: int = 1
    ) -> Scores:
        """As engine.network.Network has it."""
        if position + len(tokens) > cache.capacity:
            raise ValueError(
                f"{position + len(tokens)} tokens do not fit a cache of {cache.capacity}"
            )
        asked = len(tokens)
        if asked == 1:  # a row alone is multiplied in another way: see _rows_are_exact
            tokens = [*tokens, *tokens]
        count, end = len(tokens), position + len(tokens)
        if cache is not self._cache:
            for name, tensor in cache.tensors.items():
                self._request.set_tensor(name, tensor)
            self._cache = cache
        used = -(-end // _BLOCK)
        rows = max(1, wanted)
        inputs = {
            "input_ids": np.array(tokens, np.int64),
            "position_ids": np.arange(position, end, dtype=np.int64),
            "past_lens": np.array([position], np.int32),
            "subsequence_begins": np.array([0, count], np.int32),
            "block_indices": cache.blocks[:used].copy(),
            "block_indices_begins": np.array([0, used], np.int32),
            "max_context_len": np.array(end, np.int32),
            "rows": np.arange(asked - rows, asked, dtype=np.int64),
        }
        for name, values in inputs.items():
            self._request.set_tensor(name, ov.Tensor(values))
        self._request.infer()
        found: Scores = self._request.get_output_tensor(0).data
        return found.reshape(rows, -1)[rows - wanted :].astype(np.float32)

    def certainty(self, scores: Scores, token: int) -> tuple[float, float]:
        return certainty(scores, token)
