"""How many threads to compute with on this machine."""

import os
from collections.abc import Mapping
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")
_MOST = 4  # a small model gains nothing from more


def threads_for(environment: Mapping[str, str], cores: int, *, spare: int = 1) -> int:
    """FOOTNOTE_THREADS or OMP_NUM_THREADS where set, else as many as there are cores, but `spare`.

    One core is left to the editor: where every core is busy elsewhere, threads that wait for each
    other lose a time slice at every matrix product. Our own kernels do not wait and spare none.
    """
    for name in ("FOOTNOTE_THREADS", "OMP_NUM_THREADS"):
        value = environment.get(name, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    return max(1, min(_MOST, cores - spare))


def physical_cores() -> int:
    """Cores that this process may run on; two threads of one core count once."""
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:  # only Linux has it
        return max(1, (os.cpu_count() or 1) // 2)
    siblings = set()
    for processor in allowed:
        file = _TOPOLOGY / f"cpu{processor}" / "topology" / "thread_siblings_list"
        try:
            siblings.add(file.read_text())
        except OSError:
            siblings.add(str(processor))
    return len(siblings)
