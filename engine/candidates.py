"""Other answers to the same prompt: what the model would write behind its next best first tokens.

They are decoded one after the other on the prompt that is in memory already, so that each costs
its own tokens only. Branching at the first token found as many right lines as any other place did
(decision 26).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from engine.api import Alternative, CancelToken
from engine.decoding import Decoded, Decoder, Request, decode
from engine.trimming import Draft

_TRIES = 2  # branches for each alternative that is wanted: some end in a text that is there already


def with_others(request: Request, n_alternatives: int) -> Request:
    """The request, with as many other beginnings noted as may be tried."""
    return replace(request, n_others=_TRIES * n_alternatives)


def alternatives(
    decoder: Decoder,
    request: Request,
    first: Decoded,
    *,
    fit: Callable[[Decoded], Draft],
    known: Draft,
    wanted: int,
    cancel: CancelToken,
) -> tuple[Alternative, ...]:
    """Up to `wanted` texts that differ from `known` and from each other, the surest first.

    `fit` trims what was decoded. Cancelling and the request's time limit end the search; what was
    found until then is kept.
    """
    found: list[Alternative] = []
    texts = {_said(known.text)}
    for decoded in _branches(decoder, request, first, cancel):
        draft = fit(decoded)
        if not draft.text or _said(draft.text) in texts:
            continue
        texts.add(_said(draft.text))
        confidence = geometric_mean(decoded.log_probabilities)
        found.append(Alternative(draft.text, draft.replace_after, confidence))
        if len(found) == wanted:
            break
    return tuple(sorted(found, key=lambda each: -(each.confidence or 0.0)))


def _branches(
    decoder: Decoder, request: Request, first: Decoded, cancel: CancelToken
) -> Iterator[Decoded]:
    for beginning in first.others:
        decoded = decode(decoder, replace(request, begun=beginning, n_others=0), cancel)
        if decoded.stop_reason in ("cancelled", "time"):
            return
        yield decoded


def _said(text: str) -> str:
    """What makes two texts different for a reader: not the blanks at the ends of their lines."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()


def mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def geometric_mean(log_probabilities: Sequence[float]) -> float | None:
    """How sure the model is of a text, between 0 and 1."""
    average = mean(log_probabilities)
    return None if average is None else math.exp(average)
