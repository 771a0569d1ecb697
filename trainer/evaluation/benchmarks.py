"""Infilling cases of published benchmarks: HumanEval infilling, santacoder-fim-task, and their like.

Both have prompt, suffix and canonical_solution. The first adds task_id ("SingleLineInfilling/
HumanEval/0/L0"), test and entry_point and is Python; the second adds name, language ("py", "js",
"java") and tests. Read as JSON lines, as one JSON array, or as Parquet, plain or compressed.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.evaluation.cases import Case
from trainer.evaluation.published import SANTACODER

LANGUAGES = {"py": "python", "js": "javascript", "ts": "typescript", "java": "java"}
HUMANEVAL = "HumanEval infilling"
_SANTACODER_CASES = {"python": 1043, "javascript": 1969, "java": 1780}
_NEEDED = ("prompt", "suffix", "canonical_solution")


def read_cases(path: Path) -> list[Case]:
    """All cases of a file. ValueError names the line that cannot be read and what it should be."""
    if not path.is_file():
        raise ValueError(
            f"there is no file {path}: give one with {', '.join(_NEEDED)} in each line"
        )
    try:
        cases = [_case(values, f"{path}:{number}", number) for number, values in _records(path)]
    except (gzip.BadGzipFile, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error}): fetch it again") from error
    if not cases:
        raise ValueError(f"{path} holds no cases: it is empty")
    return cases


def _records(path: Path) -> Iterator[tuple[int, Any]]:
    """Line or record numbers from 1, and what stands there."""
    if path.suffix == ".parquet":
        yield from enumerate(_parquet(path), 1)
        return
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig") as stream:
        first = stream.read(1)
        if first == "[":
            yield from enumerate(_array(path, first + stream.read()), 1)
            return
        for number, line in enumerate(stream, 1):
            whole = first + line if number == 1 else line
            if whole.strip():
                yield number, _json(whole, f"{path}:{number}")


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{where}: {error}: each line must be one JSON object") from error


def _array(path: Path, text: str) -> list[Any]:
    values = _json(text, str(path))
    return values if isinstance(values, list) else [values]


def _parquet(path: Path) -> list[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[Any] = pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is no Parquet file ({error}): fetch it again") from error
    return rows


def _case(values: Any, where: str, number: int) -> Case:
    lacking: tuple[str, ...] = _NEEDED
    if isinstance(values, Mapping):
        lacking = tuple(each for each in _NEEDED if not isinstance(values.get(each), str))
    if lacking:
        raise ValueError(
            f"{where}: no text in {', '.join(lacking)}: each line must be a JSON object with "
            f"{', '.join(_NEEDED)}"
        )
    name = str(values.get("task_id", values.get("name", number)))
    language = str(values.get("language") or "py").lower()
    return Case(
        name=name,
        kind=_kind(name, values["canonical_solution"]),
        language=LANGUAGES.get(language, language),
        path="",
        prefix=values["prompt"],
        middle=values["canonical_solution"],
        suffix=values["suffix"],
    )


def _kind(name: str, middle: str) -> str:
    """HumanEval's own split where the name says it; else by the lines of the answer."""
    subsets = {
        "SingleLineInfilling": "line",
        "MultiLineInfilling": "block",
        "RandomSpanInfilling": "random",
        "RandomSpanInfillingLight": "random",
    }
    return subsets.get(name.split("/", 1)[0], "block" if "\n" in middle.strip() else "line")


def benchmark_of(cases: Sequence[Case], path: Path) -> str:
    """Which benchmark a whole file is, or else its name: only equal data may be compared.

    santacoder-fim-task is known by the number of its cases in a language, HumanEval by its names.
    """
    if all("Infilling" in each.name and "HumanEval/" in each.name for each in cases):
        return HUMANEVAL
    counts: dict[str, int] = {}
    for each in cases:
        counts[each.language] = counts.get(each.language, 0) + 1
    if counts and all(_SANTACODER_CASES.get(name) == count for name, count in counts.items()):
        return SANTACODER
    return path.name


def some_of(cases: Sequence[Case], count: int | None) -> list[Case]:
    """The first `count` in the order of their content hash, or all of them."""

    def place(case: Case) -> str:
        return hashlib.sha256(
            "\0".join((case.prefix, case.middle, case.suffix)).encode("utf-8", "surrogatepass")
        ).hexdigest()

    if count is None or count >= len(cases):
        return list(cases)
    return sorted(cases, key=place)[:count]
