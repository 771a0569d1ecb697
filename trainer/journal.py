"""What a run says while it works: a live line, log.jsonl, TensorBoard, and the curve."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.curve import write_curve

_SHOWN = ("loss", "norm", "rate", "tokens_per_s", "mfu", "waiting")
_WORTH_SAYING = 0.02  # share of the time that rows are waited for


class Journal:
    """The records of a run, one a step, from the step it goes on from; kept by one process only."""

    def __init__(self, folder: Path, *, step: int, active: bool = True) -> None:
        self.folder, self.active = folder, active
        self._log: Any = None
        self._board: Any = None
        if not active:
            return
        from tensorboardX import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "log.jsonl"
        _trim(path, step)
        self._log = path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, record: Mapping[str, float]) -> None:
        """Keep one step's record."""
        if not self.active:
            return
        self._log.write(json.dumps({k: round(v, 6) for k, v in record.items()}) + "\n")
        self._log.flush()
        for name in _SHOWN:
            self._board.add_scalar(name, record[name], int(record["step"]))

    def draw(self) -> float:
        """loss.json and loss.png of the run so far; the mean loss of its last 5% of steps."""
        if not self.active:
            return float("nan")
        self._board.flush()
        return write_curve(self.folder)

    def close(self) -> None:
        if self.active:
            self._log.close()
            self._board.close()


def _trim(path: Path, step: int) -> None:
    """Forget logged steps after the checkpoint that is resumed: they are done again."""
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
    staging = path.with_suffix(".tmp")
    staging.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    staging.replace(path)


class Reporter:
    """One live line on a terminal, a plain line every half minute elsewhere, on stderr."""

    def __init__(self, *, every_s: float = 30.0) -> None:
        self.live = sys.stderr.isatty()
        self.every_s = every_s
        self._smooth: dict[str, float] = {}
        self._said = float("-inf")
        self._began = time.monotonic()
        self._from: float | None = None

    def __call__(self, record: Mapping[str, float]) -> None:
        for name in ("loss", "tokens_per_s", "mfu", "waiting"):
            self._smooth[name] = 0.95 * self._smooth.get(name, record[name]) + 0.05 * record[name]
        now = time.monotonic()
        if self._from is None:
            self._from, self._began = record["progress"], now
        if now - self._said < (0.2 if self.live else self.every_s) and record["progress"] < 1:
            return
        self._said = now
        line = self._line(record, now)
        sys.stderr.write(f"\r\x1b[K{line}" if self.live else f"{line}\n")  # ESC [K clears the line
        sys.stderr.flush()

    def _line(self, record: Mapping[str, float], now: float) -> str:
        progress = min(1.0, record["progress"])  # the last step runs past a budget of time
        done = progress - (self._from or 0.0)
        left = (now - self._began) / done * (1 - progress) if done > 0 else None
        waiting = self._smooth["waiting"]
        return (
            f"step {record['step']:6.0f}  loss {self._smooth['loss']:.3f}  "
            f"{self._smooth['tokens_per_s']:7.0f} tok/s  MFU {self._smooth['mfu']:4.0%}  "
            f"{record['tokens'] / 1e6:6.1f} M tokens  rate {record['rate']:.2f}  "
            f"{progress:4.0%}"
            + (f"  {_duration(left)} left" if left else "")
            + (f"  {waiting:.0%} waiting: raise data.workers" if waiting > _WORTH_SAYING else "")
        )


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
