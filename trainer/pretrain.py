"""The training loop, all of it, in reading order. accelerate lives here only."""

import json
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from engine.fim import FimLayout
from indexer.shards import open_shards
from trainer import checkpoints
from trainer.config import Recipe
from trainer.curve import write_curve
from trainer.data import Plan, Rows
from trainer.learner import Learner, build, lower
from trainer.optim import Updater, rate
from trainer.stream import Places, RowStream
from trainer.vocabulary import load, tokenizer_hash


class RunMismatch(Exception):
    """The run folder holds another run; the message says what to do."""


class Interrupted(Exception):
    """A signal stopped the run after a checkpoint was written."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training run: what to learn from, how, and where to keep it."""

    recipe: Recipe
    corpus: Path
    tokenizer: Path
    folder: Path
    budget_s: float  # seconds of training; 0: by recipe.run.steps
    change: bool = False  # go on with another recipe than the run was started with


@dataclass(slots=True)
class Clock:
    """What a run has used up so far, over all its sittings."""

    step: int = 0
    tokens: int = 0
    elapsed: float = 0.0


def pretrain(run: Run, *, report: Callable[[dict[str, float]], None] = lambda _: None) -> Path:
    """Train, resuming what the run folder holds, and export; returns the exported folder.

    `report` gets step, loss, lr share, tokens per second and progress after each step. Raises
    Interrupted after SIGINT or SIGTERM, when the checkpoint is on disk.
    """
    recipe, data = run.recipe, run.recipe.data
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    device, world, rank = accelerator.device, accelerator.num_processes, accelerator.process_index
    manifest = open_shards(run.corpus)
    layout = FimLayout()
    pad = load(run.tokenizer, layout).pad

    torch.manual_seed(data.seed)
    model = build(recipe.model).to(device)
    lower(model, getattr(torch, recipe.run.dtype))
    updater = Updater(model, recipe.optim)
    learner = Learner(model, chunk=recipe.run.head_chunk)
    if recipe.run.compile:
        learner.compile_blocks()
    prepared = accelerator.prepare(learner)

    identity = {
        "corpus": manifest.corpus_hash,
        "tokenizer": tokenizer_hash(run.tokenizer),
    }
    clock, position, history = _resume(run, identity, updater)
    plan = Plan(run.corpus, run.tokenizer, layout, recipe.spans, data)
    stream = RowStream(plan, start=position, workers=data.workers, rank=rank, world=world)

    def checkpoint() -> None:  # by all processes at the same step
        places: Places = gather_object(stream.position)
        if accelerator.is_main_process:
            state = {
                "identity": identity,
                "clock": asdict(clock),
                "position": places,
                "history": history,
                "updater": updater.state(),
                "rng": torch.get_rng_state(),
            }
            checkpoints.save(run.folder, clock.step, state, keep=recipe.run.keep)

    run.folder.mkdir(parents=True, exist_ok=True)
    _trim_log(run.folder / "log.jsonl", clock.step)
    log = (run.folder / "log.jsonl").open("a", encoding="utf-8")
    saved_at = clock.elapsed
    with _Signals() as signals, log:
        try:
            while (progress := _progress(run, clock)) < 1.0:
                began = time.monotonic()
                share = rate(progress, clock.step, recipe.optim)
                rows = stream.take()
                loss = _accumulate(prepared, rows, recipe.run.micro_rows, pad, accelerator)
                norm = updater.step(share)
                clock.step += 1
                clock.tokens += data.rows * data.context
                clock.elapsed += _agreed(time.monotonic() - began, accelerator)
                record = {
                    "step": clock.step,
                    "loss": loss,
                    "norm": norm,
                    "rate": share,
                    "tokens": clock.tokens,
                    "elapsed": round(clock.elapsed, 3),
                    "tokens_per_s": data.rows * data.context / (time.monotonic() - began),
                    "progress": progress,
                }
                if accelerator.is_main_process:
                    _write_line(log, record)
                    report(record)
                if _agreed(float(signals.received), accelerator):
                    checkpoint()
                    raise Interrupted
                if clock.elapsed - saved_at > recipe.run.checkpoint_every_s:
                    checkpoint()
                    saved_at = clock.elapsed
            checkpoint()
        finally:
            stream.close()

    target = run.folder / "export"
    if accelerator.is_main_process:
        final_loss = write_curve(run.folder)
        checkpoints.export(
            model,
            target,
            tokenizer=run.tokenizer,
            name=f"footnote-{recipe.name}",
            layout=layout,
            corpus={
                "name": manifest.name,
                "hash": manifest.corpus_hash,
                "recipe_hash": manifest.recipe_hash,
            },
            training={
                "history": history,
                **asdict(clock),
                "parameters": sum(each.numel() for each in model.parameters()),
                "final_loss": final_loss,
            },
        )
    return target


