"""What a process and its children hold in memory, where the system tells."""

from pathlib import Path
from typing import Any


def memory_of(process: int) -> dict[str, Any]:
    """MB by process; shared pages are counted once (PSS). Empty where the system does not tell."""
    held = []
    for each in _with_children(process):
        rollup = _fields(Path(f"/proc/{each}/smaps_rollup"))
        status = _fields(Path(f"/proc/{each}/status"))
        if "Pss" not in rollup or "VmHWM" not in status:
            return {}
        held.append({"pss": rollup["Pss"], "rss": status["VmRSS"], "rss_at_most": status["VmHWM"]})
    return {"itself": held[0], "children": held[1:], "sum": _sum(held)}


def _sum(held: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(sum(each[key] for each in held), 1) for key in held[0]}


def _with_children(process: int) -> list[int]:
    found = [process]
    for each in found:
        for task in Path("/proc").glob(f"{each}/task/*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def _fields(file: Path) -> dict[str, float]:
    """The lines of kB in MB."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    parts = [line.split() for line in lines]
    return {
        each[0].rstrip(":"): round(int(each[1]) / 1000, 1)
        for each in parts
        if len(each) == 3 and each[2] == "kB"
    }
