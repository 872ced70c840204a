"""Outages on real sockets, judged by what the server saw."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextlib import AsyncExitStack

import pytest
import uvloop
from sender.stage import Witness, event, these
from sink.origin import Answer, Origin, Reply, Request, Reset

from replay.records import Outcome
from replay.sender import Sender
from replay.settings import SendSettings, SinkSettings
from replay.sink import HttpSink, Throttle

ROWS = 4000
CONCURRENCY = 32
OUTAGE_SECONDS = 5.0


async def down_for_a_while(origin: Origin, stack: AsyncExitStack, listens: asyncio.Event) -> None:
    """Take the server away after a quarter of the rows, and bring it back."""
    server = await stack.enter_async_context(AsyncExitStack())
    await server.enter_async_context(origin)
    listens.set()
    await origin.until_delivered(ROWS // 4)
    await server.aclose()
    await asyncio.sleep(OUTAGE_SECONDS)
    await stack.enter_async_context(origin)


async def send(origin: Origin, witness: Witness, *, dies: bool, retries: int) -> Sender:
    events = [event(row, f"u:{row % 900}") for row in range(ROWS)]
    settings = SendSettings(rate=1000.0, concurrency=CONCURRENCY, retries=retries)
    async with AsyncExitStack() as stack:
        if dies:
            listens = asyncio.Event()
            dying = asyncio.create_task(down_for_a_while(origin, stack, listens))
            await listens.wait()
        else:
            await stack.enter_async_context(origin)
        sink = await stack.enter_async_context(
            HttpSink(SinkSettings(url=origin.url, api_key="k", concurrency=CONCURRENCY))
        )
        sender = Sender(sink, Throttle(1000.0, time.monotonic), settings, witness, random.Random(1).random)
        await sender.run(these(events))
        if dies:
            await dying
    return sender


def judge(origin: Origin, witness: Witness) -> None:
    assert max(Counter(origin.delivered).values()) == 1
    counts = Counter(witness.outcomes().values())
    assert set(counts) <= {Outcome.DELIVERED, Outcome.AMBIGUOUS}
    assert counts.total() == ROWS
    assert counts[Outcome.AMBIGUOUS] <= 2 * CONCURRENCY
    delivered = {int(body) for body in origin.delivered}
    assert {row for row, one in witness.outcomes().items() if one is Outcome.DELIVERED} <= delivered


@pytest.mark.parametrize("retries", [0, 5])
def test_a_server_that_is_gone_for_a_while_costs_no_row_and_none_is_sent_twice(retries: int) -> None:
    origin, witness = Origin(), Witness()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sender = runner.run(send(origin, witness, dies=True, retries=retries))
    assert sender.stopped_by is None
    judge(origin, witness)


def test_a_server_that_resets_all_it_has_read_for_a_while_is_let_alone() -> None:
    began: list[float] = []

    def answer(request: Request, number: int) -> Answer:
        if number < ROWS // 4:
            return Reply(delay=0.005)
        began.append(request.at)
        return Reset() if request.at - began[0] < OUTAGE_SECONDS else Reply(delay=0.005)

    origin, witness = Origin(answer), Witness()
    sender = asyncio.run(send(origin, witness, dies=False, retries=0))
    assert sender.stopped_by is None
    judge(origin, witness)
    ambiguous = Counter(witness.outcomes().values())[Outcome.AMBIGUOUS]
    assert ambiguous == len(origin.requests) - len(origin.delivered) > 0
