"""Who trains in `footnote bench training`: our own loop and Hugging Face's Trainer, on the same rows.

Each runs in a process of its own (`python -m trainer.evaluation.contenders`): the task comes as a
line of JSON, then one line for each step that may be taken; what a step took goes back likewise.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from trainer.config import Recipe, load_recipe


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to train: ours with a changed recipe, or the Trainer with some of its options."""

    what: str
    ours: bool = False
    changes: tuple[str, ...] = ()  # of the recipe
    compiled: bool = False  # torch.compile of the whole model, the Trainer's way
    lowered: bool = False  # weights and optimiser states in bfloat16 too
    tuned: bool = False  # with the settings of the C runtime that `footnote train` gives itself


CONTENDERS = {
    "footnote": Contender("our loop by the recipe", ours=True, tuned=True),
    "footnote-eager": Contender(
        "without torch.compile", ours=True, tuned=True, changes=("run.compile=false",)
    ),
    "footnote-sdpa": Contender(
        "with torch's attention kernel", ours=True, tuned=True, changes=("run.attention=sdpa",)
    ),
    "footnote-adamw": Contender(
        "with AdamW instead of Muon", ours=True, tuned=True, changes=("optim.kind=adamw",)
    ),
    "trainer": Contender("Hugging Face Trainer, fused AdamW, bf16=True"),
    "trainer-compiled": Contender("the same with torch_compile=True", compiled=True),
    "trainer-tuned": Contender("the Trainer in our settings of the C runtime", tuned=True),
    "trainer-lowered": Contender(
        "the Trainer on weights in bfloat16, which lose small updates", lowered=True, tuned=True
    ),
}


@dataclass(frozen=True, slots=True)
class Task:
    """What a contender is told."""

    contender: str
    recipe: str
    changes: tuple[str, ...]
    corpus: str
    tokenizer: str
    folder: str  # of its own
    rows: str  # .npy with the rows of all steps, which the plan of the recipe gives too
    pad: int
    steps: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one step took; of the process itself, without the workers that make rows."""

    seconds: float
    cpu_seconds: float  # user and system time of all its threads
    waiting: float  # share of the time that rows were waited for; 0 where they lie ready
    loss: float  # nats per token
    memory_bytes: int  # the most held so far: of the accelerator, or resident
    workers_bytes: int  # the most that one worker that makes rows has held


class Finished(Exception):
    """Nobody asks for more steps."""


def recipe_of(task: Task) -> Recipe:
    """The recipe as it is measured: whole steps of one kind, and nothing saved between them."""
    steady = (
        f"run.steps={task.steps}",
        "optim.stable=1.0",
        "long.share=0.0",
        "run.checkpoint_every_s=1e9",
    )
    more = CONTENDERS[task.contender].changes
    return load_recipe(task.recipe, (*task.changes, *more, *steady))


class _Turns:
    """Says what a step took and waits until the next may be taken."""

    def __init__(self, out: TextIO, device: Any) -> None:
        self._out, self._device = out, device
        self._began = self._cpu = 0.0
        self._start()

    def _start(self) -> None:
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def done(self, loss: float, waiting: float = 0.0) -> None:
        from trainer.hardware import memory_peak

        step = Step(
            seconds=time.perf_counter() - self._began,
            cpu_seconds=time.process_time() - self._cpu,
            waiting=waiting,
            loss=loss,
            memory_bytes=memory_peak(self._device),
            workers_bytes=_workers_peak(),
        )
        self._out.write(json.dumps(asdict(step)) + "\n")
        self._out.flush()
        if not sys.stdin.readline():
            raise Finished
        self._start()


def _workers_peak() -> int:
    """The most bytes that one of this process's row workers has held, where the system tells."""
    import multiprocessing

    most = 0
    for child in multiprocessing.active_children():
        status = Path(f"/proc/{child.pid}/status")
        if status.is_file():
            lines = [each for each in status.read_text().splitlines() if each.startswith("VmHWM")]
            most = max([most, *(int(each.split()[1]) * 1024 for each in lines)])
    return most


def _ours(task: Task, turns: _Turns) -> None:
    """The very loop that trains, with its report as the place to wait."""
    from trainer.pretrain import pretrain
    from trainer.runs import Run

    run = Run(
        recipe=recipe_of(task),
        corpus=Path(task.corpus),
        tokenizer=Path(task.tokenizer),
        folder=Path(task.folder),
        budget_s=0,
    )
    pretrain(run, report=lambda record: turns.done(record["loss"], record["waiting"]))


def _trainer(task: Task, turns: _Turns) -> None:
    """Hugging Face's Trainer as its users set it up, started from our initial weights."""
    from trainer.evaluation.report import quiet

    quiet()
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    contender, recipe = CONTENDERS[task.contender], recipe_of(task)
    cuda = torch.cuda.is_available()
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)

    class Watch(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if "loss" in more["logs"]:
                turns.done(more["logs"]["loss"])

    low = recipe.run.dtype == "bfloat16"
    arguments = TrainingArguments(
        output_dir=task.folder,
        max_steps=task.steps,
        per_device_train_batch_size=recipe.run.micro_rows,
        gradient_accumulation_steps=recipe.data.rows // recipe.run.micro_rows,
        gradient_checkpointing=recipe.run.recompute,
        bf16=low and not contender.lowered,
        use_cpu=not cuda,
        optim="adamw_torch_fused",
        learning_rate=recipe.optim.adamw_lr,
        weight_decay=recipe.optim.adamw_decay,
        torch_compile=contender.compiled,
        dataloader_pin_memory=cuda,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        remove_unused_columns=False,  # shift_labels: the last token of a row has a label too
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=_model(recipe, lowered=contender.lowered),
        args=arguments,
        train_dataset=_dataset(task),
        callbacks=[Watch()],
    )
    trainer.train()


def _model(recipe: Recipe, *, lowered: bool) -> Any:
    """Transformers' class of the recipe's shape with the weights that our loop starts from."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from trainer.conversion import config_of, to_transformers
    from trainer.model import build

    values = config_of(recipe.model)
    config = AutoConfig.for_model(values.pop("model_type"), **values)
    kernel = "flash_attention_2" if recipe.run.attention == "flash" else "sdpa"
    classes: Any = AutoModelForCausalLM
    model = classes.from_config(config, dtype=torch.float32, attn_implementation=kernel)
    weights = dict(build(recipe.model, seed=recipe.data.seed).named_parameters())
    model.load_state_dict(dict(to_transformers(weights, recipe.model)), strict=False)
    model.tie_weights()
    return model.to(torch.bfloat16) if lowered else model


def _dataset(task: Task) -> Any:
    import numpy as np
    import torch
    from torch.utils.data import IterableDataset

    class Ready(IterableDataset[dict[str, torch.Tensor]]):
        """Rows from a file: nothing is left to do but to copy them."""

        def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
            for row in np.load(task.rows, mmap_mode="r"):
                tokens = torch.from_numpy(row.astype(np.int64))
                labels = tokens[1:].masked_fill(tokens[1:] == task.pad, -100)
                yield {"input_ids": tokens[:-1], "labels": labels, "shift_labels": labels}

    return Ready()


def main() -> int:
    # What libraries print must not get between the lines of the protocol.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    values = json.loads(sys.stdin.readline())
    task = Task(**{**values, "changes": tuple(values["changes"])})
    import torch

    turns = _Turns(out, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    train: Callable[[Task, _Turns], None] = _ours if CONTENDERS[task.contender].ours else _trainer
    with contextlib.suppress(Finished):
        train(task, turns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
