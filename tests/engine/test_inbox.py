"""What a worker is told: by the thread that works, or by one that reads where a pipe cannot be asked."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from engine import Gap
from engine.frames import write_frame
from engine.inbox import Inbox, heard, polled

if TYPE_CHECKING:
    from typing import BinaryIO

GAP = Gap("a", "b")


class Line:
    """Both ends of a pipe."""

    def __init__(self, way: Callable[..., Any]) -> None:
        reading, writing = os.pipe()
        self.ended = threading.Event()
        self.writing: BinaryIO = os.fdopen(writing, "wb")
        self._reading: BinaryIO = os.fdopen(reading, "rb", buffering=0)
        self.inbox = Inbox(way(self._reading, self.ended.set))

    def say(self, message: dict[str, Any], gap: Gap | None = None) -> None:
        write_frame(self.writing, message, gap)

    def close(self) -> None:
        self.writing.close()
        assert self.ended.wait(60)
        self._reading.close()


@pytest.fixture(params=[heard, *([polled] if hasattr(select, "poll") else [])])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    made = Line(request.param)
    yield made
    made.close()


def until_cancelled(inbox: Inbox, number: int) -> bool:
    """Ask as the token loop does, until it is so."""
    token, ends = inbox.token(number), time.monotonic() + 60
    while not token.cancelled and time.monotonic() < ends:
        pass
    return token.cancelled


def test_requests_come_in_order(line: Line) -> None:
    for number in (1, 2):
        line.say({"complete": number}, GAP)

    assert line.inbox.next() == {"complete": 1, "gap": GAP}
    assert line.inbox.next(60) == {"complete": 2, "gap": GAP}


def test_when_nothing_comes_that_is_said(line: Line) -> None:
    started = time.monotonic()

    assert line.inbox.next(0.01) is None
    assert time.monotonic() - started >= 0.01


def test_cancelling_overtakes_the_next_request(line: Line) -> None:
    line.say({"complete": 1}, GAP)
    assert line.inbox.next() == {"complete": 1, "gap": GAP}
    assert not line.inbox.token(1).cancelled
    line.say({"complete": 2}, GAP)
    line.say({"cancel": 1})

    assert until_cancelled(line.inbox, 1)
    assert not line.inbox.token(2).cancelled
    line.inbox.forget(1)
    assert line.inbox.next() == {"complete": 2, "gap": GAP}
    line.say({"cancel": 2})
    assert until_cancelled(line.inbox, 2)


def test_who_waits_for_the_end_is_told_while_nobody_reads(line: Line) -> None:
    line.say({"complete": 1}, GAP)
    line.writing.close()

    assert line.ended.wait(60)
