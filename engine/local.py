"""The Completer with a model in this process: gate, window, decode, trim."""

import threading
import time
from dataclasses import replace

from engine.api import (
    Ban,
    CancelToken,
    Completion,
    CompletionOptions,
    Gap,
    ModelInfo,
    ModelUnavailable,
)
from engine.backends import Wish, network_of
from engine.candidates import alternatives, geometric_mean, mean, with_others
from engine.checkpoint import Checkpoint
from engine.decoding import Decoded, Decoder, Request, decode
from engine.fim import FimLayout, render, sentinel_ids
from engine.gates import closed_gate
from engine.gguf_tokenizer import GgufTokenizer
from engine.healing import Spellings, taken_back
from engine.layouts import layout_of
from engine.prefix_cache import Shelf
from engine.retokenizing import Retokenizer
from engine.shape import GgufOutline, Outline, Shape
from engine.showing import Showing
from engine.surroundings import Surroundings, surroundings_of
from engine.tokenizer import Vocabulary, load_tokenizer
from engine.trimming import Draft, stop_rule, trim
from engine.window import crop, window_of

_NEW_TOKENS = 512  # room behind the prompt
_LINE_TOKENS, _LINES_TOKENS = 32, 128
_CACHE_BYTES, _MOST_SEQUENCES = 64_000_000, 6  # for the keys and values of several files
_KEY_BYTES = 4  # at most, of one number
# Sentinels, the tokens around a path, the path itself: see engine.window and engine.fim.
_OVERHEAD = 64


