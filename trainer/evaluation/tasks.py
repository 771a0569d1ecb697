"""Programming tasks that a program's own tests decide: HumanEval, MBPP, MultiPL-E and infilling.

JSON lines or one JSON array, plain or gzip. The keys decide which layout a file has:

    HumanEval             task_id, prompt, entry_point, test; canonical_solution
    HumanEval infilling   the same with suffix
    MBPP                  task_id, text or prompt, code, test_list; test_setup_code or test_imports
    MultiPL-E             name, language, prompt, tests, stop_tokens
"""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HUMANEVAL = "HumanEval"
INFILLING = "HumanEval infilling"
MBPP = "MBPP"
MULTIPL_E = "MultiPL-E"

# Where a text stops being the function: bigcode-evaluation-harness, tasks humaneval and mbpp.
_HUMANEVAL_STOPS = ("\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", "\n```", "<file_sep>")
_MBPP_STOPS = ("\nclass", "\nassert", '\n"""', "\nprint", "\nif", "\n<|/", "\n```")
_MBPP_TEST = range(11, 511)  # the ids that the MBPP paper tests on; others are for prompts

# What MultiPL-E calls the languages, by the names that we use.
LANGUAGES = {
    "py": "python",
    "python": "python",
    "js": "javascript",
    "ts": "typescript",
    "java": "java",
    "cpp": "cpp",
    "go": "go",
    "go_test.go": "go",
    "rs": "rust",
}


@dataclass(frozen=True, slots=True)
class Task:
    """A gap in a program and the tests behind it."""

    name: str
    language: str
    prompt: str  # what the model is shown; its completion follows that very text
    lead: str  # the program before a completion that was not made from `prompt`
    suffix: str  # the program behind the gap; empty from left to right
    tests: str
    stops: tuple[str, ...]
    reference: str | None  # a completion known to be right

    def program(self, completion: str, *, prompted: bool = True) -> str:
        """The whole source; without `prompted` the completion follows the file's own prompt."""
        return (self.prompt if prompted else self.lead) + completion + self.suffix + self.tests


@dataclass(frozen=True, slots=True)
class Benchmark:
    name: str  # of the layout
    found: str  # what was found in the file, for people
    prompt_form: str
    tasks: tuple[Task, ...]


def read_benchmark(path: Path, *, all_tasks: bool = False) -> Benchmark:
    """Read a file; of MBPP its test split (ids 11 to 510) unless `all_tasks`.

    ValueError says which line has which fault, and which layouts are known.
    """
    records = list(_records(path))
    if not records:
        raise ValueError(f"{path} is empty: give a file in one of these layouts:\n{_layouts()}")
    where, first = records[0]
    layout = _layout_of(first, where)
    tasks = []
    for where, values in records:
        try:
            tasks.append(layout.read(values, where))
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            lacking = [each for each in layout.needs if each not in values]
            reason = f"lacks {', '.join(lacking)}" if lacking else f"cannot be read ({error!r})"
            raise ValueError(
                f"{where}: a task of {layout.name} {reason}: mend that line or leave it out"
            ) from error
    if layout.name == MBPP and not all_tasks:
        split = [each for each in tasks if int(each.name.rpartition("/")[2]) in _MBPP_TEST]
        tasks = split or tasks
    (name, count), *_ = Counter(each.name for each in tasks).most_common(1)
    if count > 1:
        raise ValueError(f"{path}: {count} tasks are called {name}: a name must stand once")
    found = f"{layout.name}, {len(tasks)} of {len(records)} tasks, {_languages_of(tasks)}"
    return Benchmark(layout.name, found, layout.prompt_form, tuple(tasks))


def _languages_of(tasks: Sequence[Task]) -> str:
    return ", ".join(sorted({each.language for each in tasks}))


def single_lines(benchmark: Benchmark) -> Benchmark:
    """The published single-line cases, made again from HumanEval: one for each line that is not blank.

    As in HumanEval infilling (Bavarian et al. 2022), each such line of every reference solution is
    taken out once; the line break behind it stays. HumanEval's 164 solutions give its 1,033 cases.
    """
    if benchmark.name != HUMANEVAL:
        raise ValueError(f"single lines are made from a HumanEval file, not from {benchmark.name}")
    derived = []
    for task in benchmark.tasks:
        lines = (task.reference or "").removeprefix("\n").split("\n")
        for number, line in enumerate(lines):
            if not line.strip():
                continue
            before = task.lead + "".join(f"{each}\n" for each in lines[:number])
            derived.append(
                replace(
                    task,
                    name=f"SingleLineInfilling/{task.name}/L{number}",
                    prompt=before,
                    lead=before,
                    suffix="\n" + "\n".join(lines[number + 1 :]),
                    stops=(),
                    reference=line,
                )
            )
    if not derived:
        raise ValueError("single lines need canonical_solution in every task: this file has none")
    form = "made from HumanEval: every line of the solutions that is not blank, once; " + _GAP_FORM
    found = f"{len(derived)} single lines of {len(benchmark.tasks)} HumanEval tasks, python"
    return Benchmark(f"{INFILLING} (derived)", found, form, tuple(derived))


