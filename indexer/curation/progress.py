"""Draws a build's progress on stderr, and says how much there is of something."""

import sys
import time
from types import TracebackType
from typing import Any, Self

_BAR = 20  # columns of the bar itself
_BESIDE = 12 + _BAR + 7 + 6  # what stands beside a label: stage, bar, time, blanks and a stroke
_LEAST_LABEL = 8
_LINES_S, _FRAMES_S = 5.0, 0.05  # between two lines, or two pictures of the bar


def megabytes(size: int) -> str:
    """Bytes as decimal MB, with as many places as say something."""
    value = size / 1e6
    return f"{value:,.1f} MB" if value >= 0.1 or not size else f"{max(value, 0.001):.3f} MB"


def counted(count: int, what: str) -> str:
    """A number of things, in the singular where there is one."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


class Bar:
    """A bar on a terminal; elsewhere a plain line every few seconds."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed
        from rich.table import Column

        self._console = console = Console(stderr=True)
        self._plain = not console.is_terminal or console.is_dumb_terminal
        whole = Column(no_wrap=True)  # how much is done is read at any width, the bar gives way
        columns = (TextColumn("{task.description:<12}", table_column=whole), BarColumn(_BAR),
                   MofNCompleteColumn(table_column=whole), Elapsed(table_column=whole),
                   TextColumn("{task.fields[label]}", markup=False,
                              table_column=Column(no_wrap=True, ratio=1)))  # fmt: skip
        self._progress = Progress(*columns, console=console, disable=self._plain, expand=True)
        self._task: Any = None
        self._name, self._done, self._told = "", 0, 0.0
        self._total: int | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def stage(self, name: str, total: int | None) -> None:
        """Begin a stage of `total` steps, where that is known."""
        self._task = self._progress.add_task(name, total=total, label="")
        self._name, self._total, self._done = name, total, 0

    def step(self, label: str, amount: int) -> None:
        self._done += amount
        now = time.monotonic()
        interval = _LINES_S if self._plain else _FRAMES_S
        is_due = now - self._told > interval or self._done == self._total
        if is_due:
            self._told = now
        if not self._plain:
            shown: dict[str, Any] = {"label": self._fitting(label)} if is_due else {}
            self._progress.update(self._task, advance=amount, **shown)
        elif is_due:
            of = "" if self._total is None else f"/{self._total}"
            sys.stderr.write(f"{self._name} {self._done}{of} {label}\n")

    def _fitting(self, label: str) -> str:
        """As much of a label as fits beside the bar: its end, which tells of a path more than its beginning."""
        room = max(
            _LEAST_LABEL, self._console.width - _BESIDE - len(str(self._total or self._done)) * 2
        )
        return label if len(label) <= room else "…" + label[1 - room :]
