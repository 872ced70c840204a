"""Whoever stands in line when an outage begins does not pass but waits for its end."""

from __future__ import annotations

import asyncio

import pytest
from sink.test_breaker import BROKEN, OK
from sink.test_throttle import Sleepers, settle

from replay.sink import Gate, Passage, Throttle
from replay.sink.breaker import IN_A_ROW


def test_those_in_line_at_the_throttle_are_held_back_when_an_outage_begins() -> None:
    async def story() -> None:
        clock = Sleepers()
        gate = Gate(Throttle(1.0, clock.time, clock.sleep), 8, 600.0, lambda: 0.0)
        first = await gate.enter()
        assert first.take()
        line = [asyncio.create_task(gate.enter()) for _ in range(3)]
        await settle()
        for _ in range(IN_A_ROW):
            gate.note(first, BROKEN)
        assert gate.is_closed
        for moment in range(1, 6):
            await clock.until(float(moment))
        through = [task.result() for task in line if task.done()]
        assert [passage.is_probe for passage in through] == [True]
        gate.note(through[0], OK)
        gate.leave()
        assert gate.waiting_for is None
        for moment in range(6, 10):
            await clock.until(float(moment))
        assert [task.result().is_probe for task in line].count(False) == 2

    asyncio.run(story())


@pytest.mark.parametrize("rate", [None, 1.0])
def test_one_cancelled_at_the_gate_leaves_its_room_to_others(rate: float | None) -> None:
    async def story() -> None:
        clock = Sleepers()
        gate = Gate(Throttle(rate, clock.time, clock.sleep), 1, 600.0, lambda: 0.0)
        gate.pause(5.0, "429")
        waiting = asyncio.create_task(gate.enter())
        await settle()
        waiting.cancel()
        await settle()
        after = asyncio.create_task(gate.enter())
        await settle()
        await clock.until(5.0)
        assert isinstance(await after, Passage)

    asyncio.run(story())
