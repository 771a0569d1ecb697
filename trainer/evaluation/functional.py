"""Judges many completions at once, keeps every verdict, and sums them up as pass@k."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer.evaluation import published
from trainer.evaluation.completions import Decoding
from trainer.evaluation.judge import VERDICTS, interval, judge, pass_at_k
from trainer.evaluation.languages import Limits
from trainer.evaluation.report import write_json
from trainer.evaluation.sandbox import Way
from trainer.evaluation.tasks import HUMANEVAL, MULTIPL_E, Benchmark, Task

_SAVED_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A completion and the verdict on it."""

    task: str
    sample: int
    language: str
    completion: str
    verdict: str
    detail: str
    seconds: float


class Ledger:
    """Every verdict of a run, in a file where one is named; opened again, the run goes on."""

    def __init__(self, path: Path | None, protocol: Mapping[str, Any]) -> None:
        """ValueError when the file is of another protocol, or no result at all."""
        self.path = path
        self.protocol = json.loads(json.dumps(protocol))
        self.samples: dict[tuple[str, int], Sample] = {}
        self._saved = time.monotonic()
        if path is not None and path.exists():
            for each in self._kept(path):
                self.samples[each.task, each.sample] = each

    def _kept(self, path: Path) -> list[Sample]:
        remedy = f"name another file, or remove {path}"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            kept = [Sample(**each) for each in values["samples"]]
            there = dict(values["protocol"])
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise ValueError(f"{path} is no result of this command: {remedy}") from error
        names = sorted({*there, *self.protocol})
        other = [
            f"{each}: {there.get(each)!r} there, {self.protocol.get(each)!r} now"
            for each in names
            if there.get(each) != self.protocol.get(each)
        ]
        if other:
            raise ValueError(f"{path} has another protocol ({'; '.join(other)}): {remedy}")
        return kept

    def add(self, sample: Sample) -> None:
        self.samples[sample.task, sample.sample] = sample
        if time.monotonic() - self._saved > _SAVED_EVERY_S:
            self.save({})

    def save(self, summary: Mapping[str, Any]) -> None:
        """Write the file whole, what was reached so far included."""
        if self.path is None:
            return
        samples = [asdict(self.samples[key]) for key in sorted(self.samples)]
        write_json(self.path, {"protocol": self.protocol, **summary, "samples": samples})
        self._saved = time.monotonic()


Completion = tuple[Task, int, str]


@dataclass(frozen=True, slots=True)
class Bench:
    """How completions are judged."""

    limits: Limits
    way: Way
    jobs: int
    prompted: bool  # do they follow the prompt as the model was shown it


def judge_all(completions: Iterable[Completion], bench: Bench) -> Iterator[Sample]:
    """Samples as their verdicts come in, `jobs` at a time, while more completions are made.

    Whatever ends this early (Ctrl-C, an error) ends the programs that run.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(bench.jobs)

    def work(task: Task, number: int, text: str) -> Sample:
        judged = judge(task, text, bench.limits, bench.way, prompted=bench.prompted, stop=stop)
        return Sample(
            task.name, number, task.language, text, judged.verdict, judged.detail, judged.seconds
        )

    waiting: set[Future[Sample]] = set()
    try:
        for completion in completions:
            waiting.add(pool.submit(work, *completion))
            while waiting:
                # A few wait in line, so that no judge ever waits for the model.
                patience = 0 if len(waiting) < 4 * bench.jobs else None
                done, waiting = wait(waiting, patience, FIRST_COMPLETED)
                for each in done:
                    yield each.result()
                if not done:
                    break
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for each in done:
                yield each.result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


# Summing up.


def summary(tasks: Sequence[Task], ledger: Ledger, ks: Sequence[int]) -> list[dict[str, Any]]:
    """A row for each language: pass@k over its tasks that have samples, and every verdict's count."""
    rows = []
    for language in sorted({each.language for each in tasks}):
        names = {each.name for each in tasks if each.language == language}
        samples = [each for each in ledger.samples.values() if each.task in names]
        if samples:
            rows.append(_row(language, samples, ks))
    return rows


def _row(language: str, samples: Sequence[Sample], ks: Sequence[int]) -> dict[str, Any]:
    verdicts = Counter(each.verdict for each in samples)
    counts = Counter(each.task for each in samples)
    passed = Counter(each.task for each in samples if each.verdict == "passed")
    row: dict[str, Any] = {"language": language, "tasks": len(counts), "samples": len(samples)}
    unknown = "no compiler" in verdicts
    for k in ks:
        # What could not be judged is no failure of the model's: no figure then.
        share = (
            None
            if unknown
            else sum(pass_at_k(n, passed[name], k) for name, n in counts.items()) / len(counts)
        )
        row[f"pass@{k}"] = share
        low, high = (None, None) if share is None else interval(share, len(counts))
        row[f"from {k}" if len(ks) > 1 else "from"] = low
        row[f"to {k}" if len(ks) > 1 else "to"] = high
    return row | {each: verdicts[each] for each in VERDICTS}


def ks_for(given: Sequence[int] | None, samples: int) -> list[int]:
    """The k's to print: the given ones, or those of 1, 10 and 100 that n allows.

    ValueError for a k above the number of samples.
    """
    for k in given or ():
        if not 1 <= k <= samples:
            raise ValueError(
                f"pass@{k} needs at least {k} samples a task, and there are {samples}: raise "
                "--samples or lower --k"
            )
    return list(given) if given else [k for k in (1, 10, 100) if k <= samples]


def comparable(
    benchmark: Benchmark, tasks: Sequence[Task], decoding: Decoding | None
) -> list[published.PublishedRow]:
    """What others published for this benchmark by this protocol; nothing for a part of it."""
    if decoding is None or len(tasks) != len(benchmark.tasks) or decoding.samples != 50:
        return []
    if (decoding.temperature, decoding.top_p, decoding.tokens) != (0.2, 0.95, 512):
        return []
    return [
        row
        for name, language in published_keys(benchmark)
        for row in published.beside(name, language, "pass@1", published.SAMPLED)
    ]


def published_keys(benchmark: Benchmark) -> list[tuple[str, str]]:
    """What the benchmark and its languages are called in the table of published rows."""
    names = [each.name for each in benchmark.tasks]
    if benchmark.name == HUMANEVAL and len(names) == 164:
        return [(published.HUMANEVAL, "python")]
    if benchmark.name == MULTIPL_E and all(each.startswith("HumanEval_") for each in names):
        return [(published.MULTIPL_E, each) for each in {e.language for e in benchmark.tasks}]
    return []
