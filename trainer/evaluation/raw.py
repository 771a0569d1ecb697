"""The model without the engine's policy: prompts in its own layout, continued by transformers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.fim import File, Order, SentinelIds, heading, layout_from_json, render, sentinel_ids
from engine.layouts import layout_of
from trainer.evaluation.batched import Continuation, Seen, continue_all
from trainer.evaluation.cases import Case
from trainer.evaluation.causal import CausalModel
from trainer.examples import crop

LINE_TOKENS, LINES_TOKENS = 64, 128
CONTEXT = 1024  # prompt tokens, as served
_SPARE = 16  # new tokens beyond those of the answer, where that is longer
_PATH_TOKENS = 48  # as served


@dataclass(frozen=True, slots=True)
class Prompt:
    tokens: list[int]
    is_cropped: bool  # text before or behind the gap was left out


class RawModel:
    """Fills gaps by plain decoding, many at once, up to the end token."""

    def __init__(
        self, model: CausalModel, *, order: Order | None = None, context: int | None = None
    ) -> None:
        """ValueError for a model without such a layout; no order means the one to prefer."""
        most = model.positions * 3 // 4  # the rest is for the answer
        if context is not None and context > most:
            raise ValueError(
                f"{model.name} takes {model.positions} tokens in all: lower --context to {most}"
            )
        self.model = model
        self.layout = _layout(model)
        self.order: Order = order or ("spm" if self.layout.spm else "psm")
        self.layout.pieces(self.order)
        self.context = min(CONTEXT, most) if context is None else context
        self.ids: SentinelIds = sentinel_ids(self.layout, model.tokenizer.id_of, self._encode)
        # SentencePiece puts a blank before a text, which a suffix must not begin with.
        self._blanks = model.tokenizer.id_of("\u2581") is not None

    def _encode(self, text: str) -> list[int]:
        return self.model.tokenizer.encode(text)

    def _behind(self, text: str) -> list[int]:
        if not self._blanks:
            return self._encode(text)
        mark = "\u263a"  # CodeLlama's own way: encode behind a mark, then take the mark off
        return self._encode(mark + text)[len(self._encode(mark)) :]

    @property
    def knows_files(self) -> bool:
        """Whether it was trained to look at other files of the repository."""
        return self.ids.file_sep is not None

    def prompt(self, case: Case, *, with_files: bool = False) -> Prompt:
        """At most `context` tokens: other files up to half, of the rest 3/4 before the gap."""
        path = self._encode(case.path)[-_PATH_TOKENS:] if case.path else []
        files = self._files(case) if with_files else []
        repository = self._encode(case.repository) if files else []
        opening = self.model.tokenizer.opening
        head = heading(self.ids, path=path, repository=repository, files=files)
        room = self.context - len(opening) - len(head) - 3
        if room < 8:
            raise ValueError(f"--context {self.context} leaves no room for the text: raise it")
        characters = self.context * 8
        before = self._encode(case.prefix[-characters:])
        behind = self._behind(case.suffix[:characters])
        prefix, suffix = crop(before, behind, room)
        shown = len(prefix) == len(before) and len(suffix) == len(behind)
        whole = shown and max(len(case.prefix), len(case.suffix)) <= characters
        tokens = render(
            self.layout,
            order=self.order,
            prefix=prefix,
            suffix=suffix,
            path=path,
            repository=repository,
            files=files,
            ids=self.ids,
        )
        return Prompt([*opening, *tokens], is_cropped=not whole)

    def _files(self, case: Case) -> list[File]:
        """The other files from a little before the place that matters, in half of the context."""
        out: list[File] = []
        room = self.context // 2
        for file in case.files:
            ids, starts = self.model.tokenizer.encode_with_starts(file.text)
            path = self._encode(file.path)[-_PATH_TOKENS:]
            size = min(len(ids), room // len(case.files) - len(path) - 2)
            place = sum(start < file.offset for start in starts)
            first = max(0, min(place - size // 8, len(ids) - size))
            out.append((path, ids[first : first + max(0, size)]))
        return out

    def fill(
        self,
        cases: Sequence[Case],
        *,
        with_files: bool = False,
        temperature: float = 0.0,
        seeds: Sequence[int] = (),
        budget: int = 8192,
        seen: Seen = iter,
    ) -> tuple[list[str], int]:
        """The text for each gap, and how many prompts lost some of their text."""
        prompts = [self.prompt(case, with_files=with_files) for case in cases]
        wanted = [
            Continuation(each.tokens, self._limit(case, each), seeds[number] if seeds else 0)
            for number, (each, case) in enumerate(zip(prompts, cases, strict=True))
        ]
        found = continue_all(self.model, wanted, temperature=temperature, budget=budget, seen=seen)
        return [self.text(each) for each in found], sum(each.is_cropped for each in prompts)

    def _limit(self, case: Case, prompt: Prompt) -> int:
        usual = LINES_TOKENS if "\n" in case.middle.strip() else LINE_TOKENS
        wanted = max(usual, len(self._encode(case.middle)) + _SPARE)
        return min(wanted, self.model.positions - len(prompt.tokens))

    def text(self, tokens: Sequence[int]) -> str:
        """The text of a continuation; an anchor before it keeps a leading blank."""
        decode = self.model.tokenizer.decode
        if not self._blanks:
            return decode(tokens)
        anchor = self._encode("x")
        return decode([*anchor, *tokens])[len(decode(anchor)) :]


def _layout(model: CausalModel) -> Any:
    import json

    about = model.folder / "footnote.json"
    if about.is_file():
        try:
            return layout_from_json(json.loads(about.read_text(encoding="utf-8"))["fim"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the layout in {about} is damaged: {error}") from error
    layout = layout_of(model.tokenizer.id_of)
    if layout is None:
        raise ValueError(
            f"{model.name} has no fill-in-the-middle tokens: choose a model that was trained to "
            "fill gaps"
        )
    return layout
