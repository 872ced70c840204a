"""A destination that asks for less gets less, once for each time that it asks, and more again soon."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sink.test_throttle import Clock, most_in_a_second, passages

from replay.sink.budget import LEAST_A_SECOND, SAVED_MAX, SHARE, Budget
from replay.sink.pace import CLIMB_SECONDS, FLOOR, LOWERED_TO, Pace
from replay.sink.throttle import Throttle
from replay.sink.width import Width


def test_it_is_lowered_by_three_tenths_and_climbs_back_within_half_a_minute() -> None:
    clock = Clock()
    pace = Pace(100.0, clock.time)
    pace.lower(began=0.0)
    seen = []
    for clock.now in (0.0, CLIMB_SECONDS / 2, CLIMB_SECONDS):
        seen.append(pace.now())
    assert seen == [pytest.approx(70.0), pytest.approx(85.0), 100.0]
    assert not pace.is_lowered


def test_answers_to_attempts_from_before_the_last_lowering_lower_nothing() -> None:
    clock = Clock()
    pace = Pace(100.0, clock.time)
    clock.now = 5.0
    for began in (4.0, 4.5, 3.0, 5.0):
        pace.lower(began)
    assert pace.now() == pytest.approx(70.0)
    clock.now = 6.0
    pace.lower(began=5.5)
    assert pace.now() == pytest.approx((70.0 + 30.0 / CLIMB_SECONDS) * LOWERED_TO)


def test_it_climbs_only_when_the_wait_that_was_asked_for_is_over() -> None:
    clock = Clock()
    pace = Pace(100.0, clock.time)
    pace.lower(0.0, wait=60.0)
    clock.now = 60.0
    assert pace.now() == pytest.approx(70.0)
    clock.now = 60.0 + CLIMB_SECONDS
    assert pace.now() == 100.0


@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 40), st.floats(0, 5)), max_size=60))
def test_it_is_never_above_what_was_asked_for_nor_below_the_floor(
    steps: list[tuple[float, float, float]],
) -> None:
    clock = Clock()
    pace = Pace(100.0, clock.time)
    for passed, ago, wait in steps:
        clock.now += passed
        pace.lower(clock.now - ago, wait)
        assert 100.0 * FLOOR <= pace.now() <= 100.0


def test_a_lowered_rate_is_the_rate_at_which_attempts_go() -> None:
    clock = Clock()

    async def story() -> list[float]:
        throttle = Throttle(100.0, clock.time, clock.sleep)
        throttle.lower(1.0, wait=3600.0)
        assert throttle.rate_now == pytest.approx(70.0)
        return await passages(throttle, clock, 141)

    assert asyncio.run(story())[-1] == pytest.approx(2.0, rel=0.02)


def test_while_it_climbs_no_second_holds_more_than_the_rate_that_was_asked_for() -> None:
    clock = Clock(lambda: 0.004)

    async def story() -> list[float]:
        throttle = Throttle(100.0, clock.time, clock.sleep)
        throttle.lower(1.0)
        return await passages(throttle, clock, 4000)

    instants = asyncio.run(story())
    assert most_in_a_second(instants) <= 103
    assert instants[-1] == pytest.approx(40.0 + 0.15 * CLIMB_SECONDS, rel=0.02)


def test_a_slow_rate_that_is_lowered_does_not_sleep_past_its_climbing_back() -> None:
    clock = Clock()

    async def story() -> list[float]:
        throttle = Throttle(1 / 60, clock.time, clock.sleep)
        for began in range(1, 50):
            clock.now = began + 0.5
            throttle.lower(float(began))
        start = clock.now
        return [instant - start for instant in await passages(throttle, clock, 3)]

    first, second, _ = asyncio.run(story())
    assert second - first == pytest.approx(60.0 + CLIMB_SECONDS, abs=0.1)


def test_without_a_rate_there_is_none_to_lower() -> None:
    clock = Clock()
    throttle = Throttle(None, clock.time, clock.sleep)
    throttle.lower(1.0)
    assert throttle.rate_now is None


# The number under way


def test_room_is_given_first_come_first_served_and_nobody_slips_in_between() -> None:
    async def story() -> None:
        pace = Pace(2, Clock().time)
        width = Width(pace)
        assert (width.take(), width.take(), width.take()) == (True, True, False)
        order: list[int] = []

        async def wait(number: int) -> None:
            await width.wait()
            order.append(number)

        waiting = [asyncio.create_task(wait(number)) for number in range(3)]
        await asyncio.sleep(0)
        width.leave()
        assert not width.take()
        width.leave()
        width.leave()
        await asyncio.gather(*waiting[:2])
        width.leave()
        await waiting[2]
        assert order == [0, 1, 2]

    asyncio.run(story())


def test_a_lowered_number_lets_nobody_in_before_enough_have_left_and_never_shuts_all_out() -> None:
    async def story() -> None:
        clock = Clock()
        pace = Pace(2, clock.time)
        width = Width(pace)
        assert width.take()
        assert width.take()
        for began in (1.0, 2.0, 3.0):
            clock.now = began + 0.5
            pace.lower(began)
        assert width.allowed == 1
        waiting = asyncio.create_task(width.wait())
        await asyncio.sleep(0)
        width.leave()
        await asyncio.sleep(0)
        assert not waiting.done()
        width.leave()
        await waiting

    asyncio.run(story())


@pytest.mark.parametrize("given", [False, True], ids=["before", "after it was given room"])
def test_one_cancelled_in_line_takes_no_room(given: bool) -> None:
    async def story() -> None:
        width = Width(Pace(1, Clock().time))
        assert width.take()
        first, second = (asyncio.create_task(width.wait()) for _ in range(2))
        await asyncio.sleep(0)
        if given:
            width.leave()
        first.cancel()
        await asyncio.sleep(0)
        if not given:
            width.leave()
        await second

    asyncio.run(story())


# Repeats


def test_ten_attempts_earn_a_repeat() -> None:
    budget = Budget(Clock().time)
    while budget.take():
        pass
    for _ in range(int(20 / SHARE) + 1):
        budget.earn()
    assert sum(budget.take() for _ in range(100)) == 20


def test_time_alone_earns_some_so_that_the_end_of_a_run_does_not_starve() -> None:
    clock = Clock()
    budget = Budget(clock.time)
    assert sum(budget.take() for _ in range(1000)) == SAVED_MAX
    clock.now += budget.wait_seconds() + 1e-9
    assert budget.wait_seconds() <= 1 / LEAST_A_SECOND
    assert (budget.take(), budget.take()) == (True, False)


def test_no_more_is_saved_than_a_short_burst() -> None:
    clock = Clock()
    budget = Budget(clock.time)
    for _ in range(10_000):
        budget.earn()
    clock.now = 1e6
    assert sum(budget.take() for _ in range(1000)) <= SAVED_MAX + 1
