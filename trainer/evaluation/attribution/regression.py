"""Logistic regression on values and their products, with ridge: by Newton's steps, near the border."""

from collections.abc import Sequence

import numpy as np

from indexer.attribution.scoring import Matrix, Row, Weights

_NEAR = -3.5  # scores from which rows are fitted again: it is the border that matters
_RIDGE, _RIDGE_TOGETHER = 1e-3, 3e-2  # the same for each row; products need more, as there are many
_STEPS = 60
_DIGITS = 4


def fitted(good: Matrix, bad: Matrix, names: Sequence[str]) -> Weights:
    """The weights that tell rows of two kinds apart: of values alone first, then of all near the border."""
    first = regress(good, bad, np.full(len(names), _RIDGE))
    near_good, near = (each[each @ first[:-1] + first[-1] > _NEAR] for each in (good, bad))
    if min(len(near_good), len(near)) <= len(names):  # too few to say more
        near_good, near = good, bad
    every = np.concatenate([near_good, near])
    centres, spreads = (np.round(each, _DIGITS) for each in (every.mean(axis=0), every.std(axis=0)))
    spreads = np.where(spreads > 0, spreads, 1.0)
    count = len(names)
    plain = Weights(tuple(names), np.zeros(count), np.zeros((count, count)), centres, spreads, 0.0)
    place = np.triu_indices(count)

    def columns(rows: Matrix) -> Matrix:
        away = plain.away(rows)
        return np.column_stack([rows, away[:, place[0]] * away[:, place[1]]])

    ridge = np.repeat([_RIDGE, _RIDGE_TOGETHER], [count, len(place[0])])
    weights = np.round(regress(columns(near_good), columns(near), ridge), _DIGITS)
    together = np.zeros((count, count))
    together[place] = weights[count:-1]
    return Weights(plain.names, weights[:count], together, centres, spreads, float(weights[-1]))


def regress(good: Matrix, bad: Matrix, ridge: Row) -> Row:
    """The weights of columns, the intercept last; the ridge is of each column in spreads."""
    every = np.concatenate([good, bad])
    mean, spread = every.mean(axis=0), every.std(axis=0) + 1e-9
    columns = np.column_stack([(every - mean) / spread, np.ones(len(every))])
    wanted = np.concatenate([np.ones(len(good)), np.zeros(len(bad))])
    penalty = len(every) * np.diag(np.append(ridge, 0.0))
    weights = np.zeros(columns.shape[1])
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-np.clip(columns @ weights, -30, 30)))
        slope = columns.T @ (wanted - likely) - penalty @ weights
        curve = (columns * (likely * (1 - likely))[:, None]).T @ columns + penalty
        step = np.linalg.solve(curve, slope)
        weights = weights + step
        if np.abs(step).max() < 1e-6:
            break
    plain = weights[:-1] / spread
    return np.append(plain, weights[-1] - plain @ mean)