# Reading: whatever is wrong is said with its line.


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    text = _text_of(path)
    if text.lstrip().startswith("["):
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{path}: {error}: mend it or fetch it again") from error
        numbered = [(f"{path}, record {number}", each) for number, each in enumerate(values, 1)]
    else:
        numbered = [
            (f"{path}:{number}", _parsed(line, f"{path}:{number}"))
            for number, line in enumerate(text.split("\n"), 1)
            if line.strip()
        ]
    for where, each in numbered:
        if not isinstance(each, Mapping):
            raise ValueError(f"{where}: a task must be a JSON object, not {type(each).__name__}")
        yield where, each


def _text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error}): fetch it again") from error
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error


def _parsed(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where}: {error}: each line must be one JSON object") from error


def read_completions(path: Path) -> list[tuple[str, str]]:
    """Completions made elsewhere, one JSON object a line: task_id and completion, in order."""
    found = []
    for where, values in _records(path):
        name, completion = values.get("task_id", values.get("name")), values.get("completion")
        if name is None or not isinstance(completion, str):
            raise ValueError(
                f"{where}: needs task_id and completion (a text), has {', '.join(values)}"
            )
        found.append((str(name), completion))
    return found


@dataclass(frozen=True, slots=True)
class _Layout:
    name: str
    needs: tuple[str, ...]
    prompt_form: str
    read: Callable[[Mapping[str, Any], str], Task]


def _layout_of(values: Mapping[str, Any], where: str) -> _Layout:
    for layout in _KNOWN:
        if all(each in values for each in layout.needs):
            return layout
    raise ValueError(
        f"{where}: unknown layout with the keys {', '.join(values)}. Known are:\n{_layouts()}"
    )


def _layouts() -> str:
    return "\n".join(f"  {each.name}: {', '.join(each.needs)}" for each in _KNOWN)


def _humaneval(values: Mapping[str, Any], where: str) -> Task:
    name = str(values["task_id"])
    family = name.partition("/")[0]
    if "declaration" in values and family not in ("Python", HUMANEVAL):
        raise ValueError(
            f"{where}: {name} is a {family} task of HumanEval-X: use MultiPL-E's files"
        )
    prompt = str(values["prompt"])
    reference = values.get("canonical_solution")
    return Task(
        name=name,
        language="python",
        prompt=prompt.strip(),
        lead=prompt,
        suffix="",
        tests=_checked(values),
        stops=_HUMANEVAL_STOPS,
        reference=None if reference is None else str(reference),
    )


def _checked(values: Mapping[str, Any]) -> str:
    return f"\n{values['test']}\ncheck({values['entry_point']})\n"


def _infilling(values: Mapping[str, Any], where: str) -> Task:
    del where
    prompt = str(values["prompt"])
    return Task(
        name=str(values["task_id"]),
        language="python",
        prompt=prompt,
        lead=prompt,
        suffix=str(values["suffix"]),
        tests=_checked(values),
        stops=(),
        reference=str(values["canonical_solution"]),
    )


def _mbpp(values: Mapping[str, Any], where: str) -> Task:
    number = values["task_id"]
    if not str(number).rpartition("/")[2].isdigit():
        raise ValueError(f"{where}: the task_id of MBPP is a number, not {number!r}")
    text = str(values["text"] if "text" in values else values["prompt"])
    tests = "\n".join(values["test_list"])
    shown = values["test_list"][0]  # one, as InCoder's evaluation did and everybody since
    setup = values.get("test_setup_code") or "\n".join(values.get("test_imports") or ())
    prompt = f'"""\n{text}\n{shown}\n"""\n'
    return Task(
        name=f"MBPP/{str(number).rpartition('/')[2]}",
        language="python",
        prompt=prompt,
        lead=prompt,
        suffix="",
        tests=f"\n{setup}\n{tests}\n",
        stops=_MBPP_STOPS,
        reference=str(values["code"]),
    )


def _multipl_e(values: Mapping[str, Any], where: str) -> Task:
    named = str(values["language"])
    prompt = str(values["prompt"])
    stops = values["stop_tokens"]
    if isinstance(stops, str):
        raise ValueError(f"{where}: stop_tokens must be a list of texts")
    return Task(
        name=str(values["name"]),
        language=LANGUAGES.get(named, named),
        prompt=prompt.strip(),
        lead=prompt,
        suffix="",
        tests=f"\n{values['tests']}",
        stops=tuple(str(each) for each in stops),
        reference=None,
    )


_GAP_FORM = "prompt and suffix in the model's own fill-in-the-middle layout, up to its end token"

# More particular layouts first.
_KNOWN = (
    _Layout(
        MULTIPL_E,
        ("name", "language", "prompt", "tests", "stop_tokens"),
        "the file's prompt, stripped; the file's stop tokens (bigcode-evaluation-harness)",
        _multipl_e,
    ),
    _Layout(
        INFILLING,
        ("task_id", "prompt", "suffix", "canonical_solution", "test", "entry_point"),
        _GAP_FORM,
        _infilling,
    ),
    _Layout(
        HUMANEVAL,
        ("task_id", "prompt", "entry_point", "test"),
        "the file's prompt, stripped; stops at the next statement (bigcode-evaluation-harness)",
        _humaneval,
    ),
    _Layout(
        MBPP,
        ("task_id", "code", "test_list"),
        "a docstring of the text and the first test, no examples (bigcode-evaluation-harness, "
        "after InCoder)",
        _mbpp,
    ),
)
