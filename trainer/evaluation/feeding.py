"""How fast rows are made: what a training loop can be fed at most."""

import os
import time
from dataclasses import dataclass, replace

import numpy as np

from trainer.data import Plan
from trainer.stream import RowStream


@dataclass(frozen=True, slots=True)
class Feeding:
    """Rates by the wall clock, all workers together, without their start.

    Say the load beside them: on a machine that others use too, a rate says how busy they were.
    """

    workers: int  # 0: rows were made by the process that takes them
    cores: int
    load: float  # processes that wanted to run in the last minute, ours among them
    seconds: float
    rows: int
    rows_per_s: float
    tokens_per_s: float  # of rows, without their padding
    bytes_per_s: (
        float  # source text cut and tokenised; text of other files shown with it not counted
    )
    bytes_per_cpu_s: float  # the same for each second that a core really worked on it
    padding_share: float  # of all tokens in rows


def measure(plan: Plan, seconds: float, *, workers: int | None = None) -> Feeding:
    """Take rows as fast as they come for some seconds, once all that was made ahead is used up."""
    count = plan.data.workers if workers is None else workers
    stream = RowStream(replace(plan, data=replace(plan.data, workers=count)), workers=count)
    try:
        while stream.used.blocks <= stream.ahead:
            stream.take()
        pad = stream.pad
        rows = filled = 0
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            taken = stream.take()
            rows += len(taken)
            filled += int(np.count_nonzero(taken != pad))
        spent = time.monotonic() - began
        used = stream.used
    finally:
        stream.close()
    return Feeding(
        workers=count,
        cores=os.cpu_count() or 1,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
        seconds=spent,
        rows=rows,
        rows_per_s=rows / spent,
        tokens_per_s=filled / spent,
        bytes_per_s=rows / spent * used.bytes / used.rows,
        bytes_per_cpu_s=used.bytes / max(used.cpu_s, 1e-9),
        padding_share=1 - filled / (rows * (plan.data.context + 1)),
    )
