"""One pace for all workers of a run: turns are lent by the ledger, and lapse by themselves.

A turn is a moment, by the server's clock, at which one attempt may begin. Turns are lent some at a time,
each moment once, one interval after another: so what anybody holds never adds up to more than the rate,
whoever holds it, and the turns of a worker that is lost are lost with it, for as long as they would have
taken. A leg that begins lends nothing for its first second: what an earlier leg had lent is over by then.

With the turns goes what holds for all: pauses, how far the pace is lowered, an outage that one of them found,
and whether the run is to end. Each worker asks every POLL_SECONDS at least, so that is how late it hears.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from math import ceil, inf
from typing import TYPE_CHECKING, Final

from replay.sink import Pace, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.ledger import Store

POLL_SECONDS: Final = 0.2
LENT_SECONDS: Final = 0.05  # how much is lent at once, as a part of what the rate gives
AHEAD_SECONDS: Final = 0.25  # how far into the future turns are lent
CAREFUL_SECONDS: Final = 1.0

GOES_ON, STOPS, ENDS_AT_ONCE = 0, 1, 2
"""Whether a run goes on."""


@dataclass(slots=True)
class Wish:
    """What a worker asks for and tells: moments by the server's clock, -infinite for none.

    `lowered`: when an attempt began that was asked to go slower, and for how long it was asked to wait;
    `outage`: one that this worker found, by a name of its own.
    """

    turns: int = 0
    paused_until: float = -inf
    lowered: tuple[float, float] | None = None
    halted: int = GOES_ON
    outage: str | None = None

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to tell."""
        return self == Wish(turns=self.turns)


@dataclass(frozen=True, slots=True)
class Lent:
    """What it gets and hears: `turns` from `first` on, `interval` seconds apart.

    `now` by the server's clock, when it was `heard` by this machine's; `is_kept`: the run's keeper lives;
    `was_reached`: a row was delivered to the run's target.
    """

    now: float
    heard: float
    first: float
    interval: float
    turns: int
    state: State
    halted: int
    outage: str | None
    is_kept: bool
    was_reached: bool = False


def lend(state: State, pace: Pace, now: float, wanted: int) -> tuple[float, float, int]:
    """The next turns, at most so many: the first moment, the interval, and how many. `state` moves on."""
    first = max(state.next, now)
    interval = 1.0 / pace.now()
    if wanted < 1 or first - now > max(AHEAD_SECONDS, interval):
        return first, interval, 0
    turns = min(wanted, max(1, ceil(LENT_SECONDS / interval)))
    state.next = first + turns * interval
    return first, interval, turns


def begin_pace(store: Store, run: int) -> None:
    """Begin the pace of a leg, carefully where there was one before."""
    store.tell(
        "INSERT INTO paces SELECT ?, 0, extract(epoch FROM clock_timestamp()), ?, ?, ?, ?, 0, NULL"
        " ON CONFLICT (run) DO UPDATE SET halted = 0, outage = NULL, changes = paces.changes + 1,"
        " next = greatest(paces.next, excluded.next) + ?",
        run,
        -inf,
        inf,
        -inf,
        -inf,
        CAREFUL_SECONDS,
    )


def halt(store: Store, run: int, how: int) -> None:
    """Let no worker begin anything more."""
    store.tell("UPDATE paces SET halted = greatest(halted, ?) WHERE run = ?", how, run)


def exchange(
    store: Store,
    run: int,
    rate: float | None,
    wish: Wish,
    clock: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
) -> Lent:
    """Tell the others what they should hear, hear what they told, and take turns; None for no rate.

    It never waits for another worker, which may be frozen: it looks, decides, and writes where nobody has
    written meanwhile, or looks again.
    """
    while True:
        ((changes, now, next_, paused, low, lowered_at, climbs_from, halted, outage, *known),) = store.ask(
            _HEAR, run
        )
        heard = clock()
        state = State()
        state.next, state.paused_until = max(next_, wish.paused_until), max(paused, wish.paused_until)
        state.low, state.lowered_at, state.climbs_from = low, lowered_at, climbs_from
        first, interval, turns = _decide(state, rate, now, wish)
        lent = Lent(
            now, heard, first, interval, turns, state, max(halted, wish.halted), outage, *map(bool, known)
        )
        if wish.is_silent and not turns:
            return lent
        moments = state.next, state.paused_until, state.low, state.lowered_at, state.climbs_from
        if store.change(_TELL, *moments, wish.halted, wish.outage, run, changes):
            return lent
        sleep(random.random() * _APART_SECONDS)  # noqa: S311 - no secret


def _decide(state: State, rate: float | None, now: float, wish: Wish) -> tuple[float, float, int]:
    """The turns that are lent; `state` moves on."""
    if rate is None:
        return now, 0.0, 0
    pace = Pace(rate, lambda: now, state)
    if wish.lowered is not None:
        pace.lower(*wish.lowered)
    return lend(state, pace, now, wish.turns)


_APART_SECONDS: Final = 0.01
_HEAR: Final = """
SELECT changes, CAST(extract(epoch FROM clock_timestamp()) AS FLOAT), next, paused_until, low, lowered_at,
  climbs_from, halted, outage, (SELECT until > clock_timestamp() FROM leases WHERE leases.run = paces.run),
  EXISTS (SELECT 1 FROM spans JOIN copies ON copies.id = spans.copy
    WHERE copies.target = (SELECT target FROM runs WHERE runs.id = paces.run))
FROM paces WHERE run = ?
"""
_TELL: Final = """
UPDATE paces SET next = ?, paused_until = ?, low = ?, lowered_at = ?, climbs_from = ?,
  halted = greatest(halted, ?), outage = coalesce(?, outage), changes = changes + 1
WHERE run = ? AND changes = ?
"""
