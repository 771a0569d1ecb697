"""Starts one command as several processes of this machine that train together, and waits for them."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import IO, Any

_GRACE_S = 120.0  # to write a checkpoint after a signal


def launch(command: Sequence[str], count: int) -> int:
    """Run `command` as `count` processes; returns the first exit code that is not zero, else zero.

    The first one has the terminal; what the others say is shown when they fail. SIGINT and SIGTERM
    are passed on, and when one process dies the others are stopped.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    shared = {
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, cores // count))),
    }
    said: list[IO[Any]] = [tempfile.TemporaryFile() for _ in range(count - 1)]  # noqa: SIM115
    children = [
        subprocess.Popen(
            command,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdin=subprocess.DEVNULL,
            stdout=said[rank - 1] if rank else None,
            stderr=said[rank - 1] if rank else None,
            start_new_session=True,  # a terminal's Ctrl-C comes from us alone, once
        )
        for rank in range(count)
    ]

    def pass_on(number: int, _: Any) -> None:
        for child in children:
            if child.poll() is None:
                child.send_signal(number)

    before = {each: signal.signal(each, pass_on) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        return _wait(children, said)
    finally:
        for child in children:
            child.kill()
            child.wait()
        for number, handler in before.items():
            signal.signal(number, handler)
        for stream in said:
            stream.close()


def _wait(children: Sequence[subprocess.Popen[bytes]], said: Sequence[IO[Any]]) -> int:
    """Until all have ended, or one has failed and the others had time to follow."""
    deadline = float("inf")
    while True:
        codes = [child.poll() for child in children]
        failed = next((code for code in codes if code), 0)
        if all(code is not None for code in codes):
            break
        if failed and deadline == float("inf"):
            # A signal ends all of them after a checkpoint; the death of one leaves the others waiting.
            deadline = time.monotonic() + (_GRACE_S if failed == 130 else 5.0)
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    if failed and failed != 130 and not codes[0]:
        rank = next(number for number, code in enumerate(codes) if code)
        said[rank - 1].seek(0)
        sys.stderr.write(f"process {rank} failed ({failed}):\n")
        sys.stderr.write(said[rank - 1].read().decode(errors="replace")[-4000:])
    return failed


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
