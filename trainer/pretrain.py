"""The training loop, all of it, in reading order. accelerate lives here only."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from math import isfinite
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from indexer.shards import Manifest, open_shards
from trainer import checkpoints
from trainer.adapters import merged
from trainer.assembly import assemble, check_processes
from trainer.data import Plan, Rows
from trainer.hardware import device_name, memory_peak, peak
from trainer.journal import Journal
from trainer.model import Network
from trainer.optim import Updater, rate
from trainer.origins import Origin, check_tokenizer, corpus_record, origin_of
from trainer.planning import flops_per_token
from trainer.runs import (
    Diverged,
    Interrupted,
    Run,
    Signals,
    Stage,
    Standing,
    alone,
    progress_of,
    stage_at,
    standing_of,
)
from trainer.sharding import gathered
from trainer.stream import Places, RowStream, behind
from trainer.teaching import layout_taught
from trainer.vocabulary import layout_in, load, tokenizer_hash


def pretrain(run: Run, *, report: Callable[[dict[str, float]], None] = lambda _: None) -> Path:
    """Train, resuming what the run folder holds, and export; returns the exported folder.

    `report` gets the record of each step: step, loss in nats, gradient norm, share of the rate,
    tokens, seconds, tokens a second, MFU, the share of the step that rows were waited for, progress.
    Raises Interrupted after SIGINT or SIGTERM, when the checkpoint is on disk; Diverged,
    RunMismatch and SaveFailed say what to do.
    """
    if run.recipe.run.threads:
        torch.set_num_threads(run.recipe.run.threads)
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    with alone(run.folder) if accelerator.is_main_process else nullcontext():
        return _pretrain(run, accelerator, report)


def _pretrain(
    run: Run, accelerator: Accelerator, report: Callable[[dict[str, float]], None]
) -> Path:
    recipe, main = run.recipe, accelerator.is_main_process
    check_processes(recipe, accelerator.num_processes, run.rank)
    manifest = open_shards(run.corpus, verify=main)
    layout = layout_in(run.tokenizer)
    pad = load(run.tokenizer, layout, entries=recipe.model.vocabulary).pad
    origin = origin_of(run.start) if run.start else None
    standing, saved = standing_of(run, _identity(run, manifest, origin))
    standing.corpus_record = corpus_record(manifest, origin)

    learner, updater = assemble(run, accelerator.device)
    prepared = learner if recipe.run.sharding == "full" else accelerator.prepare(learner)
    if saved:
        updater.restore(saved.tensors)
    journal = Journal(run.folder, step=standing.clock.step, active=main)
    try:
        _train(run, standing, prepared, updater, pad, journal, accelerator, report)
        final_loss = journal.draw()
    finally:
        journal.close()
    return _export(run, standing, learner.network, origin, final_loss, accelerator)


def _identity(run: Run, manifest: Manifest, origin: Origin | None) -> dict[str, str]:
    """What a run cannot go on with another of."""
    own = {"corpus": manifest.corpus_hash, "tokenizer": tokenizer_hash(run.tokenizer)}
    if origin is None:
        return own
    check_tokenizer(origin, run.tokenizer)
    return {**own, "start": origin.hash, "rank": str(run.rank)}


def _train(
    run: Run,
    standing: Standing,
    learner: nn.Module,
    updater: Updater,
    pad: int,
    journal: Journal,
    accelerator: Accelerator,
    report: Callable[[dict[str, float]], None],
) -> None:
    """Step after step until the budget is used up, with a checkpoint now and then."""
    recipe, clock, folder = run.recipe, standing.clock, run.folder
    full_rate = peak(accelerator.device)[0] * accelerator.num_processes
    stage, stream = _open_stage(run, standing.stage, standing.position, accelerator)

    def checkpoint(name: str = "") -> None:  # by all processes at the same step
        main = accelerator.is_main_process
        tensors, standing.position = updater.state(keep=main), gather_object(stream.position)
        if main:
            keep = recipe.run.keep
            checkpoints.save(folder, clock.step, standing.values(), tensors, keep=keep, name=name)
            journal.draw()
        accelerator.wait_for_everyone()

    saved_at, branched = clock.elapsed, (folder / checkpoints.STABLE).is_dir()
    with Signals() as signals:
        try:
            while (progress := progress_of(run, clock)) < 1.0:
                began = time.monotonic()
                if not branched and _decays(run, progress):
                    checkpoint(checkpoints.STABLE)  # fine-tuning starts here, before the decay
                    branched = True
                if (wanted := stage_at(recipe, progress)).name != stage.name:
                    places = behind(gather_object(stream.position), wanted.data.lanes)
                    stream.close()
                    standing.stage = wanted.name
                    stage, stream = _open_stage(run, wanted.name, places, accelerator)

                share = rate(progress, clock.step, recipe.optim)
                _seed(run, clock.step, accelerator)
                rows, waited = _timed(stream.take)
                loss = _gradients(learner, rows, stage, pad, updater, accelerator)
                norm = updater.norm()
                if not (isfinite(loss) and isfinite(norm)):
                    raise Diverged(_advice(run, clock.step + 1, loss, norm))
                updater.step(share, norm)

                took = _agreed(time.monotonic() - began, accelerator)
                tokens = stage.data.rows * stage.data.context
                work = tokens * flops_per_token(recipe.model, stage.data.context)
                clock.step, clock.tokens = clock.step + 1, clock.tokens + tokens
                clock.elapsed += took
                record = {
                    "step": clock.step,
                    "loss": loss,
                    "norm": norm,
                    "rate": share,
                    "tokens": clock.tokens,
                    "elapsed": clock.elapsed,
                    "tokens_per_s": tokens / took,
                    "mfu": work / took / full_rate,
                    "waiting": waited / took,
                    "progress": progress_of(run, clock),
                }
                journal.write(record)
                if accelerator.is_main_process:
                    report(record)
                if _agreed(float(signals.received), accelerator) > 0:
                    checkpoint()
                    raise Interrupted
                if clock.elapsed - saved_at > recipe.run.checkpoint_every_s:
                    checkpoint()
                    saved_at = clock.elapsed
            checkpoint()
        finally:
            stream.close()


def _gradients(
    learner: nn.Module,
    rows: Rows,
    stage: Stage,
    pad: int,
    updater: Updater,
    accelerator: Accelerator,
) -> float:
    """Collect the gradients of one step over its micro-batches; its mean loss in nats per token.

    Each label weighs the same, in whatever micro-batch and process it stands.
    """
    tokens = torch.from_numpy(rows.astype(np.int64)).to(accelerator.device)
    labels = tokens[:, 1:].masked_fill(tokens[:, 1:] == pad, -100)
    counted: Tensor = accelerator.reduce((labels >= 0).sum().float(), reduction="sum")
    weight = accelerator.num_processes / counted.clamp(min=1)  # processes are averaged over
    total = torch.zeros((), device=accelerator.device)
    parts = zip(
        torch.split(tokens[:, :-1], stage.micro_rows),
        torch.split(labels, stage.micro_rows),
        strict=True,
    )
    for inputs, wanted in parts:
        loss = learner(inputs, wanted, weight)
        accelerator.backward(loss)
        updater.collect()
        total += loss.detach()
    return float(accelerator.reduce(total, reduction="mean"))


def _open_stage(
    run: Run, name: str, places: Places | None, accelerator: Accelerator
) -> tuple[Stage, RowStream]:
    stage = stage_at(run.recipe, 1.0 if name == "long" else 0.0)
    plan = Plan(run.corpus, run.tokenizer, layout_in(run.tokenizer), stage.spans, stage.data)
    stream = RowStream(
        plan,
        start=places,
        workers=stage.data.workers,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
    )
    return stage, stream


def _timed(take: Callable[[], Rows]) -> tuple[Rows, float]:
    """Rows, and the seconds that they were waited for."""
    began = time.monotonic()
    return take(), time.monotonic() - began


def _seed(run: Run, step: int, accelerator: Accelerator) -> None:
    """What dropout draws depends on the step alone, so that a resumed run draws the same."""
    torch.manual_seed(run.recipe.data.seed * 1_000_003 + step * 4096 + accelerator.process_index)


def _agreed(number: float, accelerator: Accelerator) -> float:
    """The mean over all processes, so that all of them do the same at the same step."""
    if accelerator.num_processes == 1:
        return number
    mine = torch.tensor(number, device=accelerator.device)
    return float(accelerator.reduce(mine, reduction="mean"))


def _decays(run: Run, progress: float) -> bool:
    """The stable part of the schedule has just ended."""
    optim = run.recipe.optim
    return optim.schedule == "wsd" and 0 < optim.stable < 1 and progress >= optim.stable


def _advice(run: Run, step: int, loss: float, norm: float) -> str:
    rates = "optim.matrix_lr" if run.recipe.optim.kind == "muon" else "optim.adamw_lr"
    return (
        f"step {step} has loss {loss} and gradient norm {norm}: nothing of it was kept, and the "
        f"last checkpoint in {run.folder} is good. Lower {rates} and optim.embedding_lr by half, or "
        "set optim.clip = 1.0, and go on with --change-recipe"
    )


def _export(
    run: Run,
    standing: Standing,
    network: Network,
    origin: Origin | None,
    final_loss: float,
    accelerator: Accelerator,
) -> Path:
    """Write the folder that the engine and transformers load, with the record of the run."""
    target = run.folder / "export"
    main = accelerator.is_main_process
    held = {name: gathered(each, keep=main) for name, each in network.named_parameters()}
    weights = merged(held) if main else {}
    record = {
        "history": standing.history,
        **asdict(standing.clock),
        "parameters": sum(each.numel() for each in weights.values()),
        "final_loss": final_loss,
        "started_from": {"name": origin.name, "hash": origin.hash} if origin else None,
        "adapter_rank": run.rank,
        "processes": accelerator.num_processes,
        "device": device_name(accelerator.device),
        "memory_peak_bytes": memory_peak(accelerator.device),
    }
    if main:
        checkpoints.export(
            target,
            weights,
            run.recipe.model,
            tokenizer=run.tokenizer,
            layout=layout_taught(layout_in(run.tokenizer), standing.history, run.start),
            name=run.name or f"footnote-{run.recipe.name}",
            record={"corpus": standing.corpus_record, "training": record},
        )
    accelerator.wait_for_everyone()
    return target
