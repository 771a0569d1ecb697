"""One training run: what it is, where it stands, and how it goes on from where it stopped."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from trainer import checkpoints
from trainer.checkpoints import Saved
from trainer.config import DataRecipe, Recipe, SpanRecipe
from trainer.locking import locked


class RunMismatch(Exception):
    """The run folder holds another run; the message says what to do."""


class Interrupted(Exception):
    """A signal stopped the run after a checkpoint was written."""


class Diverged(Exception):
    """The loss is no number any more; the last checkpoint is from before."""


@dataclass(frozen=True, slots=True)
class Run:
    """What to learn from, how, and where to keep it."""

    recipe: Recipe
    corpus: Path
    tokenizer: Path
    folder: Path
    budget_s: float  # seconds of training; 0: by recipe.run.steps
    change: bool = False  # go on with another recipe than the run was started with
    start: Path | None = None  # checkpoint or model folder that the weights are taken from
    rank: int = 0  # of low-rank adapters (LoRA); 0: all weights are trained
    name: str = ""  # of the exported model; else from the recipe
    ends_at: float = 0.0  # time.monotonic() of the last step, instead of a budget; one process


@dataclass(slots=True)
class Clock:
    """What a run has used up so far, over all its sittings."""

    step: int = 0
    tokens: int = 0
    elapsed: float = 0.0


@dataclass(slots=True)
class Standing:
    """Where a run stands: what a checkpoint keeps besides tensors."""

    identity: dict[str, str]
    clock: Clock = field(default_factory=Clock)
    stage: str = "main"
    position: Any = None  # of the rows; None: at the beginning
    history: list[dict[str, Any]] = field(default_factory=list)
    corpus_record: dict[str, str] = field(default_factory=dict)  # for whoever starts from here

    def values(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a part of the budget is trained on."""

    name: str
    data: DataRecipe
    spans: SpanRecipe
    micro_rows: int


def stage_at(recipe: Recipe, progress: float) -> Stage:
    """The stage of a share of the budget: the main one, or the last, of long rows."""
    long = recipe.long
    if not long.share or progress < 1.0 - long.share:
        return Stage("main", recipe.data, recipe.spans, recipe.run.micro_rows)
    data = replace(recipe.data, context=long.context, rows=long.rows)
    spans = replace(recipe.spans, repository_rate=long.repository_rate)
    return Stage("long", data, spans, long.micro_rows)


def progress_of(run: Run, clock: Clock) -> float:
    """The used share of the budget: of time if there is one, else of steps.

    A run that ends at a moment has what it used so far and what is left until then as its budget.
    """
    if run.ends_at:
        left = run.ends_at - time.monotonic()
        return clock.elapsed / (clock.elapsed + left) if left > 0 else 1.0
    if run.budget_s:
        return clock.elapsed / run.budget_s
    return clock.step / run.recipe.run.steps if run.recipe.run.steps else 1.0


def standing_of(run: Run, identity: dict[str, str]) -> tuple[Standing, Saved | None]:
    """Where the run folder's newest whole checkpoint stopped, and that checkpoint.

    Raises RunMismatch when it was made with something else than this run.
    """
    recipe = json.loads(json.dumps(asdict(run.recipe)))  # as a checkpoint gives it back
    now: dict[str, Any] = {"hash": run.recipe.hash, "recipe": recipe}
    saved = checkpoints.latest(run.folder)
    if saved is None:
        return Standing(identity, history=[{"from_step": 0, **now}]), None
    values = saved.values
    for name in sorted({*identity, *values["identity"]}):
        if values["identity"].get(name) != identity.get(name):
            raise RunMismatch(
                f"{saved.path} was made with another {name}: give --run a new folder, or remove "
                "this one"
            )
    standing = Standing(
        identity=identity,
        clock=Clock(**values["clock"]),
        stage=values["stage"],
        position=values["position"],
        history=values["history"],
    )
    before = standing.history[-1]
    if before["hash"] != run.recipe.hash:
        if not run.change or before["recipe"]["model"] != now["recipe"]["model"]:
            raise RunMismatch(
                f"{saved.path} was made with another recipe: give --run a new folder, or, "
                "if the model is the same, say --change-recipe to go on with this one"
            )
        if any(before["recipe"][part] != now["recipe"][part] for part in ("data", "spans", "long")):
            standing.position = None  # other rows: begin them at the beginning
        standing.history = [*standing.history, {"from_step": standing.clock.step, **now}]
    return standing, saved


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run folder; RunMismatch when one is in it already."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder / ".lock", wait=False))
        except BlockingIOError:
            raise RunMismatch(
                f"another process trains in {folder}: wait until it has stopped (it writes a "
                "checkpoint first), or give --run a new folder"
            ) from None
        yield


class Signals:
    """Notes SIGINT and SIGTERM instead of dying of them, so that the step can finish."""

    def __init__(self) -> None:
        self.received = False
        self._before: dict[int, Any] = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True

    def __enter__(self) -> "Signals":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
