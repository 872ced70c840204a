"""Rows of one user go one after another, the oldest first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from sender.stage import event

from replay.sender.order import Order

if TYPE_CHECKING:
    from random import Random

    from replay.records import Event


def ready_rows(order: Order) -> list[int]:
    async def take() -> list[int]:
        return [(await order.ready()).row for _ in range(len(order._ready))]

    return asyncio.run(take())


def admitted(*events: Event, by_user: bool = True) -> Order:
    order = Order(by_user=by_user)
    for one in events:
        order.admit(one)
    return order


def test_rows_of_different_users_are_ready_at_once() -> None:
    assert ready_rows(admitted(event(1, "u:a"), event(2, "u:b"), event(3))) == [1, 2, 3]


def test_a_row_waits_for_every_earlier_row_that_shares_a_lane() -> None:
    first, second, both = event(1, "u:a"), event(2, "d:x"), event(3, "u:a", "d:x")
    order = admitted(first, second, both)
    assert ready_rows(order) == [1, 2]
    order.leave(second)
    assert ready_rows(order) == []
    order.leave(first)
    assert ready_rows(order) == [3]


def test_the_same_pair_of_lanes_twice_is_waited_for_once() -> None:
    first, second = event(1, "u:a", "d:x"), event(2, "u:a", "d:x")
    order = admitted(first, second)
    order.leave(first)
    assert ready_rows(order) == [1, 2]


def test_a_row_that_names_its_lane_twice_does_not_wait_for_itself() -> None:
    assert ready_rows(admitted(event(1, "a", "a"))) == [1]


def test_without_order_lanes_mean_nothing() -> None:
    order = admitted(event(1, "u:a"), event(2, "u:a"), by_user=False)
    assert ready_rows(order) == [1, 2]


def test_another_try_comes_before_younger_rows() -> None:
    old = event(1, "u:a")
    order = admitted(event(2, "u:b"), event(3, "u:c"))
    order.put(old)
    assert ready_rows(order) == [1, 2, 3]


def test_an_ended_user_is_forgotten() -> None:
    first = event(1, "u:a")
    order = admitted(first)
    order.leave(first)
    assert order.admitted == 0
    assert order._tails == {}


@given(st.lists(st.frozensets(st.sampled_from("abcde"), max_size=3), max_size=40), st.randoms())
def test_in_whatever_order_rows_end_no_row_overtakes_one_that_shares_a_lane(
    lanes: list[frozenset[str]], random: Random
) -> None:
    events = [event(row, *sorted(shared)) for row, shared in enumerate(lanes)]

    async def story() -> list[Event]:
        order = Order(by_user=True)
        for one in events:
            order.admit(one)
        ended: list[Event] = []
        ready: list[Event] = []
        while order.admitted:
            while order._ready:
                ready.append(await order.ready())
            assert ready, "somebody can always go"
            one = ready.pop(random.randrange(len(ready)))
            earlier = [other for other in events[: one.row] if set(other.lanes) & set(one.lanes)]
            assert all(other in ended for other in earlier)
            ended.append(one)
            order.leave(one)
        return ended

    assert len(asyncio.run(story())) == len(events)
