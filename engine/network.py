"""What the token loop needs of a model, whichever library computes it. Plain numpy in between."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.cuts import Cuts

Scores = NDArray[np.float32]  # [vocabulary], or [rows, vocabulary]


class KeyValueMemory(Protocol):
    """The keys and values of one sequence. To rewind it is to give a smaller position."""

    @property
    def capacity(self) -> int:
        """Tokens that there is room for."""
        ...


Memory = TypeVar("Memory", bound=KeyValueMemory)


class Network(Protocol[Memory]):
    """The weights of one model, ready to run; serves one thread at a time."""

    @property
    def parameters(self) -> int: ...

    @property
    def dtype(self) -> str:
        """What the weights are stored as: float32, bfloat16, int8."""
        ...

    @property
    def device(self) -> str:
        """Where it is computed: cpu or cuda."""
        ...

    @property
    def note(self) -> str:
        """Why it is slower than it might be; empty where it is not."""
        ...

    @property
    def is_exact(self) -> bool:
        """Whether a row's scores are the same to the last bit in whatever company it runs.

        Then a cache may be taken up at any token, and guesses may run along with what is certain.
        """
        ...

    @property
    def cuts(self) -> Cuts:
        """How a prompt may be cut: ANYWHERE where that is exact, else something coarser."""
        ...

    def new_cache(self, capacity: int) -> Memory: ...

    def scores(
        self, tokens: Sequence[int], position: int, cache: Memory, wanted: int = 1
    ) -> Scores:
        """Run tokens that stand at `position` and after it; the scores behind the last `wanted`.

        What the cache holds before `position` is read, what it holds from there on is overwritten.
        Returns [wanted, vocabulary], for the caller to keep; ValueError when the cache is too small.
        """
        ...

    def certainty(self, scores: Scores, token: int) -> tuple[float, float]:
        """Of scores, [vocabulary], the log-probability of a token and the entropy, in nats."""
        ...
