"""Gaps as llama.cpp's /infill and OpenAI's completions ask for them, and the answers their clients read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from engine.api import CompletionOptions, Gap
from engine.prompts import parted
from lsp_server.convert import speakable
from lsp_server.web import Refused, Reply

if TYPE_CHECKING:
    from engine.api import Completion

_MOST_TOKENS = 512
_READ = frozenset(
    "footnote input_prefix input_suffix max_tokens model n_predict prompt response_fields stop stream "
    "suffix t_max_predict_ms t_max_prompt_ms".split()
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A gap to fill, and how the answer is to be told."""

    gap: Gap
    options: CompletionOptions
    stop: tuple[str, ...] = ()
    is_stream: bool = False
    fields: tuple[str, ...] = ()  # of llama.cpp's answer: these only, if any
    ignored: tuple[str, ...] = ()  # what was asked and has no effect


@dataclass(frozen=True, slots=True)
class Filled:
    """What an answer is made of."""

    text: str
    stop_reason: str
    completion: Completion
    footnote: Mapping[str, Any]  # what the corpus says
    model: str
    id: str
    created: int


def infill(body: Mapping[str, Any]) -> Wanted:
    """llama.cpp's /infill: what stands on the cursor's line may be in `prompt`."""
    before = _text(body, "input_prefix") + _text(body, "prompt", "")
    times = [_number(body, name) for name in ("t_max_prompt_ms", "t_max_predict_ms")]
    fields = body.get("response_fields") or []
    if not _is_texts(fields):
        raise _bad("`response_fields` must be a list of names")
    return _wanted(
        body,
        (before, _text(body, "input_suffix")),
        n_tokens=_number(body, "n_predict"),
        time_limit_ms=None if None in times else float(sum(each or 0 for each in times)),
        fields=tuple(fields),
    )


def completions(body: Mapping[str, Any]) -> Wanted:
    """OpenAI's completions: prompt and suffix, or a prompt laid out for some model."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise _bad("`prompt` must be a string; lists of prompts and of tokens are not read")
    suffix = _text(body, "suffix", "")
    sides = (None if suffix else parted(prompt)) or (prompt, suffix)
    return _wanted(body, sides, n_tokens=_number(body, "max_tokens"))


def _wanted(
    body: Mapping[str, Any],
    sides: tuple[str, str],
    *,
    n_tokens: int | None,
    time_limit_ms: float | None = None,
    fields: tuple[str, ...] = (),
) -> Wanted:
    known = body.get("footnote") or {}
    if not isinstance(known, Mapping):
        raise _bad("`footnote` must be an object: path, language")
    stream = body.get("stream") or False
    if not isinstance(stream, bool):
        raise _bad("`stream` must be true or false")
    stop = body.get("stop") or []
    stop = [stop] if isinstance(stop, str) else stop
    if not _is_texts(stop):
        raise _bad("`stop` must be a string or a list of strings")
    before, after = map(speakable, sides)
    gap = Gap(before, after, _text(known, "path", ""), _text(known, "language", ""))
    limit = None if n_tokens is None else min(n_tokens, _MOST_TOKENS)
    return Wanted(
        gap,
        CompletionOptions(max_new_tokens=limit, time_limit_ms=time_limit_ms or None),
        tuple(each for each in stop if each),
        stream,
        fields,
        tuple(sorted(set(map(str, body)) - _READ)),
    )


def infill_reply(wanted: Wanted, filled: Filled) -> Reply:
    value = _infilled(filled)
    if wanted.is_stream:
        first = {"content": filled.text, "stop": False}
        return Reply((first, {**value, "content": ""}), is_stream=True)
    if wanted.fields:
        told = {name: _at(value, name) for name in wanted.fields}
        chosen = {name: each for name, each in told.items() if each is not None}
        value = {**chosen, "footnote": filled.footnote}
    return Reply((value,))


def completions_reply(wanted: Wanted, filled: Filled) -> Reply:
    made = filled.completion
    usage = {
        "prompt_tokens": made.prompt_tokens,
        "completion_tokens": made.new_tokens,
        "total_tokens": made.prompt_tokens + made.new_tokens,
    }
    about = {
        "id": filled.id,
        "object": "text_completion",
        "created": filled.created,
        "model": filled.model,
    }

    def chunk(text: str, reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}
        return {**about, "choices": [choice]}

    reason = "length" if filled.stop_reason in {"length", "time"} else "stop"
    if wanted.is_stream:
        last = {**chunk("", reason), "usage": usage, "footnote": filled.footnote}
        return Reply((chunk(filled.text, None), last, "[DONE]"), is_stream=True)
    return Reply(({**chunk(filled.text, reason), "usage": usage, "footnote": filled.footnote},))


def _infilled(filled: Filled) -> dict[str, Any]:
    made = filled.completion
    kinds = {"length": "limit", "time": "limit", "stop": "word"}
    fresh = max(0, made.prompt_tokens - made.cached_tokens)
    timings = {
        **_speed("prompt", fresh, made.timings_ms.get("prefill", 0.0)),
        **_speed("predicted", made.new_tokens, made.timings_ms.get("decode", 0.0)),
    }
    return {
        "index": 0,
        "content": filled.text,
        "model": filled.model,
        "stop": True,
        "stop_type": kinds.get(filled.stop_reason, "eos"),
        "truncated": False,
        "tokens_cached": made.cached_tokens,
        "tokens_evaluated": made.prompt_tokens,
        "tokens_predicted": made.new_tokens,
        "timings": timings,
        "footnote": filled.footnote,
    }


def _speed(name: str, n_tokens: int, ms: float) -> dict[str, float]:
    return {
        f"{name}_n": n_tokens,
        f"{name}_ms": round(ms, 3),
        f"{name}_per_token_ms": round(ms / n_tokens, 3) if n_tokens else 0.0,
        f"{name}_per_second": round(n_tokens / ms * 1000, 3) if ms else 0.0,
    }


def _at(value: Any, name: str) -> Any:
    """A field by its path; llama.cpp tells it under the path as its name."""
    for part in name.split("/"):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _text(body: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = body.get(name)
    value = default if value is None else value
    if not isinstance(value, str):
        raise _bad(f"`{name}` must be a string")
    return value


def _number(body: Mapping[str, Any], name: str) -> int | None:
    """A count; None where it is not said, or is below zero, which means as many as you like."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise _bad(f"`{name}` must be a number")
    return None if value < 0 else int(min(value, 1e9))


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _bad(message: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, message)
