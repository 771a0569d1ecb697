"""One sitting of a run on a borrowed machine: as long as it was given, and never a second more.

The budget of a run is what it used so far and what is left: of this sitting, and of those that are
still to come. The last one therefore always ends with the decay, however long the others took.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from trainer.parcel.homeward import Homeward
from trainer.parcel.place import Place, lay_out

_EVALUATE = "import sys; from trainer.commands.eval import main; sys.exit(main(sys.argv[1:]))"
_STARTING = 45.0  # seconds that a later sitting needs before its first step
_LEAST = 0.05  # of a sitting: with less than that, an end would be no end of a schedule
_PARTS = 25.0  # seconds of the finish that are kept for cutting parts


@dataclass(frozen=True, slots=True)
class Sitting:
    seconds: float
    later: int  # sittings after this one
    finish: float  # seconds that the last one keeps for export, evaluation and parts
    saving: float  # seconds that a checkpoint is given
    checkpoint_every: float


def sit(place: Place, sitting: Sitting) -> int:
    """Train until the time is over; after the last sitting export, evaluate and cut the parts."""
    homeward = Homeward(place)
    if (place.run / "export").is_dir():
        sys.stderr.write("this run has come to its end: `go.py out 1` brings it home\n")
        return 0
    code = _train(place, sitting, homeward)
    if code is not None:
        homeward.write_record()
        return code
    end = place.began + sitting.seconds
    homeward.write_record()
    _evaluate(place, end - min(_PARTS, sitting.finish / 3))
    homeward.write_record()
    homeward.put(1)
    return 0


def _train(place: Place, sitting: Sitting, homeward: Homeward) -> int | None:
    """None when the run came to its end, else the exit code; 0: another sitting goes on."""
    from trainer.checkpoints import SaveFailed
    from trainer.crew import DataFailure
    from trainer.journal import Reporter
    from trainer.pretrain import pretrain
    from trainer.runs import Diverged, Interrupted, Run, RunMismatch

    end = place.began + sitting.seconds
    stop = end - (sitting.saving if sitting.later else sitting.finish)
    laid = lay_out(place)
    if stop - time.monotonic() < _LEAST * sitting.seconds:
        raise ValueError("too little time is left to train: give more --seconds, less --finish")
    recipe = laid.recipe((*place.winner(), f"run.checkpoint_every_s={sitting.checkpoint_every}"))
    run = Run(
        recipe=recipe,
        corpus=laid.corpus,
        tokenizer=laid.tokenizer,
        folder=place.run,
        budget_s=0.0,
        change="resume" in place.listed,  # another visit may have other rates
        start=laid.start,
        ends_at=stop + _to_come(sitting),
    )
    sys.stderr.write(
        f"{time.monotonic() - place.began:.0f} s to lay it out; training until "
        f"{stop - place.began:.0f} s, {sitting.later} more sittings to come\n"
    )
    seen = _until(stop if sitting.later else float("inf"), Reporter(), homeward)
    try:
        pretrain(run, report=seen)
    except Interrupted:
        sys.stderr.write("\nthe sitting is over and its checkpoint written; `train` goes on\n")
        return 0 if time.monotonic() >= stop else 130
    except (DataFailure, RunMismatch, Diverged, SaveFailed) as error:
        sys.stderr.write(f"\ngo.py: {error}\n")
        return 2
    return None


def _to_come(sitting: Sitting) -> float:
    """Seconds of training in the sittings after this one."""
    each = max(sitting.seconds / 2, sitting.seconds - _STARTING - sitting.saving)
    return max(0.0, sitting.later * each - sitting.finish)


def _until(
    stop: float, report: Callable[[dict[str, float]], None], homeward: Homeward
) -> Callable[[dict[str, float]], None]:
    """Report, bring the record up to date now and then, and end the sitting when its time is over."""
    brought = time.monotonic()

    def seen(record: dict[str, float]) -> None:
        nonlocal brought
        report(record)
        now = time.monotonic()
        if now - brought > 30:
            brought = now
            homeward.write_record()
        if now >= stop:
            os.kill(os.getpid(), signal.SIGTERM)  # the loop writes a checkpoint and ends

    return seen


def _evaluate(place: Place, until: float) -> None:
    """Bits per byte of the held-out files that came along, if there is time."""
    held_out = place.work / "data" / "held-out"
    left = until - time.monotonic()
    if not held_out.is_dir() or left < 5:
        sys.stderr.write("not evaluated: no held-out files came along, or no time is left\n")
        return
    result = place.work / "evaluation.json"
    command = [sys.executable, "-c", _EVALUATE, "loss", "--model", str(place.run / "export")]
    command += ["--held-out", str(held_out), "--megabytes", "0.25", "--json", str(result)]
    try:
        subprocess.run(command, check=True, timeout=left, stdout=sys.stderr)
    except subprocess.TimeoutExpired:
        sys.stderr.write("not evaluated: it would have taken longer than there was time\n")
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"not evaluated: it ended with code {error.returncode}\n")
