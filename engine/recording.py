"""Runs over buffers that stay where they are: a card plays them again without being told each step.

To tell a card what to do takes longer than a small model's step takes it. What is told once over
fixed buffers it repeats by itself (a CUDA graph); the numbers in the buffers say which tokens, and
where they stand. There are few sizes, and a run of fewer rows is filled up to the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

STEPS = (1, 4, 8)  # rows: a token, a token with guesses, twice as many
_KEPT = 8  # rows at most whose scores are given

Work = Callable[[], torch.Tensor]
Record = Callable[[Work], Work]  # from work to what repeats it


def again(work: Work) -> Work:
    """Repeat by doing it again: where nothing can be recorded, the same code runs."""
    return work


class CudaGraphs:
    """Records for a card. All share their memory: what one leaves is read before the next runs."""

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, work: Work) -> Work:
        """RuntimeError where the work asks for something that cannot be recorded."""
        before: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call, unused-ignore]
        before.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(before):
            for _ in range(2):  # libraries choose and load their kernels
                work()
        torch.cuda.current_stream().wait_stream(before)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            result = work()
        self._pool = self._pool or graph.pool()

        def play() -> torch.Tensor:
            graph.replay()
            return result

        return play


@dataclass(frozen=True, slots=True)
class Buffers:
    """What a run of so many rows is told, in one piece of memory."""

    whole: torch.Tensor
    ids: torch.Tensor  # [1, rows]
    places: torch.Tensor  # [1, rows]: positions, none beyond the model's last
    slots: torch.Tensor  # [rows]: where keys and values are kept
    kept: torch.Tensor  # the rows whose scores are wanted, the last one last

    @property
    def rows(self) -> int:
        return len(self.slots)

    def fill(self, tokens: Sequence[int], position: int, last_position: int) -> None:
        """Tokens from a position on, the last one repeated to fill up; one copy to the device."""
        n, rows = len(tokens), self.rows
        slots = range(position, position + rows)
        values = [
            *tokens,
            *[tokens[-1]] * (rows - n),
            *(min(each, last_position) for each in slots),
            *slots,
            *(max(0, each) for each in range(n - len(self.kept), n)),
        ]
        self.whole.copy_(torch.tensor(values))


def buffers(rows: int, device: torch.device) -> Buffers:
    kept = min(rows, _KEPT)
    whole = torch.zeros(3 * rows + kept, dtype=torch.long, device=device)
    ids, places, slots, last = torch.split(whole, [rows, rows, rows, kept])
    return Buffers(whole, ids[None], places[None], slots, last)


def size_for(rows: int, wanted: int, sizes: Sequence[int]) -> int | None:
    """The recorded size that takes so many rows and keeps so many; None for none."""
    fitting = (each for each in sizes if rows <= each and wanted <= min(each, _KEPT))
    return min(fitting, default=None)
