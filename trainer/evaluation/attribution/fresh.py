"""Opens an index in a process of its own, asks it what stands on stdin, and says how long that took."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer import AttributionIndex

_MEMORY = ("VmRSS", "RssAnon", "VmHWM")


@dataclass(frozen=True, slots=True)
class Asked:
    """A look-up to be timed: of a completion in its place, or of a file when there is none."""

    before: str
    text: str
    after: str
    language: str
    path: str
    is_completion: bool


def ask(index: "AttributionIndex", asked: Asked) -> int:
    """Looks one text up; how many matches there were."""
    if asked.is_completion:
        found = index.check_completion(
            asked.before, asked.text, asked.after, language=asked.language
        )
    else:
        found = index.check_document(asked.text, language=asked.language, path=asked.path)
    return len(found)


def memory() -> dict[str, float]:
    """MB of this process: resident, of them its own (not mapped from files), and the most there was."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return {}
    rows = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return {name: round(int(rows[name].split()[0]) * 1024 / 1e6, 1) for name in _MEMORY}


def main(arguments: list[str]) -> None:
    started = time.perf_counter()
    from indexer import AttributionIndex

    imported = time.perf_counter()
    index = AttributionIndex.open(Path(arguments[0]))
    opened = time.perf_counter()
    after_opening = memory()
    times = []
    for each in json.load(sys.stdin):
        begun = time.perf_counter()
        ask(index, Asked(**each))
        times.append(1000 * (time.perf_counter() - begun))
    result = {
        "import_ms": 1000 * (imported - started),
        "open_ms": 1000 * (opened - imported),
        "ask_ms": times,
        "memory_opened": after_opening,
        "memory": memory(),
    }
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
