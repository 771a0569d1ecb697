"""The score of a segment: what each value weighs, alone and together with another, as was fitted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

SCALE = "scale.json"
FARTHEST = 3.0  # spreads from its centre, beyond which a value counts no more beside others

Row = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Weights:
    """The logarithm of the odds that a segment is of a planted copy and not of unrelated code.

    It is a sum over the values, and over the products of any two (and squares) of what they are away from their
    centres, in spreads: a long passage needs less of everything else.
    """

    names: tuple[str, ...]
    alone: Row  # of one unit of each value
    together: Matrix  # of products; nothing stands below the diagonal
    centres: Row
    spreads: Row
    intercept: float

    def away(self, values: Matrix) -> Matrix:
        """How far values are from their centres, in spreads."""
        far = (values - self.centres) / self.spreads
        return np.minimum(np.maximum(far, -FARTHEST), FARTHEST)

    def scores(self, values: Matrix) -> Row:
        """One for each row of values, in the order of the names."""
        away = self.away(values)
        scores: Row = (
            self.intercept + values @ self.alone + ((away @ self.together) * away).sum(axis=1)
        )
        return scores

    def score(self, values: Mapping[str, float]) -> float:
        row = np.array([values[name] for name in self.names])
        away = self.away(row)
        return self.intercept + float(row @ self.alone + away @ self.together @ away)

    def most(self, seen: Mapping[str, float], bounds: Mapping[str, tuple[float, float]]) -> float:
        """No score is higher that has some values, and others within bounds."""
        row = np.array([seen.get(name, 0.0) for name in self.names])
        unknown = [place for place, name in enumerate(self.names) if name not in seen]
        away = self.away(row)
        away[unknown] = 0.0
        beside = self._both_ways @ away
        most = self.intercept + float(row @ self.alone) + float(away @ beside) / 2
        before: dict[int, tuple[float, float]] = {}  # how far those are at least and at most
        for place in unknown:
            ends = bounds[self.names[place]]
            low, high = far = self._far(place, ends[0]), self._far(place, ends[1])
            weight, other = float(self.alone[place]), float(beside[place])
            square = float(self.together[place, place])
            least = 0.0 if low < 0 < high else min(abs(low), abs(high))
            most += max(weight * ends[0], weight * ends[1]) + max(other * low, other * high)
            most += max(square * least**2, square * max(low**2, high**2))
            for another, theirs in before.items():
                both = float(self._both_ways[place, another])
                most += max(both * one * its for one, its in product(far, theirs))
            before[place] = far
        return most

    def _far(self, place: int, value: float) -> float:
        far = (value - float(self.centres[place])) / float(self.spreads[place])
        return min(max(far, -FARTHEST), FARTHEST)

    @cached_property
    def _both_ways(self) -> Matrix:
        both: Matrix = self.together + self.together.T
        return both

    def as_json(self) -> dict[str, Any]:
        """As Scale is read from a file; what was rounded is rounded."""
        columns = zip(self.alone, self.centres, self.spreads, self.together, strict=True)
        return {
            "intercept": self.intercept,
            "values": {
                name: {
                    "alone": float(alone),
                    "centre": float(centre),
                    "spread": float(spread),
                    "together": dict(zip(self.names[place:], row[place:].tolist(), strict=True)),
                }
                for place, (name, (alone, centre, spread, row)) in enumerate(
                    zip(self.names, columns, strict=True)
                )
            },
        }


@dataclass(frozen=True, eq=False)
class Scale(Weights):
    """From which score a segment is worth telling, as `footnote eval attribution --fit` finds out.

    It does so on packages that no figure is reported on.
    """

    warning: float
    information: float


def read(text: str) -> Scale:
    """The scale in a file."""
    raw = json.loads(text)
    values = raw["values"]
    names = tuple(values)
    alone, centres, spreads = (
        np.array([each[key] for each in values.values()]) for key in ("alone", "centre", "spread")
    )
    together = np.array(
        [[each["together"].get(name, 0.0) for name in names] for each in values.values()]
    )
    return Scale(
        names,
        alone,
        together,
        centres,
        spreads,
        raw["intercept"],
        raw["warning"],
        raw["information"],
    )


@cache
def scale() -> Scale:
    """The one that was fitted."""
    return read(files("indexer.attribution").joinpath(SCALE).read_text("utf-8"))
