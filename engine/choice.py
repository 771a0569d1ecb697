"""Which backend was the fastest here for a model: what was timed once, kept in a file.

Without the file, or with one that cannot be read, the order of engine.backends serves. Whatever
makes other figures likely makes another key: the model's shape, versions, processor, threads.
"""

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from engine.backends import AUTO, BACKENDS, Wish, candidates
from engine.checkpoint import CONFIG, Checkpoint
from engine.cores import physical_cores, threads_for
from engine.devices import accelerator, memory, processor, releases
from engine.native.building import library
from engine.timing import Timing

FILE = "backends.json"  # its usual name, in the folder of all data

_FORMAT = 1
_MOST = 64  # models on machines whose timings are kept
_GAIN = 1.2  # what must be gained to leave the order, above noise: so two starts choose alike
_LIBRARIES = ("footnote", "numpy", "openvino", "torch", "transformers")
# A model is timed where it fits beside the one that serves: twice as float32.
_COPIES = 8

_DAMAGED = (OSError, ValueError, TypeError, KeyError)  # or not there

_log = logging.getLogger(__name__)


def preferred(file: Path | None, checkpoint: Checkpoint, wish: Wish) -> Wish | None:
    """The fastest of those that could serve, where they were timed; None where they were not."""
    timings = timings_of(file, checkpoint, wish)
    return fastest(candidates(wish, checkpoint.shape), timings) if timings else None


def fastest(order: Sequence[Wish], timings: Sequence[Timing]) -> Wish | None:
    """The first of the order, or one that beats it clearly."""
    ran_here = [each for each in timings if not each.problem]
    known = {(each.backend, device): each for each in ran_here for device in (AUTO, each.device)}
    ran = [each for each in order if (each.backend, each.device) in known]
    if not ran:
        return None
    cost = {each: known[each.backend, each.device].line_ms for each in ran}
    best = min(ran, key=cost.__getitem__)
    return best if cost[best] * _GAIN < cost[ran[0]] else ran[0]


def to_be_timed(file: Path | None, checkpoint: Checkpoint, wish: Wish) -> list[Wish]:
    """Those between which only timing can choose; none where that is known, or not asked."""
    if file is None or wish.backend != AUTO or _is_large(checkpoint):
        return []
    found = candidates(wish, checkpoint.shape)
    return [] if len(found) < 2 or timings_of(file, checkpoint, wish) else found


def timings_of(file: Path | None, checkpoint: Checkpoint, wish: Wish) -> list[Timing]:
    """What was timed of this model on this machine; empty for nothing."""
    if file is None or wish.backend != AUTO:
        return []
    try:
        return [_timing(each) for each in _read(file)[_key(checkpoint, wish)]]
    except _DAMAGED:
        return []


def remember(file: Path, checkpoint: Checkpoint, wish: Wish, timings: Sequence[Timing]) -> None:
    """Keep timings; a file that cannot be written leaves the order as it is."""
    try:
        entries = _read(file)
    except _DAMAGED:
        entries = {}
    key = _key(checkpoint, wish)
    entries.pop(key, None)
    kept = dict(list(entries.items())[1 - _MOST :])
    values = {"format": _FORMAT, "timed": {**kept, key: [asdict(each) for each in timings]}}
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(values, indent=1), encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        _log.warning("the timings of the backends cannot be kept: %s", error)
        with contextlib.suppress(OSError):
            partial.unlink()


def _read(file: Path) -> dict[str, Any]:
    values = json.loads(file.read_text(encoding="utf-8"))
    if values["format"] != _FORMAT:
        raise ValueError(f"format {values['format']}")
    return dict(values["timed"])


def _timing(values: Any) -> Timing:
    timing = Timing(**values)
    for each in fields(Timing):
        value = getattr(timing, each.name)
        if not isinstance(value, type(each.default) if each.name != "backend" else str):
            raise TypeError(each.name)
    if timing.backend not in BACKENDS or timing.prompt_tokens < 1:
        raise ValueError(timing.backend)
    return timing


def _key(checkpoint: Checkpoint, wish: Wish) -> str:
    """Of all that the figures depend on; the values of the weights are not among it."""
    kernels = library()
    parts = [
        (checkpoint.folder / CONFIG).read_text(encoding="utf-8"),
        *sorted(f"{each.name} {each.stat().st_size}" for each in checkpoint.weights),
        *releases(*_LIBRARIES),
        kernels.name if kernels else "",
        processor(),
        accelerator(),
        wish.dtype,
        f"{wish.threads or threads_for(os.environ, physical_cores(), spare=0)} threads",
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _is_large(checkpoint: Checkpoint) -> bool:
    return _COPIES * sum(each.stat().st_size for each in checkpoint.weights) > memory()
