"""A worker's intents: never more than it may have in flight, and room for the next once one has ended."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from replay.cluster.scribe import Scribe
from replay.errors import StorageError
from replay.records import Event, Outcome, Result
from replay.sink import Answer, Meaning, Tries

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from replay.ledger import End, Standing

DELIVERED = Result(Outcome.DELIVERED, 200, 1, "200")


class Claim:
    """Remembers what it was told; a write takes until `go` is set."""

    def __init__(self) -> None:
        self.writes: list[tuple[list[tuple[int, int]], list[int], bool]] = []
        self.go = threading.Event()
        self.go.set()
        self.held_until = time.monotonic() + 300
        self.fails = False

    def write(
        self, intents: Sequence[tuple[int, int]], ends: Sequence[End], _: Standing, *, last: bool = False
    ) -> None:
        self.go.wait(300)
        if self.fails:
            raise StorageError("away")
        self.writes.append((sorted(intents), [end.number for end in ends], last))


def row(number: int) -> Event:
    return Event(0, number, b"", (), None, 0, copy=1, number=number)


def play(story: Callable[[Scribe, Claim], Coroutine[Any, Any, None]]) -> Claim:
    claim = Claim()
    with ThreadPoolExecutor(1) as disk:
        asyncio.run(story(Scribe(claim, 3, disk), claim))  # type: ignore[arg-type]
    return claim


def test_one_write_announces_the_next_rows_and_tells_how_the_last_ended() -> None:
    async def story(scribe: Scribe, _: Claim) -> None:
        first, second = row(1), row(2)
        await scribe.announce([first, second])
        assert (first.slot, scribe.room) == (0, 1)
        scribe.on_start(first)
        scribe.on_end(first, DELIVERED)
        assert scribe.room == 2
        await scribe.announce([row(3)])
        await scribe.finish()

    assert play(story).writes == [
        ([(1, 1), (1, 2)], [], False),
        ([(1, 2), (1, 3)], [1], False),
        ([], [], True),
    ]


def test_a_write_that_is_under_way_keeps_nobody_from_the_room_that_it_makes() -> None:
    async def story(scribe: Scribe, claim: Claim) -> None:
        rows = [row(number) for number in (1, 2, 3)]
        await scribe.announce(rows)
        assert scribe.room == 0
        scribe.on_end(rows[0], DELIVERED)
        claim.go.clear()
        beating = asyncio.create_task(scribe.beat())
        while not claim.go.is_set():
            await asyncio.sleep(0.1)
            assert scribe.room == 1
            claim.go.set()
        scribe.is_done = True
        await beating

    assert [ends for _, ends, _ in play(story).writes][:2] == [[], [1]]


def test_a_row_that_waits_stands_announced_no_more() -> None:
    async def story(scribe: Scribe, _: Claim) -> None:
        event = row(1)
        await scribe.announce([event])
        scribe.on_wait(event)
        assert (event.slot, scribe.room) == (-1, 3)
        await scribe.announce([row(2)])

    assert play(story).writes[-1] == ([(1, 2)], [], False)


def test_a_row_of_which_nobody_knows_stays_announced_and_takes_no_room() -> None:
    async def story(scribe: Scribe, _: Claim) -> None:
        event = row(1)
        await scribe.announce([event])
        scribe.on_answer(event, Answer(Meaning.UNKNOWN, "reset"), Tries())
        assert (event.slot, scribe.room) == (0, 3)
        await scribe.announce([row(2), row(3), row(4)])

    assert play(story).writes[-1][0] == [(1, 1), (1, 2), (1, 3), (1, 4)]


def test_nothing_begins_to_leave_after_the_lease() -> None:
    async def story(scribe: Scribe, claim: Claim) -> None:
        event = row(1)
        await scribe.announce([event])
        claim.held_until = time.monotonic() - 0.1
        with pytest.raises(StorageError, match="lease"):
            scribe.on_start(event)

    play(story)


def test_ends_that_could_not_be_written_are_written_in_the_end() -> None:
    async def story(scribe: Scribe, claim: Claim) -> None:
        event = row(1)
        await scribe.announce([event])
        scribe.on_end(event, DELIVERED)
        claim.fails = True
        with pytest.raises(StorageError):
            await scribe.announce([row(2)])
        claim.fails = False
        await scribe.finish()

    assert play(story).writes[-1] == ([], [1], True)
