"""No row begins before it is announced, and the pace does not wait for that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sender.skipping import skip
from sender.stage import OK, REFUSED, Destination, Stage, Witness
from sender.test_outage import BUSY, now, rows

from replay.errors import StorageError
from replay.records import Outcome
from replay.settings import AHEAD_WITHOUT_RATE
from replay.sink import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replay.records import Event
    from replay.sink import Answer, Turn

COMMIT_SECONDS = 0.005


class Book:
    """What is announced, in commits that take their time; `begun` is who went, all must be in it before."""

    def __init__(self, seconds: float = COMMIT_SECONDS) -> None:
        self.seconds = seconds
        self.groups: list[list[int]] = []
        self.written: set[int] = set()
        self.most_idle = 0
        self.is_busy = False
        self.begun: set[int] = set()
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None

    async def announce(self, events: Sequence[Event]) -> None:
        assert not self.is_busy, "one call at a time"
        assert events
        self.is_busy = True
        self.groups.append([one.row for one in events])
        await asyncio.sleep(self.seconds)
        if self.gate is not None:
            await self.gate.wait()
        self.is_busy = False
        if self.error is not None:
            raise self.error
        assert self.written.isdisjoint(self.groups[-1]), "a row is announced once"
        self.written.update(self.groups[-1])
        self.most_idle = max(self.most_idle, len(self.written - self.begun))


class Attentive(Destination):
    """Sees that nobody comes unannounced, and when they come."""

    def __init__(self, book: Book, answers: Callable[[int, int], Answer] = lambda row, attempt: OK) -> None:
        super().__init__(answers)
        self.book = book
        self.moments: list[float] = []

    async def attempt(
        self, body: bytes, on_start: Callable[[], None] | None = None, turn: Turn | None = None
    ) -> Answer:
        assert int(body) in self.book.written
        self.book.begun.add(int(body))
        self.moments.append(now())
        return await super().attempt(body, on_start, turn)


def stage_of(
    book: Book, rate: float | None, answers: Callable[[int, int], Answer] = lambda row, attempt: OK
) -> Stage:
    return Stage(Attentive(book, answers), throttle=Throttle(rate, now), announce=book.announce, rate=rate)


@pytest.mark.parametrize("rate", [0.5, 1.0, 20.0, 1000.0, None])
def test_every_row_is_announced_once_before_it_begins_and_few_ahead(rate: float | None) -> None:
    async def story() -> None:
        book = Book()
        stage = stage_of(book, rate, lambda row, attempt: BUSY if row % 7 == 0 and attempt < 3 else OK)
        await stage.send(rows(1500, users=400))
        assert len(stage.witness.results) == 1500
        ahead = AHEAD_WITHOUT_RATE if rate is None else max(1, int(rate / 2))
        assert book.most_idle <= ahead
        assert max(len(group) for group in book.groups) <= ahead

    skip(story())


@pytest.mark.parametrize("rate", [50.0, 1000.0])
def test_the_pace_does_not_wait_for_announcements_and_they_are_few(rate: float) -> None:
    async def story() -> None:
        book = Book()
        stage = stage_of(book, rate)
        await stage.send(rows(4000))
        moments = stage.destination.moments  # type: ignore[attr-defined]
        assert moments[-1] - moments[0] == pytest.approx(3999 / rate, abs=0.02)
        assert len(book.groups) <= 4000 / int(rate / 4) + 2

    skip(story())


def test_for_a_single_user_the_announcement_is_all_that_a_row_waits_for() -> None:
    async def story() -> float:
        book = Book()
        await stage_of(book, None).send(rows(200, users=1))
        assert book.groups == [[row] for row in range(200)]
        return now()

    assert skip(story()) == pytest.approx(200 * COMMIT_SECONDS, rel=0.01)


def test_while_an_announcement_is_under_way_those_announced_before_go_on() -> None:
    async def story() -> None:
        book = Book(seconds=0.0)
        stage = stage_of(book, 100.0)
        running = asyncio.create_task(stage.send(rows(300)))
        await stage.until(lambda: len(book.written) >= 50)
        book.gate = asyncio.Event()
        await asyncio.sleep(3600)
        assert len(stage.witness.results) == len(book.written) < 300
        book.gate.set()
        await running
        assert len(stage.witness.results) == 300

    skip(story())


def test_a_row_whose_announcement_fails_is_not_sent() -> None:
    async def story() -> None:
        book = Book()
        book.error = StorageError("the disk is full")
        stage = stage_of(book, None)
        await stage.send(rows(10))
        assert (stage.sender.stopped_by, stage.sender.stop_reason) == ("storage", "the disk is full")
        assert stage.destination.started == []

    skip(story())


@pytest.mark.parametrize("how", ["stop", "abort", "cancel"])
def test_a_stop_lets_an_announcement_finish_and_sends_nothing_of_it(how: str) -> None:
    async def story() -> None:
        book = Book()
        book.gate = asyncio.Event()
        stage = stage_of(book, None)
        running = asyncio.create_task(stage.send(rows(10)))
        await stage.until(lambda: book.is_busy)
        if how == "cancel":
            running.cancel()
        else:
            getattr(stage.sender, how)(*["interrupted"] * (how == "stop"))
        await asyncio.sleep(60)
        assert not running.done()
        book.gate.set()
        await asyncio.gather(running, return_exceptions=True)
        assert book.written == set(range(10))
        assert stage.destination.started == []
        assert len(asyncio.all_tasks()) == 1

    skip(story())


def test_a_row_that_is_called_off_or_tried_again_needs_no_new_announcement() -> None:
    async def story() -> None:
        book = Book()
        stage = stage_of(book, 100.0, lambda row, attempt: REFUSED if now() < 20.0 else OK)
        await stage.send(rows(200, users=150))
        assert set(stage.witness.outcomes().values()) == {Outcome.DELIVERED}
        assert sorted(row for group in book.groups for row in group) == list(range(200))

    skip(story())


def test_storage_that_fails_when_a_row_waits_stops_the_run() -> None:
    async def story() -> None:
        witness = Witness(StorageError("the disk is full"), ["on_wait"])
        stage = Stage(Destination(lambda row, attempt: BUSY), witness)
        await stage.send(rows(10))
        assert stage.sender.stopped_by == "storage"

    asyncio.run(story())
