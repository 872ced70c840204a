"""The whole way of a row, sender and sink and a bad network, judged by what the server saw."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import uvloop
from sender.stage import Witness, event, these
from sink.origin import Eof, Origin, Raw, Reply, Request, Reset

from replay.records import Outcome
from replay.sender import Sender
from replay.settings import SendSettings, SinkSettings
from replay.sink import HttpSink, Throttle

if TYPE_CHECKING:
    from sink.origin import Answer

    from replay.records import Event

FAULTS: list[Answer] = [
    Reset(),
    Reset(after_read=False),
    Eof(),
    Eof(after_read=False),
    Raw(b"garbage\r\n\r\n"),
    Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut"),
    Reply(204),
    Reply(400),
    Reply(429),
    Reply(429, {"Retry-After": "0"}),
    Reply(500),
    Reply(503),
    Reply(503, {"Retry-After": "0"}),
]


async def send(origin: Origin, events: list[Event], witness: Witness, **settings: object) -> None:
    chosen = SendSettings(**{"rate": None, "concurrency": 32, **settings})  # type: ignore[arg-type]
    async with origin, HttpSink(SinkSettings(url=origin.url, api_key="k", concurrency=32)) as sink:
        throttle = Throttle(None, asyncio.get_running_loop().time)
        await Sender(sink, throttle, chosen, witness, lambda: 0.0).run(these(events))


def out_of_order(bodies: list[bytes], events: list[Event]) -> int:
    """Rows that the server first saw before an earlier row of their user."""
    first = {int(body): at for at, body in reversed([*enumerate(bodies)])}
    last: dict[str, int] = {}
    wrong = 0
    for one in events:
        if one.row in first:
            wrong += first[one.row] < last.get(one.lanes[0], -1)
            last[one.lanes[0]] = first[one.row]
    return wrong


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("seed", range(3))
def test_no_row_is_lost_none_is_sent_twice_and_every_doubt_is_told(factory: object, seed: int) -> None:
    chance = random.Random(seed)
    events = [event(row, f"u:{chance.randrange(60)}") for row in range(1500)]
    asked: list[bytes] = []

    def answer(request: Request, number: int) -> Answer:
        asked.append(request.body)
        return chance.choice(FAULTS) if chance.random() < 0.3 else Reply(delay=chance.random() / 500)

    origin, witness = Origin(answer), Witness()
    with asyncio.Runner(loop_factory=factory) as runner:  # type: ignore[arg-type]
        runner.run(send(origin, events, witness))

    outcomes = witness.outcomes()
    delivered = {int(body) for body in origin.delivered}
    assert len(outcomes) == 1500
    assert max(Counter(origin.delivered).values()) == 1
    assert {row for row, outcome in outcomes.items() if outcome is Outcome.DELIVERED} <= delivered
    assert all(outcomes[row] in (Outcome.DELIVERED, Outcome.AMBIGUOUS) for row in delivered)
    assert out_of_order(asked, events) == 0
    assert len(witness.answers) == len(asked)


def test_what_is_in_flight_at_an_abort_is_ambiguous_and_nothing_comes_after_it() -> None:
    async def story() -> None:
        events = [event(row, f"u:{row}") for row in range(500)]
        origin, witness = Origin([Reply(delay=60)]), Witness()
        async with origin, HttpSink(SinkSettings(url=origin.url, api_key="k", concurrency=32)) as sink:
            throttle = Throttle(None, asyncio.get_running_loop().time)
            sender = Sender(sink, throttle, SendSettings(rate=None), witness)
            running = asyncio.create_task(sender.run(these(events)))
            await origin.until_in_flight(32)
            sender.abort()
            await running
            assert len(origin.requests) == 32
        assert witness.outcomes() == dict.fromkeys(range(32), Outcome.AMBIGUOUS)

    asyncio.run(story())


def test_a_stop_at_any_moment_tells_every_row_that_the_server_saw() -> None:
    async def one(turns: int) -> int:
        events = [event(row, f"u:{row}") for row in range(200)]
        origin, witness = Origin(), Witness()
        async with origin, HttpSink(SinkSettings(url=origin.url, api_key="k", concurrency=8)) as sink:
            throttle = Throttle(None, asyncio.get_running_loop().time)
            sender = Sender(sink, throttle, SendSettings(rate=None, concurrency=8), witness)
            running = asyncio.create_task(sender.run(these(events)))
            for _ in range(turns):
                await asyncio.sleep(0)
            sender.stop("interrupted")
            await running
        assert sorted(witness.started) == sorted(witness.results)
        assert {int(request.body) for request in origin.requests} == set(witness.results)
        assert set(witness.outcomes().values()) <= {Outcome.DELIVERED}
        return len(witness.results)

    ended = [asyncio.run(one(turns)) for turns in range(0, 120, 3)]
    assert min(ended) == 0
    assert max(ended) > 8


def test_four_thousand_rows_of_150_users_under_jitter_and_429s_keep_their_users_order() -> None:
    chance = random.Random(5)
    events = [event(row, f"u:{chance.randrange(150)}") for row in range(4000)]
    refusals = [Reply(429), Reply(429, {"Retry-After": "0"})]
    asked: list[bytes] = []
    busy: set[bytes] = set()

    def answer(request: Request, number: int) -> Answer:
        asked.append(request.body)
        if number > 500 and request.body not in busy and chance.random() < 0.02:
            busy.add(request.body)
            return chance.choice(refusals)
        return Reply(delay=chance.random() / 100)

    async def story() -> None:
        async with origin, HttpSink(SinkSettings(url=origin.url, api_key="k", concurrency=64)) as sink:
            throttle = Throttle(None, time.monotonic)
            await Sender(sink, throttle, SendSettings(rate=None, concurrency=64), witness, lambda: 0.0).run(
                these(events)
            )

    origin, witness = Origin(answer), Witness()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())
    assert witness.outcomes() == dict.fromkeys(range(4000), Outcome.DELIVERED)
    assert Counter(origin.delivered).total() == len(set(origin.delivered)) == 4000
    assert out_of_order(asked, events) == 0
    assert 32 <= origin.most_in_flight <= 64
    assert busy
