"""Turns are lent one interval after another, whoever asks, and go with the moment that they are for."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from math import inf
from typing import TYPE_CHECKING

import pytest
from ledger.shelf import opening

from replay.cluster.lending import (
    AHEAD_SECONDS,
    CAREFUL_SECONDS,
    Lent,
    Wish,
    begin_pace,
    exchange,
    halt,
    lend,
)
from replay.cluster.turns import LATE_SECONDS, Turns
from replay.ledger import begin, open_ledger
from replay.sink import Pace, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres import Server

    from replay.ledger import Book, Store


def pace_of(state: State, rate: float, now: float) -> Pace:
    return Pace(rate, lambda: now, state)


@pytest.mark.parametrize("rate", [0.5, 1.0, 33.0, 100.0, 900.0])
def test_whoever_asks_and_however_often_no_second_has_more_turns_than_the_rate(rate: float) -> None:
    chance, state, now, lent = random.Random(1), State(), 0.0, []
    while now < 8.0:
        now += chance.random() * 0.05
        first, interval, turns = lend(state, pace_of(state, rate, now), now, chance.randrange(80))
        assert first >= now
        lent += [first + turn * interval for turn in range(turns)]
    assert lent == sorted(lent)
    for start in lent:
        assert bisect_left(lent, start + 1 - 1e-9) - bisect_left(lent, start) <= rate + 1
    assert len(lent) >= rate * 7


def test_turns_are_lent_only_a_little_ahead() -> None:
    state = State()
    state.next = 10.0 + 2 * AHEAD_SECONDS
    assert lend(state, pace_of(state, 100.0, 10.0), 10.0, 5)[2] == 0
    assert state.next == 10.0 + 2 * AHEAD_SECONDS


@pytest.fixture
def store(postgres: Server, tmp_path: Path) -> Iterator[Store]:
    with open_ledger(postgres.place, tmp_path) as opened:
        yield opened


@pytest.fixture
def book(store: Store) -> Iterator[Book]:
    with begin(store, opening(store, "run-1")) as begun:
        yield begun


def ask(store: Store, book: Book, wish: Wish, rate: float | None = 100.0) -> Lent:
    return exchange(store, book.run, rate, wish, lambda: 0.0)


def test_a_leg_that_goes_on_lends_nothing_for_a_second(store: Store, book: Book) -> None:
    begin_pace(store, book.run)
    first = ask(store, book, Wish(turns=3))
    assert first.turns == 3
    begin_pace(store, book.run)
    again = ask(store, book, Wish(turns=3))
    assert again.turns == 0
    assert again.first >= first.first + CAREFUL_SECONDS


def test_what_one_worker_was_told_all_hear(store: Store, book: Book) -> None:
    begin_pace(store, book.run)
    now = ask(store, book, Wish()).now
    ask(store, book, Wish(paused_until=now + 5, lowered=(now, 5.0), outage="0 at 1: away"))
    heard = ask(store, book, Wish(turns=9))
    assert (heard.turns, heard.outage, heard.halted, heard.is_kept) == (0, "0 at 1: away", 0, True)
    assert heard.state.paused_until == now + 5
    assert heard.state.low == pytest.approx(70.0)
    ask(store, book, Wish(lowered=(now - 1, 0.0)))  # it met the faster pace
    assert ask(store, book, Wish()).state.low == pytest.approx(70.0)
    halt(store, book.run, 1)
    store.tell("UPDATE leases SET until = clock_timestamp()")
    heard = ask(store, book, Wish())
    assert (heard.halted, heard.is_kept) == (1, False)


def test_a_worker_that_is_frozen_while_it_asks_holds_up_nobody_and_gets_other_turns(
    store: Store, book: Book, postgres: Server, tmp_path: Path
) -> None:
    begin_pace(store, book.run)
    between: list[Lent] = []

    def frozen() -> float:
        if not between:
            with open_ledger(postgres.place, tmp_path) as other:
                between.append(exchange(other, book.run, 100.0, Wish(turns=3), lambda: 0.0))
        return 0.0

    late = exchange(store, book.run, 100.0, Wish(turns=2), frozen, lambda _: None)
    (first,) = between
    assert (first.turns, late.turns) == (3, 2)
    assert late.first >= first.first + 3 * first.interval


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lent(clock: Clock, first: float, turns: int, interval: float = 0.01, paused: float = -inf) -> Lent:
    """As if the server's clock were 1,000 s ahead."""
    state = State()
    state.paused_until = paused
    return Lent(clock.now + 1_000, clock.now, first + 1_000, interval, turns, state, 0, None, True)


def test_one_goes_at_the_moments_that_were_lent_and_at_no_others() -> None:
    async def story() -> None:
        clock = Clock()
        turns = Turns(100.0, clock, asyncio.Event())
        assert not turns.take()
        turns.take_in(lent(clock, 100.0, 3))
        assert turns.take()
        assert not turns.take()
        clock.now += 0.01
        assert turns.take()
        clock.now += 0.01 + 2 * LATE_SECONDS
        assert not turns.take()  # the last one has lapsed

    asyncio.run(story())


def test_a_worker_that_was_frozen_does_not_make_up_for_it() -> None:
    async def story() -> None:
        clock = Clock()
        turns = Turns(1_000.0, clock, asyncio.Event())
        turns.take_in(lent(clock, 100.0, 50, 0.001))
        clock.now += 60
        assert not turns.take()

    asyncio.run(story())


def test_who_waits_without_turns_asks_for_as_many_as_wait() -> None:
    async def story() -> None:
        clock, asks = Clock(), asyncio.Event()
        turns = Turns(100.0, clock, asks)
        waiting = [asyncio.create_task(turns.turn()) for _ in range(3)]
        await asyncio.wait_for(asks.wait(), 300)
        assert turns.wish().turns == 3
        turns.take_in(lent(clock, 100.0, 3, 0.0))
        await asyncio.wait_for(asyncio.gather(*waiting), 300)
        assert turns.wish().turns == 0

    asyncio.run(story())


def test_a_wish_for_patience_is_granted_at_once_and_passed_on_once() -> None:
    async def story() -> None:
        clock, asks = Clock(), asyncio.Event()
        turns = Turns(100.0, clock, asks)
        turns.take_in(lent(clock, 100.0, 5))
        turns.pause(2.0, "Retry-After")
        turns.lower(100.0, 2.0)
        assert asks.is_set()
        assert not turns.take()
        wish = turns.wish()
        assert wish.paused_until == pytest.approx(1_102.0)
        assert wish.lowered == pytest.approx((1_100.0, 2.0))
        assert turns.wish().paused_until == -inf
        assert turns.wish().lowered is None

    asyncio.run(story())


def test_a_pause_of_another_worker_holds_here_too() -> None:
    async def story() -> None:
        clock = Clock()
        turns = Turns(None, clock, asyncio.Event())
        assert turns.take()
        turns.take_in(lent(clock, 100.0, 0, paused=clock.now + 1_003))
        assert not turns.take()
        assert "another worker" in (turns.waiting_for or "")
        clock.now += 3
        assert turns.take()

    asyncio.run(story())
