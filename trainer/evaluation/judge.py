"""The verdict on one completion, and what many of them say about a model."""

import math
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trainer.evaluation.languages import LANGUAGES, Limits, ToolMissing, program_for
from trainer.evaluation.sandbox import BOX_BYTES, MB, Outcome, Way, run
from trainer.evaluation.tasks import Task

Verdict = Literal["passed", "failed", "timed out", "memory", "did not compile", "no compiler"]
VERDICTS: tuple[Verdict, ...] = (
    "passed", "failed", "timed out", "memory", "did not compile", "no compiler",
)  # fmt: skip

_NO_MEMORY = (
    "MemoryError", "std::bad_alloc", "heap out of memory", "OutOfMemoryError", "memory allocation of",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    verdict: Verdict
    detail: str  # the last that the program or its compiler said; empty when it passed
    seconds: float


def judge(
    task: Task,
    completion: str,
    limits: Limits,
    way: Way,
    *,
    prompted: bool = True,
    stop: threading.Event | None = None,
) -> Judged:
    """Run a task's tests on a completion. SandboxUnavailable when nothing can be run."""
    word = secrets.token_hex(16)
    try:
        program = program_for(
            task.language, task.program(completion, prompted=prompted), word, limits
        )
    except ToolMissing as error:
        return Judged("no compiler", str(error), 0.0)
    outcomes = run(program, way, stop)
    verdict, detail = _verdict(outcomes[-1], word, LANGUAGES[task.language].marks)
    return Judged(verdict, detail, round(outcomes[-1].seconds, 3))


def _verdict(last: Outcome, word: str, marks: Sequence[str]) -> tuple[Verdict, str]:
    said = _telling_line(last.errors, first=last.name == "compile") or _telling_line(last.output)
    if last.name == "compile":
        return "did not compile", f"compiler: {last.cause}" if last.cause else said
    if last.cause == "time":
        return "timed out", f"after {last.seconds:.1f} s"
    if last.cause == "memory" or (last.exit != 0 and any(e in last.errors for e in _NO_MEMORY)):
        return "memory", said
    if last.cause == "files":
        return "failed", f"wrote more than {BOX_BYTES // MB} MB"
    if last.exit == 0:
        if word in last.output.splitlines():
            return "passed", ""
        return "failed", "ended before its tests were through"
    if any(said.startswith(each) or f"\n{each}: " in last.errors for each in marks):
        return "did not compile", said
    return "failed", said or f"exit code {last.exit}"


_TELLING = re.compile(r"\w*(?:[Ee]rror|Exception)\b|panicked|[Aa]ssert|FAIL|cannot start")


def _telling_line(text: str, *, first: bool = False) -> str:
    """What a person wants to know of it: a compiler's first error, a program's last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("# ")]  # Go's heading of a package
    if not first:
        lines.reverse()
    chosen = next((line for line in lines if _TELLING.search(line)), lines[0] if lines else "")
    return chosen[:200]


def pass_at_k(n: int, correct: int, k: int) -> float:
    """The chance that one of k samples passes, unbiased, from n of which `correct` did.

    Chen et al. 2021 (arXiv 2107.03374), section 2.1: 1 - C(n - c, k) / C(n, k).
    """
    if not 1 <= k <= n or not 0 <= correct <= n:
        raise ValueError(f"pass@{k} needs at least {k} samples a task, and there are {n}")
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def interval(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share over `count` tasks; with several samples a task too wide."""
    if count == 0:
        return 0.0, 1.0
    z = 1.959964
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    below, above = (each / (1 + z * z / count) for each in (middle - spread, middle + spread))
    return max(0.0, below), min(1.0, above)
