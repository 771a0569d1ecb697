"""Worker processes that make blocks. Whatever happens to one of them, the trainer hears of it."""

import multiprocessing
import os
import queue
import signal
import threading
from multiprocessing.connection import Connection, wait
from typing import Any

from trainer.data import Block, Plan, open_source, timed_block

_LOOK_S = 5.0  # how often an idle worker sees whether its trainer still lives


class DataFailure(Exception):
    """A worker died or failed; the message says what to do."""


class Crew:
    """Processes that each make the blocks that they are asked for, one after the other.

    Every worker has a pipe of its own, so that the death of one can block nobody: its pipe ends.
    """

    def __init__(self, plan: Plan, count: int) -> None:
        self._processes: list[Any] = []
        self._pipes: list[Connection[Any, Any]] = []
        self._waiting = [0] * count  # blocks that each was asked for and has not sent
        context = multiprocessing.get_context("spawn")
        try:
            for _ in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_work, args=(plan, theirs), daemon=True, name="rows"
                )
                self._pipes.append(ours)
                process.start()
                self._processes.append(process)
                theirs.close()
        except BaseException:
            self.close()
            raise

    def ask(self, number: int) -> None:
        """Have a block made by whoever has the least to do."""
        place = min(range(len(self._waiting)), key=self._waiting.__getitem__)
        self._waiting[place] += 1
        try:
            self._pipes[place].send(number)
        except OSError:
            raise self._death(place) from None

    def receive(self) -> dict[int, Block]:
        """Wait for at least one block. DataFailure when a worker died or failed."""
        made = {}
        for pipe in wait(self._pipes):
            place = self._pipes.index(pipe)  # type: ignore[arg-type]
            try:
                number, block = self._pipes[place].recv()
            except (EOFError, OSError):
                raise self._death(place) from None
            if isinstance(block, str):
                raise DataFailure(f"a data worker failed at block {number}: {block}")
            self._waiting[place] -= 1
            made[number] = block
        return made

    def close(self) -> None:
        """End the workers; they hold nothing that could be left half done."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join(timeout=5)
        for pipe in self._pipes:
            pipe.close()

    def _death(self, place: int) -> DataFailure:
        process = self._processes[place]
        process.join(timeout=5)
        return DataFailure(
            f"a data worker died (exit code {process.exitcode}; -9 is often a lack of memory): "
            "lower data.workers or data.documents_per_block, and resume the run"
        )


def _work(plan: Plan, pipe: "Connection[Any, Any]") -> None:
    """Answer block numbers with blocks until the trainer is gone."""
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)  # the trainer finishes its step and then ends us
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if hasattr(os, "nice"):
        os.nice(5)
    outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_send, args=(pipe, outbox), daemon=True).start()
    number: int | None = None
    try:
        source = open_source(plan)
        while (number := _next(pipe)) is not None:
            outbox.put((number, timed_block(number, source)))
    except Exception as error:  # noqa: BLE001 -- whatever it is, the trainer must hear of it
        outbox.put((number, f"{type(error).__name__}: {error}"))
        while _next(pipe) is not None:
            pass


def _next(pipe: "Connection[Any, Any]") -> int | None:
    """The next block to make, or None when nobody is left to ask for one."""
    parent = multiprocessing.parent_process()
    while not pipe.poll(_LOOK_S):
        if parent is None or not parent.is_alive():
            return None
    try:
        number: int = pipe.recv()
    except (EOFError, OSError):
        return None
    return number


def _send(pipe: "Connection[Any, Any]", outbox: Any) -> None:
    while True:
        try:
            pipe.send(outbox.get())
        except OSError:
            return
