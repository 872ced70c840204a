"""What a run does with rows while nothing stops it."""

from __future__ import annotations

import asyncio
import random
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from sender.stage import BAD, BROKEN, BUSY, OK, REFUSED, Destination, Stage, event

from replay.records import Event, Outcome
from replay.sender.sender import WINDOW_MIN
from replay.sink import Answer, Meaning

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def sent(events: list[Event], destination: Destination | None = None, **settings: object) -> Stage:
    async def story() -> Stage:
        stage = Stage(destination, **settings)  # type: ignore[arg-type]
        await stage.send(events)
        return stage

    return asyncio.run(story())


def out_of_order(log: list[tuple[str, int]], events: list[Event]) -> int:
    """Rows that began before every earlier attempt of a row with a common lane had ended."""
    starts = {row: at for at, (what, row) in reversed([*enumerate(log)]) if what == "start"}
    ends = {row: at for at, (what, row) in enumerate(log) if what == "end"}
    lanes: dict[str, list[int]] = {}
    for one in events:
        for lane in one.lanes:
            lanes.setdefault(lane, []).append(one.row)
    pairs = {pair for rows in lanes.values() for pair in combinations(rows, 2)}
    return sum(starts[later] < ends[earlier] for earlier, later in pairs)


def test_every_row_of_every_batch_ends_delivered() -> None:
    async def story() -> Stage:
        stage = Stage()
        await stage.send([event(1), event(2)], [], [event(3)])
        return stage

    stage = asyncio.run(story())
    assert stage.witness.outcomes() == dict.fromkeys([1, 2, 3], Outcome.DELIVERED)
    assert stage.sender.stopped_by is None
    assert stage.sender.in_flight == 0


def test_no_rows_at_all_is_a_run_too() -> None:
    assert sent([]).witness.results == {}


@pytest.mark.parametrize("concurrency", [1, 3, 32])
def test_no_more_requests_are_in_flight_than_allowed_and_as_many(concurrency: int) -> None:
    destination = Destination()
    destination.pauses = lambda: 5
    sent([event(row) for row in range(200)], destination, concurrency=concurrency)
    assert destination.most_in_flight == concurrency


def test_rows_that_share_a_user_or_a_device_keep_their_order_over_a_chain_of_both() -> None:
    chain = [event(1, "u:a"), event(2, "u:a", "d:x"), event(3, "d:x", "u:b"), event(4, "u:b")]
    destination = Destination()
    destination.pauses = lambda: 3
    sent([*chain, event(5, "u:c")], destination)
    assert [row for row in destination.started if row != 5] == [1, 2, 3, 4]
    assert out_of_order(destination.log, chain) == 0
    assert destination.most_in_flight == 2


@pytest.mark.parametrize("answer", [BAD, BROKEN])
def test_a_row_that_ends_undelivered_does_not_hold_back_the_later_ones(answer: Answer) -> None:
    stage = sent(
        [event(row, "u:a") for row in range(3)],
        Destination(lambda row, attempt: answer if row == 0 else OK),
    )
    assert stage.destination.started == [0, 1, 2]
    assert stage.witness.results[2].outcome is Outcome.DELIVERED


def test_a_row_that_is_tried_again_holds_its_user_back_and_nobody_else() -> None:
    stage = sent(
        [event(1, "u:a"), event(2, "u:a"), event(3, "u:b")],
        Destination(lambda row, attempt: BUSY if row == 1 and attempt < 4 else OK),
    )
    rows = stage.destination.started
    assert rows.count(1) == 4
    assert rows.index(2) > max(at for at, row in enumerate(rows) if row == 1)


def test_with_order_none_nobody_waits_for_anybody() -> None:
    events = [event(row, "u:a") for row in range(20)]
    destination = Destination()
    destination.pauses = lambda: 3
    sent(events, destination, order="none", concurrency=8)
    assert destination.most_in_flight == 8


