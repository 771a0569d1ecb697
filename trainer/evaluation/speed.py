"""How fast training goes: contenders in processes of their own take turns at the same steps."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.data import Plan

from trainer.evaluation.contenders import Step, Task


class ContenderFailed(Exception):
    """A contender's process ended; the message has its last words."""


class Sitting:
    """One contender's process. It works only while it is waited for, one step at a time."""

    def __init__(self, task: Task, environment: Mapping[str, str]) -> None:
        self.name = task.contender
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 -- lives with the process
        self._task = task
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[str] | None = None

    def step(self) -> Step:
        """Have one step taken; the first one starts the process. ContenderFailed says why not."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trainer.evaluation.contenders"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                env=self._environment,
                text=True,
            )
            said = json.dumps(asdict(self._task))
        else:
            said = "go"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(said + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._failure() from None
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        return Step(**json.loads(line))

    def close(self) -> None:
        """End the process: nobody asks for more."""
        if self._process is not None:
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._words.close()

    def _failure(self) -> ContenderFailed:
        assert self._process is not None
        code = self._process.wait()
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return ContenderFailed(lines[-1] if lines else f"exit code {code}, without a word")


@dataclass(slots=True)
class Measured:
    """One contender's steps: the very first, with all that starting takes, and those of each round."""

    name: str
    first: Step | None = None
    first_s: float = 0.0  # from nothing to the end of the first step: imports, compilation, rows
    rounds: list[list[Step]] = field(default_factory=list)
    failure: str = ""

    @property
    def steps(self) -> list[Step]:
        return [step for each in self.rounds for step in each]


def take_turns(
    sittings: Sequence[Sitting],
    *,
    warm_up: int,
    rounds: int,
    steps: int,
    between: Callable[[str], None] = lambda _: None,
) -> list[Measured]:
    """Let every contender take `steps` steps a round, another one first each time.

    Drift of a busy machine hits all of them alike. `warm_up` steps before count for nothing. One
    that fails is out; the others go on. `between` is told what comes next.
    """
    measured = [Measured(each.name) for each in sittings]
    pairs = list(zip(sittings, measured, strict=True))
    for sitting, found in pairs:
        between(f"{sitting.name}: starting, compiling, {warm_up} steps to warm up")
        with _noting(found):
            began = time.perf_counter()
            found.first = sitting.step()
            found.first_s = time.perf_counter() - began
            for _ in range(warm_up - 1):
                sitting.step()
    for number in range(rounds):
        for offset in range(len(pairs)):
            sitting, found = pairs[(number + offset) % len(pairs)]
            if found.failure:
                continue
            between(f"round {number + 1} of {rounds}: {sitting.name}")
            with _noting(found):
                found.rounds.append([sitting.step() for _ in range(steps)])
    return measured


@contextmanager
def _noting(found: Measured) -> Iterator[None]:
    """Note when a contender fails; what it did before counts for nothing then."""
    try:
        yield
    except ContenderFailed as error:
        found.failure = str(error)
        found.rounds.clear()


@dataclass(frozen=True, slots=True)
class Line:
    """One contender's line in the report; medians over its steps unless said otherwise."""

    contender: str
    tokens_per_s: float
    tokens_per_s_best: float  # of its quickest step: what others on the machine disturbed least
    mfu: float  # share of the peak
    cpu_s_per_step: float  # of all threads: what the step costs whoever else is at work
    memory_mb: float  # the most this process has held
    waiting: float  # share of the time that rows were waited for; total over total
    first_s: float


def line_of(found: Measured, *, tokens: int, flops: float, peak: float) -> Line:
    """Summarise steps of `tokens` tokens and `flops` operations each; `peak` is in FLOP/s."""
    took = [step.seconds for step in found.steps]
    middle = median(took)
    return Line(
        contender=found.name,
        tokens_per_s=tokens / middle,
        tokens_per_s_best=tokens / min(took),
        mfu=flops / middle / peak,
        cpu_s_per_step=median(step.cpu_seconds for step in found.steps),
        memory_mb=max(step.memory_bytes for step in found.steps) / 1e6,
        waiting=sum(step.waiting * step.seconds for step in found.steps) / sum(took),
        first_s=found.first_s,
    )


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long another contender takes as the first, round by round."""

    contender: str
    least: float
    median: float
    most: float
    cpu: float  # of CPU time; median over rounds


def ratio_of(found: Measured, to: Measured) -> Ratio:
    """The times of `found` over those of `to`, each round against the same round."""
    pairs = list(zip(found.rounds, to.rounds, strict=True))

    def over(of: Callable[[Step], float]) -> list[float]:
        return [sum(map(of, theirs)) / max(1e-9, sum(map(of, own))) for theirs, own in pairs]

    wall = over(lambda step: step.seconds)
    return Ratio(
        found.name, min(wall), median(wall), max(wall), median(over(lambda step: step.cpu_seconds))
    )


def first_losses_differ(measured: Sequence[Measured]) -> float:
    """The largest relative difference between the first step's losses.

    All start from the same weights: what is left is rounding, unless somebody sees other tokens.
    """
    losses = [each.first.loss for each in measured if each.first]
    return (max(losses) - min(losses)) / min(losses) if losses else 0.0


@dataclass(frozen=True, slots=True)
class RowCost:
    """What it takes to make the rows: one block of the plan, made here, by CPU time."""

    mb_per_s: float  # of source text and one core
    cpu_s_per_step: float


def write_rows(plan: "Plan", steps: int, target: Path) -> RowCost:
    """Put the rows of `steps` steps into a file, and measure what making rows takes."""
    import numpy as np

    from trainer.data import make_block, open_source
    from trainer.stream import RowStream

    stream = RowStream(plan, workers=0)
    np.save(target, np.concatenate([stream.take() for _ in range(steps)]))
    source = open_source(plan)
    make_block(0, source)  # the first look at anything costs more
    began = time.process_time()
    block = make_block(1 % source.blocks, source)
    took = max(1e-9, time.process_time() - began)
    rows = max(1, len(block.rows))
    return RowCost(block.bytes / took / 1e6, took / rows * plan.data.rows)