class LocalCompleter:
    """A model and its memory of the last prompt. Calls from several threads take turns."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        wish: Wish | None = None,
        *,
        prompt_tokens: int = 0,
        context_tokens: int = -1,
        preferred: Wish | None = None,
    ) -> None:
        """Read the weights; ModelUnavailable when they do not fit or the model fills no gaps.

        `prompt_tokens` 0 is the prompt that the model is best served with, `context_tokens` -1 what
        of other files; `preferred` is who runs it if the wish leaves that open. torch's number of threads is set for the whole process.
        """
        self._checkpoint = checkpoint
        self._tokenizer = _tokenizer_of(checkpoint)
        self._layout = checkpoint.layout or _known_layout(checkpoint, self._tokenizer)
        try:
            self._ids = sentinel_ids(self._layout, self._tokenizer.id_of, self._tokenizer.encode)
        except ValueError as error:
            raise ModelUnavailable(f"{checkpoint.folder}: {error}: export it again") from error
        if self._tokenizer.size > checkpoint.shape.vocabulary:
            raise ModelUnavailable(
                f"the tokenizer in {checkpoint.folder} has more tokens than the model: "
                "they are of different models"
            )
        self._backend, model = network_of(checkpoint, wish or Wish(), preferred)
        self._prompt_tokens = min(
            prompt_tokens or checkpoint.serving.prompt_tokens, checkpoint.shape.positions * 3 // 4
        )
        wanted = checkpoint.serving.context_tokens if context_tokens < 0 else context_tokens
        self._context_tokens = min(wanted, checkpoint.shape.positions // 8)
        capacity = min(
            self._prompt_tokens + self._context_tokens + _NEW_TOKENS, checkpoint.shape.positions
        )
        spellings = Spellings(self._tokenizer.pieces())
        self._shelf = Shelf(
            lambda: model.new_cache(capacity),
            _sequences(checkpoint.shape, capacity),
            model.cuts,
        )
        ledger, memory = self._shelf.take([])
        self._decoder = Decoder(model, self._tokenizer, spellings, memory, ledger)
        self._retokenizer = Retokenizer(self._tokenizer)
        self._showing = Showing(self._tokenizer)
        self._turn = threading.Lock()

    def complete(self, gap: Gap, options: CompletionOptions, cancel: CancelToken) -> Completion:
        """Fill the gap; the same gap gives the same text, whatever was asked before."""
        if reason := closed_gate(gap, options):
            return Completion("", f"gated:{reason}")
        with self._turn:
            return self._complete(crop(gap), self._as_served(options), cancel)

    def _complete(self, gap: Gap, options: CompletionOptions, cancel: CancelToken) -> Completion:
        started = time.perf_counter()
        around = surroundings_of(gap, options)
        request = self._request(gap, around, options, started)
        tokenized = time.perf_counter()
        wanted = max(0, options.n_candidates - 1)
        decoder = self._decoder_at(request.prompt)
        decoded = decode(decoder, with_others(request, wanted), cancel)

        def fit(found: Decoded) -> Draft:
            capped = found.stop_reason in ("length", "time")
            specials = self._tokenizer.special_texts
            return trim(found.text, around, capped=capped, specials=specials)

        draft, reason = Draft(""), decoded.stop_reason
        confidence = geometric_mean(decoded.log_probabilities)
        if reason != "cancelled":
            draft = fit(decoded)
            reason = f"dropped:{draft.dropped}" if draft.dropped else reason
        if draft.text and options.automatic and (confidence or 0.0) < self._least(options):
            draft, reason = Draft(""), "dropped:unsure"
        others = alternatives(
            decoder, request, decoded, fit=fit, known=draft, wanted=wanted, cancel=cancel
        )
        return Completion(
            text=draft.text,
            stop_reason=reason,
            replace_after=draft.replace_after,
            timings_ms=_timings(started, tokenized, decoded),
            prompt_tokens=len(request.prompt),
            cached_tokens=decoded.cached_tokens,
            new_tokens=len(decoded.tokens),
            model_runs=decoded.steps,
            confidence=confidence,
            entropy=mean(decoded.entropies),
            alternatives=others,
        )

    def _least(self, options: CompletionOptions) -> float:
        """The confidence below which nothing is shown that was not asked for."""
        if options.min_confidence is not None:
            return options.min_confidence
        return self._checkpoint.serving.min_confidence

    @property
    def tokenizer(self) -> Vocabulary:
        return self._tokenizer

    def _as_served(self, options: CompletionOptions) -> CompletionOptions:
        """Of what was not asked for, one line where the model is best at that."""
        if (
            options.automatic
            and options.multiline is None
            and not self._checkpoint.serving.multiline
        ):
            return replace(options, multiline=False)
        return options

    def request(self, gap: Gap, options: CompletionOptions) -> Request:
        """What the model is asked for a gap: for measuring, and comparing engines."""
        gap, options = crop(gap), self._as_served(options)
        return self._request(gap, surroundings_of(gap, options), options, time.perf_counter())

    def raw(self, request: Request) -> Decoded:
        """What the model writes before the rules trim it."""
        with self._turn:
            return decode(self._decoder_at(request.prompt), request, CancelToken())

    def log_probabilities(self, prompt: list[int], answer: list[int]) -> list[float]:
        """Of an answer's tokens behind a prompt, each behind those before it: for measuring."""
        if not answer:
            return []
        model = self._decoder.model
        with self._turn:
            memory = model.new_cache(len(prompt) + len(answer))
            scores = model.scores([*prompt, *answer[:-1]], 0, memory, len(answer))
            return [
                model.certainty(behind, token)[0]
                for behind, token in zip(scores, answer, strict=True)
            ]

    def _decoder_at(self, prompt: list[int]) -> Decoder:
        """The model with the memory that has most in common with a prompt."""
        ledger, memory = self._shelf.take(prompt)
        return replace(self._decoder, ledger=ledger, memory=memory)

    def _request(
        self, gap: Gap, around: Surroundings, options: CompletionOptions, started: float
    ) -> Request:
        owed = taken_back(around.line_before, self._tokenizer.split, self._decoder.spellings)
        limit, limit_ms = options.max_new_tokens, options.time_limit_ms
        if limit is None:
            limit = _LINES_TOKENS if around.multiline else _LINE_TOKENS
        return Request(
            prompt=self._prompt(
                replace(gap, prefix=gap.prefix[: len(gap.prefix) - len(owed)]),
                options.context_tokens,
            ),
            max_new_tokens=max(0, limit),
            stop=stop_rule(around),
            deadline=None if limit_ms is None else started + limit_ms / 1000,
            owed=owed,
            banned=tuple(
                Ban(each.text.replace("\r\n", "\n"), each.after.replace("\r\n", "\n"))
                for each in options.banned
            ),
        )

    def _prompt(self, gap: Gap, context_tokens: int | None) -> list[int]:
        window = window_of(gap, self._retokenizer, max(1, self._prompt_tokens - _OVERHEAD))
        most = self._context_tokens if context_tokens is None else context_tokens
        files = self._showing.files(gap.context, min(most, self._context_tokens))
        prefix = window.prefix
        if files and self._ids.file_sep is None:
            # A model of single files takes them for what stands at the top of this one.
            prefix = [*(token for _, text in files for token in text), *prefix]
            files = []
        return self._tokenizer.opening + render(
            self._layout,
            order="spm" if self._layout.spm else "psm",
            prefix=prefix,
            suffix=window.suffix,
            path=window.path,
            files=files,
            ids=self._ids,
        )

    def describe(self) -> ModelInfo:
        checkpoint, model = self._checkpoint, self._decoder.model
        return ModelInfo(
            name=checkpoint.name,
            device=model.device,
            dtype=model.dtype,
            backend=self._backend,
            note=model.note,
            parameters=model.parameters,
            folder=str(checkpoint.folder),
            corpus_hash=checkpoint.corpus.get("hash", ""),
            recipe_hash=checkpoint.corpus.get("recipe_hash", ""),
            corpus_parts=" ".join(checkpoint.corpus.get(k, "") for k in ("parts", "part_recipes")),
            context=self._prompt_tokens,
        )

    def close(self) -> None:
        """Nothing is held but memory."""


def _sequences(shape: Shape | Outline, capacity: int) -> int:
    """How many files' keys and values fit into what they may take."""
    each = shape.kept * capacity * _KEY_BYTES
    return max(1, min(_MOST_SEQUENCES, _CACHE_BYTES // each))


def _tokenizer_of(checkpoint: Checkpoint) -> Vocabulary:
    if isinstance(checkpoint.shape, GgufOutline):
        return GgufTokenizer(checkpoint.folder)
    return load_tokenizer(checkpoint.folder / "tokenizer.json")


def _known_layout(checkpoint: Checkpoint, tokenizer: Vocabulary) -> FimLayout:
    layout = layout_of(tokenizer.id_of, tokenizer.sentinels)
    if layout is None:
        raise ModelUnavailable(
            f"the model in {checkpoint.folder} has no fill-in-the-middle tokens: choose one that "
            "was trained to fill gaps"
        )
    return layout


def _timings(started: float, tokenized: float, decoded: Decoded) -> dict[str, float]:
    return {
        "tokenize": (tokenized - started) * 1000,
        "prefill": decoded.prefill_ms,
        "decode": decoded.decode_ms,
        "total": (time.perf_counter() - started) * 1000,
    }
