"""`footnote eval functional`: programs that a model wrote, judged by running their tests."""

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from engine.api import ModelUnavailable
from trainer.evaluation import functional, published
from trainer.evaluation import tasks as layouts
from trainer.evaluation.completions import Decoding, Wanted
from trainer.evaluation.functional import Bench, Completion, Ledger
from trainer.evaluation.languages import LANGUAGES, Limits, ToolMissing, program_for
from trainer.evaluation.report import comma_list, command_line, model_folder, progress, table
from trainer.evaluation.sandbox import Confinement, SandboxUnavailable, find_way
from trainer.evaluation.tasks import INFILLING, Benchmark, Task

_ENDED = """\
Layouts, told by their keys: HumanEval, HumanEval infilling, MBPP, MultiPL-E; JSON lines, plain or
gzip. Programs run without network in a box of their own; the result says what holds it.

  footnote eval functional HumanEval.jsonl.gz --canonical        do reading and sandbox hold?
  footnote eval functional HumanEval.jsonl.gz                    pass@1, greedy
  footnote eval functional humaneval-rs.jsonl.gz --samples 50 --temperature 0.2 --json rs.json
  footnote eval functional HumanEval.jsonl.gz --single-line      infilling, line by line
  footnote eval functional mbpp.jsonl.gz --samples-from made-elsewhere.jsonl"""


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        return _main(options, argv)
    except (ModelUnavailable, SandboxUnavailable, ToolMissing, OSError, ValueError) as error:
        sys.stderr.write(f"footnote eval functional: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote eval functional",
        description="pass@k of programs that a model completes, judged by the tasks' own tests.",
        epilog=_ENDED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", type=Path, help="the benchmark")
    add("--model", type=Path, help="any checkpoint folder (default: the embedded one)")
    whence = parser.add_mutually_exclusive_group()
    whence.add_argument("--canonical", action="store_true", help="judge the reference solutions")
    whence.add_argument(
        "--samples-from", type=Path, metavar="FILE", help="JSON lines with task_id, completion"
    )
    add("--samples", type=int, default=1, metavar="N", help="a task (default 1)")
    add("--temperature", type=float, default=0.0, help="0 is greedy (default 0)")
    add("--top-p", type=float, default=0.95, help="when sampling (default 0.95)")
    add("--seed", type=int, default=0, help="when sampling (default 0)")
    add("--k", help="for pass@k, with commas (default: those of 1,10,100 that N allows)")
    add("--tokens", type=int, default=512, help="new tokens at most (default 512)")
    add("--batch", type=int, default=16, help="completions made at a time (default 16)")
    add("--device", default="auto", help="auto, cpu or cuda (default auto)")
    add("--dtype", default="auto", help="auto, float32, bfloat16 or float16 (default auto)")
    add("--language", help="only tasks in this one")
    add("--limit", type=int, metavar="N", help="only the first N tasks")
    add("--all-tasks", action="store_true", help="of MBPP all, not the test split (ids 11 to 510)")
    add("--single-line", action="store_true", help="make the single-line gaps of a HumanEval file")
    add("--first-line", action="store_true", help="cut what is put into a gap at its line's end")
    add("--order", choices=("spm", "psm"), help="of a gap's prompt (default: the model's first)")
    add("--context", type=int, help="tokens around a gap (default 2048, or what the model takes)")
    add("--seconds", type=float, default=10.0, help="for one program (default 10)")
    add("--memory", type=int, default=1024, metavar="MB", help="for one program (default 1024)")
    add("--jobs", type=int, default=0, help="programs at a time (default: one a core)")
    add("--trust-programs", action="store_true", help="run them although nothing isolates them")
    add("--json", type=Path, metavar="FILE", help="every verdict; a run that was stopped goes on")
    return parser


def _main(options: argparse.Namespace, argv: Sequence[str]) -> int:
    if min(options.seconds, options.memory, options.batch) <= 0 or options.jobs < 0:
        raise ValueError("--seconds, --memory and --batch must be above 0, --jobs 0 or above")
    benchmark = _benchmark(options)
    tasks = _tasks(options, benchmark)
    _check_tools(tasks, Limits(options.seconds, options.memory))
    confinement = _confinement(options)
    given = _given(options, tasks)
    decoding = None if given is not None else _decoding(options)
    ks = _ks(options, given, tasks)
    protocol = _protocol(options, benchmark, decoding, confinement)
    ledger = Ledger(options.json, protocol)
    _run(options, tasks, given, decoding, ledger, confinement)
    return _report(options, benchmark, tasks, decoding, ledger, ks, argv)


def _benchmark(options: argparse.Namespace) -> Benchmark:
    read = layouts.read_benchmark(options.file, all_tasks=options.all_tasks)
    return layouts.single_lines(read) if options.single_line else read


def _tasks(options: argparse.Namespace, benchmark: Benchmark) -> list[Task]:
    language = layouts.LANGUAGES.get(options.language, options.language)
    tasks = [each for each in benchmark.tasks if language in (None, each.language)]
    if not tasks:
        raise ValueError(f"no task in {language}: this file holds {benchmark.found}")
    if options.limit is not None and options.limit < 1:
        raise ValueError("--limit starts at 1")
    return tasks[: options.limit]


def _check_tools(tasks: Sequence[Task], limits: Limits) -> None:
    """ToolMissing where no task can be run; where some can, a word about the others."""
    missing = {}
    for language in {each.language for each in tasks}:
        try:
            program_for(language, "", "", limits)
        except ToolMissing as error:
            missing[language] = str(error)
    if missing and all(each.language in missing for each in tasks):
        raise ToolMissing("; ".join(missing.values()))
    for message in missing.values():
        sys.stderr.write(f"warning: {message}; these tasks get no verdict\n")


def _confinement(options: argparse.Namespace) -> Confinement:
    found = find_way()
    if not found.holds and not options.trust_programs:
        raise SandboxUnavailable(
            f"nothing isolates programs here: {found.describe()}. Tried: "
            f"{'; '.join(found.refused)}. Run this on Linux where user namespaces or Landlock are "
            "permitted, or add --trust-programs if you vouch for every program"
        )
    return found


def _given(options: argparse.Namespace, tasks: Sequence[Task]) -> list[Completion] | None:
    """The completions that need no model, or None."""
    if options.canonical:
        lacking = [each.name for each in tasks if each.reference is None]
        if lacking:
            raise ValueError(
                f"{lacking[0]} and {len(lacking) - 1} more have no reference solution (MultiPL-E "
                "publishes none): leave out --canonical"
            )
        return [(each, 0, each.reference or "") for each in tasks]
    if not options.samples_from:
        return None
    wanted = {each.name: each for each in tasks}
    known = wanted.keys() | {each.name for each in _benchmark(options).tasks}
    counts: dict[str, int] = {}
    found = []
    for name, text in layouts.read_completions(options.samples_from):
        name = f"MBPP/{name}" if name.isdigit() and f"MBPP/{name}" in known else name
        if name not in known:
            raise ValueError(f"{options.samples_from}: {options.file.name} has no task {name}")
        if name in wanted:
            number = counts[name] = counts.get(name, -1) + 1
            found.append((wanted[name], number, text))
    missing = len(tasks) - len(counts)
    if not found:
        raise ValueError(f"{options.samples_from} has no completion of a task that was chosen")
    if missing:
        sys.stderr.write(f"warning: {missing} of {len(tasks)} tasks have no completion: left out\n")
    return found


def _decoding(options: argparse.Namespace) -> Decoding:
    return Decoding(
        samples=options.samples,
        temperature=options.temperature,
        top_p=options.top_p,
        tokens=options.tokens,
        seed=options.seed,
    )


def _ks(
    options: argparse.Namespace, given: list[Completion] | None, tasks: Sequence[Task]
) -> list[int]:
    samples = options.samples
    if given is not None:
        counts = [sum(task is each for task, _, _ in given) for each in tasks]
        samples = min(count for count in counts if count)
    return functional.ks_for(comma_list(options.k, "--k") if options.k else None, samples)


def _protocol(
    options: argparse.Namespace,
    benchmark: Benchmark,
    decoding: Decoding | None,
    confinement: Confinement,
) -> dict[str, Any]:
    """All that a verdict depends on: a file of another protocol is not gone on with."""
    form = benchmark.prompt_form
    if benchmark.name.startswith(INFILLING):
        order = options.order or "the model's first order"
        form += f", {order}, {options.context or 'at most 2048'} tokens around it"
        form += "; cut at the end of the first line" if options.first_line else ""
    if decoding is None:
        form = "none: the file's own prompt stands before each completion"
    return {
        "benchmark": benchmark.name,
        "file": options.file.name,
        "file_sha256": hashlib.sha256(options.file.read_bytes()).hexdigest(),
        "completions": _whence(options),
        "decoding": decoding.describe() if decoding else "none",
        "prompt": form,
        "limits": f"{options.seconds:g} s and {options.memory} MB a program",
        "programs": {
            each: LANGUAGES[each].how
            for each in sorted({task.language for task in benchmark.tasks})
            if each in LANGUAGES
        },
        "sandbox": confinement.describe(),
    }


def _whence(options: argparse.Namespace) -> dict[str, str]:
    if options.canonical:
        return {"from": "the reference solutions"}
    if options.samples_from:
        content = options.samples_from.read_bytes()
        return {"from": options.samples_from.name, "sha256": hashlib.sha256(content).hexdigest()}
    folder = model_folder(options.model)
    about = folder / "footnote.json"
    digest = hashlib.sha256((about if about.is_file() else folder / "config.json").read_bytes())
    for weights in sorted(folder.glob("*.safetensors")):
        digest.update(f"{weights.name} {weights.stat().st_size}".encode())
    # In bfloat16 the padding of a batch can tip the balance between two tokens.
    how = f"{options.dtype}, {options.device}, batches of {options.batch}"
    return {"from": folder.name, "about_sha256": digest.hexdigest(), "computed": how}


def _run(
    options: argparse.Namespace,
    tasks: Sequence[Task],
    given: list[Completion] | None,
    decoding: Decoding | None,
    ledger: Ledger,
    confinement: Confinement,
) -> None:
    """Judge what has no verdict yet; whatever stops this, the verdicts so far are kept."""
    if decoding is None:
        todo: list[Any] = [e for e in given or [] if (e[0].name, e[1]) not in ledger.samples]
        made: Iterator[Completion] = iter(todo)
    else:
        numbers = range(decoding.samples)
        everything = [Wanted(task, number) for task in tasks for number in numbers]
        todo = [each for each in everything if (each.task.name, each.sample) not in ledger.samples]
        made = _completions(options, todo, decoding)
    if options.json and not options.json.exists():
        ledger.save({})  # where nothing can be written that is to be known now, not hours later
    if ledger.samples:
        sys.stderr.write(f"{options.json}: going on, {len(ledger.samples)} verdicts are there\n")
    bench = Bench(
        limits=Limits(options.seconds, options.memory),
        way=confinement.way,
        jobs=options.jobs or os.cpu_count() or 1,
        prompted=given is None,
    )
    verdicts = functional.judge_all(made, bench)
    try:
        for _, sample in zip(progress(todo, "programs judged"), verdicts, strict=False):
            ledger.add(sample)
    except KeyboardInterrupt:
        kept = f"{len(ledger.samples)} verdicts are kept in {options.json}: run it again to go on"
        sys.stderr.write(f"\nstopped; {kept if options.json else 'no --json, nothing is kept'}\n")
        raise
    finally:
        verdicts.close()  # type: ignore[attr-defined] # ends the programs that run
        ledger.save({})


def _completions(
    options: argparse.Namespace, todo: Sequence[Wanted], decoding: Decoding
) -> Iterator[Completion]:
    if not todo:
        return
    from trainer.evaluation import completions
    from trainer.evaluation.causal import load_causal

    folder = model_folder(options.model)
    model = load_causal(folder, device=options.device, dtype=options.dtype)
    if options.single_line or any(each.task.suffix for each in todo):
        prompt = completions.into_the_gap(model, options.order, options.context, options.tokens)
    else:
        prompt = completions.left_to_right(model, options.tokens)
    if options.first_line:
        todo = [replace(each, task=replace(each.task, stops=("\n",))) for each in todo]
    for wanted, text in completions.complete(model, todo, decoding, prompt, options.batch):
        ends = options.first_line and (wanted.task.reference or "").endswith("\n")
        yield wanted.task, wanted.sample, text + "\n" if ends else text


def _report(
    options: argparse.Namespace,
    benchmark: Benchmark,
    tasks: Sequence[Task],
    decoding: Decoding | None,
    ledger: Ledger,
    ks: Sequence[int],
    argv: Sequence[str],
) -> int:
    rows = functional.summary(tasks, ledger, ks)
    part = f"{len(tasks)} of the {len(benchmark.tasks)} tasks"
    beside = functional.comparable(benchmark, tasks, decoding)
    ledger.save(
        {
            "command": command_line("functional", argv),
            "found": benchmark.found,
            "judged": part,
            "interval": "95%, Wilson, over tasks",
            "scores": rows,
            "published": [asdict(each) for each in beside],
        }
    )
    print(f"{benchmark.found}; judged {part}.")
    for name, value in ledger.protocol.items():
        if name not in ("benchmark", "file_sha256"):
            said = value if isinstance(value, str) else "; ".join(map(str, value.values()))
            print(f"{name}: {said}")
    print(f"pass@k: unbiased (Chen et al. 2021); 95% interval over tasks (Wilson)\n\n{table(rows)}")
    if beside:
        print(f"\nPublished, {published.SAMPLED}:\n{table([asdict(each) for each in beside])}")
    elif decoding is not None and functional.published_keys(benchmark):
        print(
            f"\nStarCoder's published rows are {published.SAMPLED} on all tasks: add --samples 50 "
            "--temperature 0.2 to stand beside them."
        )
    failed = [each for each in ledger.samples.values() if each.verdict != "passed"]
    if options.canonical:
        for each in failed:
            sys.stderr.write(f"{each.task}: {each.verdict}: {each.detail}\n")
        return 1 if failed else 0
    return 0
