"""Scores to tokens; pure functions of arrays."""

from collections.abc import Collection, Sequence

import numpy as np

from engine.network import Scores


def certainty(scores: Scores, token: int, allowed: Sequence[int] = ()) -> tuple[float, float]:
    """How sure the model is of a token of [vocabulary]: its log-probability and the entropy, nats.

    Both are among `allowed` where that is given: what is known to come is no merit of the model's.
    """
    among = scores[list(allowed)] if allowed else scores
    shifted = among - among.max()
    weights = np.exp(shifted)
    total = weights.sum()
    log_total = float(np.log(total))
    # Nothing is lost where the weight is nothing, whatever its score.
    mean = float(weights @ np.where(weights > 0, shifted, 0.0) / total)
    return float(scores[token] - among.max()) - log_total, max(0.0, log_total - mean)


def greedy(scores: Scores, allowed: Sequence[int] = (), forbidden: Collection[int] = ()) -> int:
    """The best-scored token of [vocabulary]; the least id among equals.

    Where `allowed` is given only those count, and none that is forbidden ever does. With nothing
    left to choose from the result is a forbidden token.
    """
    if not (allowed or forbidden):
        return int(scores.argmax())
    left = np.full_like(scores, -np.inf) if allowed else scores.copy()
    if allowed:
        chosen = list(allowed)
        left[chosen] = scores[chosen]
    if forbidden:
        left[list(forbidden)] = -np.inf
    return int(left.argmax())


def runners_up(
    scores: Scores, count: int, *, allowed: Sequence[int] = (), forbidden: Collection[int] = ()
) -> list[tuple[int, float]]:
    """Up to `count` of the best tokens of [vocabulary] with their log-probabilities, best first.

    `allowed` and `forbidden` as in `greedy`; probabilities as in `certainty`.
    """
    ids = np.array(allowed, np.int64) if allowed else np.arange(len(scores))
    among = scores[ids]
    log_total = float(np.log(np.exp(among - among.max()).sum())) + float(among.max())
    # So many of the best that enough are left when the forbidden ones are not counted.
    most = min(len(ids), count + len(forbidden))
    best = np.argpartition(-among, most - 1)[:most]
    ordered = best[np.lexsort((ids[best], -among[best]))]
    found = [(int(ids[each]), float(among[each]) - log_total) for each in ordered]
    return [(token, sure) for token, sure in found if token not in forbidden][:count]