def test_a_row_that_waits_for_another_try_gives_its_worker_back() -> None:
    wait = Answer(Meaning.UNKNOWN, "500", 500)

    def answers(row: int, attempt: int) -> Answer:
        return wait if row == 1 and attempt == 1 else OK

    stage = sent(
        [event(row) for row in (1, 2, 3)], Destination(answers), concurrency=1, on_ambiguous="resend"
    )
    assert stage.destination.started[0] == 1
    assert sorted(stage.destination.started) == [1, 1, 2, 3]
    assert stage.witness.results[1].attempts == 2


def test_a_429_costs_no_try_and_a_refused_connection_does() -> None:
    busy = sent([event(1)], Destination(lambda row, attempt: BUSY if attempt <= 20 else OK), retries=0)
    assert busy.witness.results[1].outcome is Outcome.DELIVERED
    assert busy.witness.results[1].attempts == 21

    refused = sent([event(1)], Destination(lambda row, attempt: REFUSED), retries=2)
    assert refused.witness.results[1].outcome is Outcome.EXHAUSTED
    assert refused.witness.results[1].attempts == 3


def test_an_unknown_end_is_never_repeated_unless_the_user_said_so() -> None:
    hold = sent([event(1)], Destination(lambda row, attempt: BROKEN))
    assert hold.destination.attempts == {1: 1}
    assert hold.witness.outcomes() == {1: Outcome.AMBIGUOUS}

    resend = sent(
        [event(1)], Destination(lambda row, attempt: BROKEN if attempt == 1 else OK), on_ambiguous="resend"
    )
    assert resend.witness.outcomes() == {1: Outcome.DELIVERED}
    assert [before.unknowns for _, _, before in resend.witness.answers] == [0, 1]


def test_the_window_is_bounded_however_long_the_source_is() -> None:
    async def story() -> None:
        pulled = 0

        async def endless() -> AsyncIterator[list[Event]]:
            nonlocal pulled
            for start in range(0, 10 * WINDOW_MIN, 100):
                pulled += 100
                yield [event(row) for row in range(start, start + 100)]

        destination = Destination()
        destination.gate = asyncio.Event()
        stage = Stage(destination)
        running = asyncio.create_task(stage.sender.run(endless()))
        await stage.until(lambda: pulled > WINDOW_MIN)
        for _ in range(100):
            await asyncio.sleep(0)
        assert pulled <= WINDOW_MIN + 100
        destination.gate.set()
        await running
        assert len(stage.witness.results) == 10 * WINDOW_MIN

    asyncio.run(story())


def test_four_thousand_rows_of_150_users_under_jitter_and_429s_stay_in_their_users_order() -> None:
    chance = random.Random(7)
    users = [f"u:{chance.randrange(150)}" for _ in range(4000)]
    events = [event(row, user, f"d:{chance.randrange(600)}") for row, user in enumerate(users)]
    destination = Destination(lambda row, attempt: BUSY if chance.random() < 0.05 else OK)
    destination.pauses = lambda: chance.randrange(1, 30)
    stage = sent(events, destination, concurrency=64)
    assert len(stage.witness.results) == 4000
    assert out_of_order(destination.log, events) == 0
    assert 32 <= destination.most_in_flight <= 64


def test_a_batch_that_comes_late_is_waited_for() -> None:
    async def story() -> None:
        more = asyncio.Event()

        async def slow() -> AsyncIterator[list[Event]]:
            yield [event(1)]
            await more.wait()
            yield [event(2)]

        stage = Stage()
        running = asyncio.create_task(stage.sender.run(slow()))
        await stage.until(lambda: 1 in stage.witness.results)
        more.set()
        await running
        assert set(stage.witness.results) == {1, 2}

    asyncio.run(story())


def test_batches_that_are_no_generator_are_taken_too() -> None:
    class Twice:
        def __init__(self) -> None:
            self.left = 2

        def __aiter__(self) -> AsyncIterator[list[Event]]:
            return self

        async def __anext__(self) -> list[Event]:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return [event(self.left)]

    async def story() -> None:
        stage = Stage()
        await stage.sender.run(Twice())
        assert set(stage.witness.results) == {0, 1}

    asyncio.run(story())
