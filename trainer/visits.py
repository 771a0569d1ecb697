"""Which files an epoch visits, and in which order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from indexer.languages import LANGUAGES
from trainer.config import DataRecipe, RecipeError
from trainer.texts import Indices


@dataclass
class Visits:
    """Epochs of equal length, each in an order of its own, a pure function of the seed.

    A language of weight w is visited w times an epoch per file: whole rounds, and for the rest a
    part that moves on from epoch to epoch, so that no file comes twice before all came once.
    """

    seed: int
    rounds: dict[str, tuple[list[int], int]]  # language -> files in a drawn order, visits an epoch
    _orders: dict[int, list[int]] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Visits in one epoch."""
        return sum(count for _, count in self.rounds.values())

    def order(self, epoch: int) -> list[int]:
        """The files of an epoch; the last few epochs are remembered."""
        if epoch not in self._orders:
            order = []
            for files, count in self.rounds.values():
                first = epoch * count
                order += [files[each % len(files)] for each in range(first, first + count)]
            Random(f"{self.seed}/{epoch}").shuffle(order)
            while len(self._orders) >= 3:  # lanes may be an epoch apart
                del self._orders[min(self._orders)]
            self._orders[epoch] = order
        return self._orders[epoch]


def plan_visits(languages: Mapping[str, Indices], data: DataRecipe) -> Visits:
    """The visits that a recipe asks for; RecipeError when nothing is left, or a name is unknown."""
    known = ", ".join(languages)
    for name in (*data.languages, *data.weights):
        if name not in languages and name not in LANGUAGES:
            raise RecipeError(f"data.languages or data.weights: no language {name!r}; have {known}")
    rounds = {}
    for name, files in languages.items():
        weight = data.weights.get(name, 1.0)
        if (data.languages and name not in data.languages) or weight == 0:
            continue
        drawn = files.tolist()
        Random(f"{data.seed}/{name}").shuffle(drawn)
        rounds[name] = (drawn, max(1, round(weight * len(drawn))))
    if not rounds:
        raise RecipeError(
            f"data.languages and data.weights leave nothing of this corpus, which has {known}"
        )
    return Visits(data.seed, rounds)
