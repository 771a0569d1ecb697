"""Hugging Face generate on our prompts: the peer that everybody has."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from engine.cores import physical_cores
from engine.decoding import Request
from engine.healing import Spellings
from engine.tokenizer import TextStream, Tokenizer
from trainer.evaluation.latency import Sample


class Generator:
    """AutoModelForCausalLM with greedy generate(), stopped by the same rule as ours.

    With `keep_cache` the keys and values of the last prompt are kept and cropped to what the next
    has in common with it, as a careful user of the library would do by hand.
    """

    def __init__(
        self,
        folder: Path,
        tokenizer: Tokenizer,
        *,
        dtype: str,
        keep_cache: bool,
        threads: int,
        device: str = "cpu",
    ) -> None:
        from transformers import AutoModelForCausalLM

        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, dtype=getattr(torch, dtype)
        )
        self._model = loaded.to(device)
        self._tokenizer = tokenizer
        self._spellings = Spellings(tokenizer.pieces())
        self._keep_cache = keep_cache
        self.threads = threads
        self._cache: Any = None
        self._cached: list[int] = []

    def run(self, request: Request) -> tuple[Sample, list[int]]:
        """Time one continuation; also its tokens, without special ones."""
        from transformers import LogitsProcessorList, StoppingCriteriaList

        prompt = request.prompt
        rules = _Rules(self._tokenizer, self._spellings, request)
        ends = sorted(self._tokenizer.special_ids)
        with _threads(self.threads):
            started = time.perf_counter()
            kept = self._rewind(prompt)
            result = self._model.generate(
                input_ids=torch.tensor([prompt], device=self._model.device),
                attention_mask=torch.ones(
                    1, len(prompt), dtype=torch.long, device=self._model.device
                ),
                past_key_values=self._cache,
                max_new_tokens=request.max_new_tokens + len(request.owed),
                do_sample=False,
                eos_token_id=ends,
                pad_token_id=ends[0],
                logits_processor=LogitsProcessorList([rules.choose]),
                stopping_criteria=StoppingCriteriaList([rules.stop]),
                return_dict_in_generate=True,
            )
            took = (time.perf_counter() - started) * 1000
        sequence = result.sequences[0].tolist()
        if self._keep_cache:
            # The last token was chosen but not run.
            self._cache, self._cached = result.past_key_values, sequence[:-1]
        tokens = [
            each for each in sequence[len(prompt) :] if each not in self._tokenizer.special_ids
        ]
        return Sample(took, len(prompt), kept, len(tokens)), tokens

    def _rewind(self, prompt: Sequence[int]) -> int:
        """Crop the kept cache to the common beginning; returns its length."""
        if self._cache is None:
            return 0
        common = 0
        limit = min(len(self._cached), len(prompt) - 1)
        while common < limit and self._cached[common] == prompt[common]:
            common += 1
        surplus = int(self._cache.get_seq_length()) - common
        if surplus > 0:
            self._cache.crop(-surplus)
        if common == 0 or int(self._cache.get_seq_length()) != common:
            self._cache = None
            return 0
        return common


class _Rules:
    """What the engine allows and when it stops, as generate() wants to be told it."""

    def __init__(self, tokenizer: Tokenizer, spellings: Spellings, request: Request) -> None:
        self._stream = TextStream(tokenizer)
        self._spellings = spellings
        self._special = list(tokenizer.special_ids)
        self._request = request
        self._seen = len(request.prompt)
        self._shown = 0

    def choose(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Spell what is owed first, and do not end at once."""
        if self._shown:
            return scores
        chosen = scores.clone()
        chosen[:, self._special] = -torch.inf
        if owed := self._owed():
            allowed = self._spellings.continuing(owed)
            chosen = torch.full_like(scores, -torch.inf)
            chosen[:, allowed] = scores[:, allowed]
        return chosen

    def _owed(self) -> str:
        return "" if self._shown else self._request.owed[len(self._stream.text) :]

    def stop(self, input_ids: torch.Tensor, scores: Any, **rest: Any) -> torch.Tensor:
        """Whether the text so far is enough."""
        done = False
        for token in input_ids[0, self._seen :].tolist():
            owed, text = self._owed(), self._stream.push(token)
            if not owed or len(text) > len(self._request.owed):
                self._shown += 1
                done = self._request.stop(text[len(self._request.owed) :]) is not None
        self._seen = input_ids.shape[1]
        enough = done or self._shown >= self._request.max_new_tokens
        return torch.tensor([enough], device=input_ids.device)


def best_threads(generator: Generator, request: Request) -> int:
    """One thread or one per core, whichever serves generate() better here and now."""
    few = replace(request, max_new_tokens=4)
    times = {}
    for threads in sorted({1, physical_cores()}):
        generator.threads = threads
        generator.run(few)
        times[threads] = min(generator.run(few)[0].milliseconds for _ in range(3))
    return min(times, key=lambda threads: times[threads])


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