def _accumulate(
    learner: Any,
    rows: Rows,
    micro_rows: int,
    pad: int,
    accelerator: Accelerator,
) -> float:
    """Gradients of one step over its micro-batches; the mean loss in nats per token."""
    tokens = torch.from_numpy(rows.astype(np.int64)).to(accelerator.device)
    parts = torch.split(tokens, micro_rows)
    total = 0.0
    for part in parts:
        inputs, labels = part[:, :-1], part[:, 1:]
        loss = learner(inputs, labels.masked_fill(labels == pad, -100))
        accelerator.backward(loss / len(parts))
        total += float(loss.detach()) / len(parts)
    return total


def _agreed(value: float, accelerator: Accelerator) -> float:
    """The mean over all processes, so that all of them end, and save, at the same step."""
    if accelerator.num_processes == 1:
        return value
    mine = torch.tensor(value, device=accelerator.device)
    return float(accelerator.reduce(mine, reduction="mean"))


def _progress(run: Run, clock: Clock) -> float:
    """The used share of the budget: of time if there is one, else of steps."""
    if run.budget_s:
        return clock.elapsed / run.budget_s
    return clock.step / run.recipe.run.steps if run.recipe.run.steps else 1.0


def _resume(
    run: Run, identity: dict[str, str], updater: Updater
) -> tuple[Clock, Places | None, list[dict[str, Any]]]:
    """Where the run folder's newest checkpoint stopped, and the recipes it was made with."""
    now: dict[str, Any] = {"hash": run.recipe.hash, "recipe": asdict(run.recipe)}
    path = checkpoints.latest(run.folder)
    if path is None:
        return Clock(), None, [{"from_step": 0, **now}]
    state = checkpoints.read(path)
    for name, value in identity.items():
        if state["identity"][name] != value:
            raise RunMismatch(
                f"{path} was made with another {name}: give --run a new folder, or remove this one"
            )
    clock = Clock(**state["clock"])
    position: Places | None = state["position"]
    history: list[dict[str, Any]] = state["history"]
    before = history[-1]
    if before["hash"] != run.recipe.hash:
        if not run.change or before["recipe"]["model"] != now["recipe"]["model"]:
            raise RunMismatch(
                f"{path} was made with another recipe: give --run a new folder, or, "
                "if the model is the same, say --change-recipe to go on with this one"
            )
        if any(before["recipe"][part] != now["recipe"][part] for part in ("data", "spans")):
            position = None  # other rows: begin them at the beginning
        history = [*history, {"from_step": clock.step, **now}]
    updater.restore(state["updater"])
    torch.set_rng_state(state["rng"])
    return clock, position, history


class _Signals:
    """Notes SIGINT and SIGTERM instead of dying of them, so that the step can finish."""

    def __init__(self) -> None:
        self.received = False
        self._before: dict[int, Any] = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True

    def __enter__(self) -> "_Signals":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _write_line(log: TextIO, record: dict[str, float]) -> None:
    log.write(json.dumps({k: round(v, 5) for k, v in record.items()}) + "\n")
    log.flush()


def _trim_log(path: Path, step: int) -> None:
    """Forget logged steps after the checkpoint that is resumed: they are done again."""
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
    staging = path.with_suffix(".tmp")
    staging.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    staging.replace(path)
