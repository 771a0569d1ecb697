"""How long completions take, by percentile and by what the typist did before."""

import math
import platform
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from engine.api import CancelToken, Completer, CompletionOptions, Gap
from trainer.evaluation.keystrokes import KINDS, OPENED, TYPED, Session

OPTIONS = CompletionOptions(multiline=False)


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion: how long it took, and what it was made of."""

    milliseconds: float
    prompt_tokens: int
    cached_tokens: int
    new_tokens: int
    model_runs: int | None = None  # behind the prompt; None where they are not known
    prefill_ms: float = 0.0
    decode_ms: float = 0.0


def timed(completer: Completer, gap: Gap) -> Sample:
    """Ask for a line and wait for it, as an editor would."""
    started = time.perf_counter()
    completion = completer.complete(gap, OPTIONS, CancelToken())
    took = (time.perf_counter() - started) * 1000
    return Sample(
        took,
        completion.prompt_tokens,
        completion.cached_tokens,
        completion.new_tokens,
        completion.model_runs,
        completion.timings_ms.get("prefill", 0.0),
        completion.timings_ms.get("decode", 0.0),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; NaN for none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


@dataclass(frozen=True, slots=True)
class Row:
    """One engine's line in the report, in milliseconds."""

    engine: str
    typed_p50: float
    typed_p95: float
    accepted_p50: float
    edited_p50: float
    jumped_p50: float
    returned_p50: float
    opened_p50: float
    opened_p95: float
    prompt_tokens: float  # mean
    computed_tokens: float  # of a prompt after a keystroke: those that were not cached; mean
    new_tokens: float  # mean
    model_runs: float  # after a keystroke; mean; NaN where they are not known


def row_of(engine: str, samples: Mapping[str, Sequence[Sample]]) -> Row:
    """Summarise an engine's samples by what was done before."""
    everything = [each for kind in KINDS for each in samples.get(kind, ())]
    typed = samples.get(TYPED, ())

    def at(kind: str, share: float) -> float:
        return percentile([each.milliseconds for each in samples.get(kind, ())], share)

    return Row(
        engine=engine,
        typed_p50=at(TYPED, 0.5),
        typed_p95=at(TYPED, 0.95),
        accepted_p50=at("accepted", 0.5),
        edited_p50=at("edited", 0.5),
        jumped_p50=at("jumped", 0.5),
        returned_p50=at("returned", 0.5),
        opened_p50=at(OPENED, 0.5),
        opened_p95=at(OPENED, 0.95),
        prompt_tokens=mean(each.prompt_tokens for each in everything),
        computed_tokens=mean(each.prompt_tokens - each.cached_tokens for each in typed),
        new_tokens=mean(each.new_tokens for each in everything),
        model_runs=mean(each.model_runs for each in typed if each.model_runs is not None),
    )


def where_it_ran(typed: Mapping[str, Sequence[Sample]]) -> dict[str, Any]:
    """Of the same keystrokes by engine, those at which the first engine had to run the model.

    Behind a prompt that stays the same, scores are kept: what remains is what a model costs.
    """
    first = next(iter(typed.values()))
    places = [
        place
        for place, each in enumerate(first)
        if each.model_runs or each.cached_tokens < each.prompt_tokens
    ]
    return {
        "keystrokes": len(places),
        "p50": {
            name: percentile([samples[place].milliseconds for place in places], 0.5)
            for name, samples in typed.items()
        },
    }


def rates(samples: Mapping[str, Sequence[Sample]]) -> dict[str, float]:
    """What was served: a prompt's time for each token, a run's behind it, and tokens of a run.

    Of completions whose prompt was run: behind one that was not, some tokens are foreseen.
    """
    ran = [
        each
        for some in samples.values()
        for each in some
        if each.cached_tokens < each.prompt_tokens
    ]
    runs = sum(each.model_runs or 0 for each in ran)
    cold = [each for each in samples.get(OPENED, ()) if each in ran]
    return {
        "prefill_ms": mean(each.prefill_ms for each in cold),
        "prefill_tokens_s": 1000
        / mean(each.prefill_ms / (each.prompt_tokens - each.cached_tokens) for each in cold),
        "step_ms": sum(each.decode_ms for each in ran) / max(1, runs),
        "tokens_a_run": sum(each.new_tokens for each in ran) / max(1, runs),
    }


def mean(values: Iterable[float]) -> float:
    """NaN for none."""
    known = list(values)
    return sum(known) / len(known) if known else math.nan


def cancel_latencies(completer: Completer, gaps: Sequence[Gap], *, seed: int = 0) -> list[float]:
    """Milliseconds from cancelling to the engine being free again; one per gap, cancelled midway.

    Gaps must be in different places, so that there is a prompt to be interrupted.
    """
    rng = Random(seed)
    found: list[float] = []
    for gap in gaps:
        cancel = CancelToken()
        stopped: list[float] = []

        def run(
            gap: Gap = gap, cancel: CancelToken = cancel, stopped: list[float] = stopped
        ) -> None:
            completer.complete(gap, CompletionOptions(multiline=True), cancel)
            stopped.append(time.perf_counter())

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(rng.uniform(0.002, 0.040))
        cancelled = time.perf_counter()
        finished = bool(stopped)
        cancel.cancel()
        thread.join()
        if not finished:
            found.append((stopped[0] - cancelled) * 1000)
    return found


def in_turn(engines: Sequence[Callable[[Session], None]], session: Session, turn: int) -> None:
    """Run every engine on a session, another one first each time: drift hits all alike."""
    for offset in range(len(engines)):
        engines[(turn + offset) % len(engines)](session)


def machine() -> str:
    """One line on where the figures come from."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.split(":", 1)[1].strip()
            for line in cpuinfo.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    from engine.cores import physical_cores

    return f"{model}, {physical_cores()} cores, {platform.system()}, Python {platform.python_version()}"


def memory_mb(process: int | None, *, at_most: bool = False) -> float | None:
    """What a process holds in memory now, or has held at most, where the system tells."""
    status = Path(f"/proc/{process}/status")
    if process is None or not status.is_file():
        return None
    name = "VmHWM" if at_most else "VmRSS"
    lines = [line for line in status.read_text().splitlines() if line.startswith(name)]
    return round(int(lines[0].split()[1]) / 1000, 1) if lines else None
