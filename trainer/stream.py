"""Rows step by step, made ahead by worker processes: the same for any number of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.config import DataRecipe, RecipeError
from trainer.crew import Crew
from trainer.data import Block, Plan, Rows, open_source, timed_block

Places = list[list[int]]  # for each lane the block and the row in it that come next


@dataclass(slots=True)
class _Lane:
    block: int
    row: int
    rows: Rows | None = None  # of that block, once it was made
    empty: int = 0  # blocks without a row, one after the other


@dataclass(slots=True)
class Used:
    """What was begun to be used so far, in whole blocks."""

    blocks: int = 0
    rows: int = 0
    bytes: int = 0  # of source text
    cpu_s: float = 0.0  # that making them took


class RowStream:
    """One process's share of the rows of each step, in the order of the plan.

    Lane l of L holds the rows of the blocks l, l + L, l + 2L and so on. Each step takes equally
    many rows from every lane; process r of `world` has the r-th group of lanes that follow each
    other. The rows of a step, taken over the processes in their order, are therefore the same for
    any number of processes and of workers, and nobody makes rows that another one uses.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        start: Places | None = None,
        workers: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        """Begin at `start`, the places of all lanes as `position` gave them, or at the beginning.

        RecipeError when the lanes do not fit `start` or `world`; what `open_source` raises when
        the corpus or the tokenizer is of no use.
        """
        self.plan = plan
        self.used = Used()
        lanes = _own_lanes(plan.data, rank, world)
        places = _checked(start, plan.data)
        self._lanes = [_Lane(block, row) for block, row in places[lanes.start : lanes.stop]]
        self._source = open_source(plan)
        self._ready: dict[int, Block] = {}
        self._asked: set[int] = set()
        self._ahead = -(-2 * workers // len(self._lanes))  # blocks of a lane made ahead of time
        self._crew = Crew(plan, workers) if workers else None
        self._ask()

    @property
    def position(self) -> Places:
        """Where this process's lanes are. Those of all processes, one after the other, are `start`.

        `accelerate.utils.gather_object(stream.position)` is just that, on every process.
        """
        return [[lane.block, lane.row] for lane in self._lanes]

    @property
    def pad(self) -> int:
        """The token that fills rows."""
        return self._source.vocabulary.pad

    @property
    def ahead(self) -> int:
        """Blocks that can be ready before they are needed."""
        return (self._ahead + 1) * len(self._lanes)

    def take(self) -> Rows:
        """The rows of the next step, [rows / world, context + 1]; never ends.

        DataFailure when a worker died or failed, RecipeError when no row can be made.
        """
        share = self.plan.data.rows // self.plan.data.lanes
        rows = np.concatenate([part for lane in self._lanes for part in self._parts(lane, share)])
        self._ask()
        return rows

    def close(self) -> None:
        if self._crew is not None:
            self._crew.close()

    def _parts(self, lane: _Lane, missing: int) -> list[Rows]:
        parts = []
        while missing:
            rows = self._rows(lane)
            part = rows[lane.row : lane.row + missing]
            parts.append(part)
            missing -= len(part)
            lane.row += len(part)
            if lane.row >= len(rows):
                lane.block, lane.row, lane.rows = lane.block + self.plan.data.lanes, 0, None
        return parts

    def _rows(self, lane: _Lane) -> Rows:
        """The rows of the lane's block, passing over blocks that have none."""
        while lane.rows is None:
            block = self._block(lane.block)
            self.used.blocks += 1
            self.used.rows += len(block.rows)
            self.used.bytes += block.bytes
            self.used.cpu_s += block.cpu_s
            if len(block.rows):
                lane.rows, lane.empty = block.rows, 0
                break
            lane.block, lane.row, lane.empty = lane.block + self.plan.data.lanes, 0, lane.empty + 1
            if lane.empty > self._source.blocks:
                raise RecipeError(
                    "no row can be made of this corpus: all its files are tables of numbers"
                )
        return lane.rows

    def _block(self, number: int) -> Block:
        if self._crew is None:
            return timed_block(number, self._source)
        self._ask()
        while number not in self._ready:
            self._ready.update(self._crew.receive())
        self._asked.discard(number)
        return self._ready.pop(number)

    def _ask(self) -> None:
        """Have the blocks made that come next, those that are needed first before the others."""
        if self._crew is None:
            return
        for later in range(self._ahead + 1):
            for lane in self._lanes:
                number = lane.block + later * self.plan.data.lanes
                if number not in self._asked and (later or lane.rows is None):
                    self._asked.add(number)
                    self._crew.ask(number)


def behind(places: Places, lanes: int) -> Places:
    """Where a stage with `lanes` lanes begins so that it repeats nothing of the one before."""
    first = max(block for block, _ in places) + 1
    return [[first + (lane - first) % lanes, 0] for lane in range(lanes)]


def _own_lanes(data: DataRecipe, rank: int, world: int) -> range:
    if data.lanes % world:
        raise RecipeError(
            f"{world} processes cannot share data.lanes = {data.lanes}: start as many processes as "
            f"divide it, or set data.lanes to a multiple of {world} that divides data.rows"
        )
    share = data.lanes // world
    return range(rank * share, (rank + 1) * share)


def _checked(start: Any, data: DataRecipe) -> Places:
    """The places of all lanes; RecipeError when they were noted for other lanes than these."""
    if start is None:
        return [[lane, 0] for lane in range(data.lanes)]
    remedy = "begin a new run, or go on with its weights alone from the beginning of the data"
    if not isinstance(start, list) or not all(
        isinstance(each, list | tuple) and len(each) == 2 for each in start
    ):
        raise RecipeError(f"the checkpoint's place in the data is of an older trainer: {remedy}")
    if len(start) != data.lanes or any(
        block % data.lanes != lane for lane, (block, _) in enumerate(start)
    ):
        raise RecipeError(
            f"the checkpoint was made with {len(start)} lanes, the recipe has {data.lanes}: "
            f"set data.lanes = {len(start)}, or {remedy}"
        )
    return [[int(block), int(row)] for block, row in start]
