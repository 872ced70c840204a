"""What one worker learns all hear, once; what all are told each follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from replay.cluster.lending import Lent
from replay.cluster.worker import HALTED, LOST, Worker
from replay.sink import Answer, Meaning, State


class Sender:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.outage: str | None = None
        self.stopped_by: str | None = None
        self.heard: list[str] = []

    def expect_outage(self, reason: str) -> None:
        self.outage = reason
        self.heard.append(reason)

    def stop(self, stopped_by: str, reason: str | None = None) -> None:
        self.stopped_by = self.stopped_by or stopped_by

    def abort(self) -> None:
        self.stopped_by = "aborted"


class Task:
    share = 3


def worker(is_closing: bool = False) -> Worker:
    task: Any = Task()
    return Worker(task, None, None, lambda: is_closing)  # type: ignore[arg-type]


def lent(halted: int = 0, outage: str | None = None, is_kept: bool = True) -> Lent:
    return Lent(0.0, 0.0, 0.0, 0.0, 0, State(), halted, outage, is_kept)


def hear(one: Worker, sender: Sender, said: Lent) -> None:
    one._hear(sender, said)  # type: ignore[arg-type]


def found(one: Worker, sender: Sender) -> str | None:
    return one._new_outage(sender)  # type: ignore[arg-type]


def test_an_outage_is_told_once_and_again_only_when_another_begins() -> None:
    one, sender = worker(), Sender()
    assert found(one, sender) is None
    sender.outage = "no connection"
    told = found(one, sender)
    assert told is not None
    assert told.endswith(": no connection")
    sender.outage = "another answer of a probe"
    assert found(one, sender) is None
    hear(one, sender, lent(outage=told))  # its own word comes back
    assert sender.heard == []
    sender.outage = None
    assert found(one, sender) is None
    sender.outage = "no connection"
    assert found(one, sender) not in (None, told)


def test_an_outage_of_another_worker_opens_the_breaker_once_and_is_not_told_on() -> None:
    one, sender = worker(), Sender()
    for _ in range(3):
        hear(one, sender, lent(outage="0 at 7: no connection: refused"))
        assert found(one, sender) is None
    assert sender.heard == ["no connection: refused"]
    sender.outage = None  # a probe was answered
    hear(one, sender, lent(outage="0 at 7: no connection: refused"))
    assert sender.outage is None
    hear(one, sender, lent(outage="1 at 9: away again"))
    assert sender.outage == "away again"


def test_what_another_worker_delivered_lets_this_one_believe_the_target() -> None:
    page = Answer(Meaning.ACCEPTED, "200 an HTML page: x", 200, reports_failure=True)
    assert worker()._limits.believed(page).meaning is Meaning.DISBELIEVED
    one = worker()
    hear(one, Sender(), replace(lent(), was_reached=True))
    assert one._limits.believed(page) is page


@pytest.mark.parametrize(
    ("said", "is_closing", "stopped_by"),
    [
        (lent(), False, None),
        (lent(halted=1), False, HALTED),
        (lent(halted=2), False, "aborted"),
        (lent(is_kept=False), False, LOST),
        (lent(), True, LOST),
    ],
)
def test_a_worker_stops_when_all_do_and_when_nobody_keeps_the_run(
    said: Lent, is_closing: bool, stopped_by: str | None
) -> None:
    sender = Sender()
    hear(worker(is_closing), sender, said)
    assert sender.stopped_by == stopped_by
