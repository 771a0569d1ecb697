"""The first minutes on an accelerator: which attention, compiled or not, Muon beside AdamW.

Each alternative is the very loop that trains, on the same rows from the same weights, stopped after
a few steps. What is left of them is their speed and their losses; they write no checkpoint.
"""

import gc
import json
import shutil
import sys
import time
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from trainer.evaluation.report import table
from trainer.parcel.homeward import Homeward
from trainer.parcel.place import Laid, Place, lay_out

_WARM = 2  # steps that are not timed: they compile, and choose kernels
_NEEDED = 15.0  # seconds without which no further alternative is begun
_ATTENTION = ("sdpa", "cudnn", "flash")


@dataclass(slots=True)
class Tried:
    """What an alternative did in its steps."""

    name: str
    changes: tuple[str, ...]
    seconds: list[float] = field(default_factory=list)  # of a step, without waiting for rows
    losses: list[float] = field(default_factory=list)
    mfu: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)  # shares of the whole step
    took_s: float = 0.0  # with start and compilation
    failure: str = ""

    @property
    def step_s(self) -> float:
        """Seconds of a step; endless for one that failed."""
        timed = self.seconds[_WARM:]
        return median(timed) if timed and not self.failure else float("inf")


class _Enough(Exception):
    """All steps were taken."""


def probe(place: Place, *, steps: int, until: float) -> None:
    """Print one table, and keep the fastest attention and compilation for the sittings to come.

    The optimiser is reported alone: a few steps do not decide it. What time does not allow is left
    out and said. ValueError when nothing could be tried.
    """
    if steps <= _WARM:
        raise ValueError(f"--steps must be more than {_WARM}: these are not timed")
    laid = lay_out(place)
    own = laid.recipe()
    tried: list[Tried] = []

    def trial(name: str, *changes: str) -> Tried:
        one = Tried(name, changes)
        tried.append(one)
        if time.monotonic() + _NEEDED > until and len(tried) > 1:
            one.failure = "no time was left"
            return one
        sys.stderr.write(f"trying {name}\n")
        _try(one, laid, place, steps)
        return one

    plain = "run.compile=false"  # first: what was compiled once stays so in this process
    for kernel in _ATTENTION:
        trial(f"{kernel}, {own.optim.kind}", f"run.attention={kernel}", plain)
    best = min(tried, key=lambda each: each.step_s)
    if best.step_s == float("inf"):
        raise ValueError("nothing could be tried: " + "; ".join(e.failure for e in tried))
    attention = best.changes[0]
    other = "adamw" if own.optim.kind == "muon" else "muon"
    trial(f"{attention.partition('=')[2]}, {other}", attention, plain, f"optim.kind={other}")
    compiled = trial(f"{best.name}, compiled", attention, "run.compile=true")
    winner = min((best, compiled), key=lambda each: each.step_s)
    _keep(place, tried, winner, own.data.rows * own.data.context)


def _try(one: Tried, laid: Laid, place: Place, steps: int) -> None:
    """Take the steps of one alternative; what goes wrong is its failure."""
    import torch

    from trainer.pretrain import pretrain
    from trainer.runs import Run

    folder = place.work / "probe"
    shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()

    def seen(record: dict[str, float]) -> None:
        whole = record["tokens"] / record["step"] / record["tokens_per_s"]
        working = max(1e-9, 1.0 - record["waiting"])
        one.seconds.append(whole * working)
        one.mfu.append(record["mfu"] / working)
        one.waiting.append(record["waiting"])
        one.losses.append(record["loss"])
        if record["step"] >= steps:
            raise _Enough

    try:
        recipe = laid.recipe((*one.changes, "run.checkpoint_every_s=1e9", "long.share=0.0"))
        run = Run(recipe, laid.corpus, laid.tokenizer, folder, 3600.0, start=laid.start)
        pretrain(run, report=seen)
    except _Enough:
        pass
    except Exception as error:  # noqa: BLE001 -- an alternative that does not work is a finding
        one.failure = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    one.took_s = time.monotonic() - began
    shutil.rmtree(folder, ignore_errors=True)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _keep(place: Place, tried: list[Tried], winner: Tried, tokens: int) -> None:
    rows = [_row(each, tokens) for each in tried]
    kept = [each for each in winner.changes if each.startswith("run.")]
    result = {
        "protocol": "the training loop by the recipe, each on the same rows from the same weights; "
        f"medians of steps after the first {_WARM}, time of waiting for rows taken out; loss of the "
        "last step, in nats per token, inside the warm-up of the rate",
        "alternatives": [asdict(each) for each in tried],
        "winner": kept,
    }
    path = place.work / "probe.json"
    staging = path.with_name(".probe.new")
    staging.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    staging.replace(path)
    Homeward(place).write_record()
    sys.stdout.write(f"{table(rows)}\n\n{result['protocol']}\n")
    sys.stdout.write(f"sittings take {', '.join(kept)}\n")


def _row(one: Tried, tokens: int) -> dict[str, Any]:
    if one.failure:
        said: dict[str, Any] = dict.fromkeys(("tokens_per_s", "mfu", "waiting", "loss"))
    else:
        said = {
            "tokens_per_s": round(tokens / one.step_s),
            "mfu": median(one.mfu[_WARM:]),
            "waiting": median(one.waiting[_WARM:]),
            "loss": one.losses[-1],
        }
    return {"alternative": one.name, **said, "took_s": one.took_s, "failed": one.failure}
