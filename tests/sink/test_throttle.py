"""The pace holds on a clock of our own, however late the sleepers wake."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.settings import parse_rate
from replay.sink.throttle import BURST_SECONDS, NAP_SECONDS, Throttle

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Time that passes only in sleep; whoever sleeps wakes `late()` seconds late."""

    def __init__(self, late: Callable[[], float] = lambda: 0.0) -> None:
        self.now = 0.0
        self._late = late

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds + self._late()
        await asyncio.sleep(0)


async def passages(throttle: Throttle, clock: Clock, number: int, senders: int = 8) -> list[float]:
    instants: list[float] = []

    async def send() -> None:
        while len(instants) < number:
            await throttle.turn()
            instants.append(clock.now)

    await asyncio.gather(*(send() for _ in range(senders)))
    return instants[:number]


def run(rate: float | None, number: int, clock: Clock) -> list[float]:
    async def story() -> list[float]:
        return await passages(Throttle(rate, clock.time, clock.sleep), clock, number)

    return asyncio.run(story())


def most_in_a_second(instants: list[float]) -> int:
    most, first = 0, 0
    for last, instant in enumerate(instants):
        while instant - instants[first] > 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("rate", ["100/s", "7/s", "1/s", "90/m", "5000/h", "1/h"])
def test_attempts_are_evenly_spaced(rate: str) -> None:
    per_second = parse_rate(rate)
    assert per_second is not None
    instants = run(per_second, 50, Clock())
    gaps = [after - before for before, after in pairwise(instants)]
    assert gaps == pytest.approx([1 / per_second] * 49, rel=1e-6, abs=2 * NAP_SECONDS)
    assert instants[-1] == pytest.approx(49 / per_second, abs=2 * NAP_SECONDS)


@settings(deadline=None, max_examples=60)
@given(
    rate=st.sampled_from([0.3, 0.9, 1.0, 2.5, 10.0, 49.0, 100.0, 333.0, 2000.0]),
    lateness=st.lists(st.floats(0, 0.005) | st.floats(0, 0.2) | st.floats(0, 3), min_size=1, max_size=40),
)
def test_no_second_holds_more_than_the_rate_allows_however_late_sleepers_wake(
    rate: float, lateness: list[float]
) -> None:
    turns = iter(lateness * 1000)
    instants = run(rate, int(rate * 3) + 10, Clock(lambda: next(turns, 0.0)))
    assert most_in_a_second(instants) <= 1.02 * rate + 1


@settings(deadline=None, max_examples=30)
@given(
    rate=st.sampled_from([0.5, 5.0, 100.0, 1000.0, 5000.0]),
    lateness=st.lists(st.floats(0, BURST_SECONDS - 2 * NAP_SECONDS), min_size=1, max_size=30),
)
def test_a_little_lateness_costs_nothing_of_the_mean(rate: float, lateness: list[float]) -> None:
    turns = iter(lateness * 20_000)
    number = max(50, int(rate * 2))
    instants = run(rate, number, Clock(lambda: next(turns)))
    assert (number - 1) / instants[-1] == pytest.approx(rate, rel=0.02)


def test_without_a_rate_nobody_waits() -> None:
    assert run(None, 1000, Clock()) == [0.0] * 1000


def test_a_pause_holds_everybody_even_those_whose_turn_was_near() -> None:
    clock = Clock()

    async def story() -> list[float]:
        throttle = Throttle(100.0, clock.time, clock.sleep)
        waiting = asyncio.create_task(passages(throttle, clock, 20))
        await asyncio.sleep(0)
        throttle.pause(10.0, "429")
        assert throttle.waiting_for == "429: 10 s more"
        instants = await waiting
        assert throttle.waiting_for is None
        return instants

    later = [instant for instant in asyncio.run(story()) if instant > 0.05]
    assert len(later) >= 12
    assert min(later) >= 10.0


def test_there_is_no_burst_after_a_pause() -> None:
    clock = Clock(lambda: 0.004)

    async def story() -> list[float]:
        throttle = Throttle(100.0, clock.time, clock.sleep)
        throttle.pause(60.0, "429")
        return await passages(throttle, clock, 300, senders=32)

    instants = asyncio.run(story())
    assert instants[0] >= 60.0
    assert most_in_a_second(instants) <= 103
    assert instants[-1] - instants[0] == pytest.approx(2.99, rel=0.02)


def test_a_shorter_pause_does_not_cut_a_longer_one() -> None:
    clock = Clock()

    async def story() -> list[float]:
        throttle = Throttle(None, clock.time, clock.sleep)
        throttle.pause(30.0, "429")
        throttle.pause(1.0, "no connection")
        assert throttle.waiting_for == "429: 30 s more"
        return await passages(throttle, clock, 3)

    assert asyncio.run(story()) == [30.0] * 3


def test_a_long_idle_time_earns_no_burst() -> None:
    clock = Clock()

    async def story() -> list[float]:
        throttle = Throttle(100.0, clock.time, clock.sleep)
        clock.now = 3600.0
        return await passages(throttle, clock, 200)

    assert most_in_a_second(asyncio.run(story())) <= 103


def test_turns_are_first_come_first_served() -> None:
    clock = Clock()
    order: list[int] = []

    async def story() -> None:
        throttle = Throttle(10.0, clock.time, clock.sleep)

        async def send(number: int) -> None:
            await throttle.turn()
            order.append(number)

        await asyncio.gather(*(send(number) for number in range(20)))

    asyncio.run(story())
    assert order == list(range(20))


class Sleepers:
    """A sleep that ends only when somebody says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self._wake = asyncio.Event()
        self.asleep = 0

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.asleep += 1
        try:
            await asyncio.sleep(0)
            await self._wake.wait()
        finally:
            self.asleep -= 1

    async def until(self, now: float) -> None:
        self.now = now
        self._wake.set()
        await settle()
        self._wake.clear()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("cancelled", [{0}, {1}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}, {3}])
def test_whoever_is_cancelled_in_line_neither_pays_nor_blocks_the_others(cancelled: set[int]) -> None:
    async def story() -> None:
        clock = Sleepers()
        throttle = Throttle(1.0, clock.time, clock.sleep)
        await throttle.turn()
        line = [asyncio.create_task(throttle.turn()) for _ in range(4)]
        await settle()
        for place in cancelled:
            line[place].cancel()
        await settle()
        left = [task for place, task in enumerate(line) if place not in cancelled]
        for gone in range(1, len(left) + 1):
            await clock.until(float(gone))
            assert [task.done() for task in left] == [True] * gone + [False] * (len(left) - gone)
        assert clock.asleep == 0

    asyncio.run(story())


def test_one_cancelled_at_the_very_moment_it_was_to_lead_hands_on_the_lead() -> None:
    async def story() -> None:
        clock = Sleepers()
        throttle = Throttle(1.0, clock.time, clock.sleep)
        await throttle.turn()
        first, second, third = (asyncio.create_task(throttle.turn()) for _ in range(3))
        await settle()
        first.add_done_callback(lambda _: second.cancel())
        await clock.until(1.0)
        assert (first.done(), second.cancelled(), third.done()) == (True, True, False)
        await clock.until(2.0)
        assert third.done()

    asyncio.run(story())


def test_only_the_first_in_line_sleeps() -> None:
    async def story() -> None:
        clock = Sleepers()
        throttle = Throttle(1.0, clock.time, clock.sleep)
        line = [asyncio.create_task(throttle.turn()) for _ in range(5)]
        await settle()
        assert clock.asleep == 1
        for task in line:
            task.cancel()
        await settle()
        assert clock.asleep == 0

    asyncio.run(story())
