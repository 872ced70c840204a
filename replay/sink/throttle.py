"""The pace of attempts: evenly spaced, shared by all senders, paused for all at once.

Senders go one by one through a gate that opens one interval after the last passage. A passage that
came late may be caught up with, but by no more than BURST_SECONDS: the passage k places later is at
least k intervals less BURST_SECONDS away, so no window of a second holds more than
(1 + BURST_SECONDS) x rate + 1 of them, however late a busy loop wakes the sleeper.

A slot is taken right before the request is written, so the wait has two parts: `near`, until it is worth
getting ready, and after that, with a connection in hand, `turn`. Those in the second line go before those in
the first. In between, connections are opened at the same pace (`connects`): a destination that takes long to
connect to does not hold up those that have a connection, and gets no storm of them.

Only the first of each line sleeps; when it goes, or is cancelled, the next one leads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import ceil, inf
from typing import TYPE_CHECKING, Final

from replay.sink.moments import State
from replay.sink.pace import CLIMB_SECONDS, Pace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BURST_SECONDS: Final = 0.01
LOOK_SECONDS: Final = 0.5  # another run that leaves may bring the next slot forward
NAP_SECONDS: Final = 0.001  # the shortest sleep: an event loop knows no shorter one, it would spin


class Throttle:
    """Lets attempts start at a pace.

    `rate` is attempts a second, None for no limit. `clock` gives seconds, `sleep` waits for some. Those
    that share a `state` share one pace, the lowest that any of them keeps; their clocks must be one.
    """

    def __init__(
        self,
        rate: float | None,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        state: State | None = None,
    ) -> None:
        self._state = State() if state is None else state
        self._own = 0.0 if rate is None else 1.0 / rate
        self._pace = Pace(inf if rate is None else rate, clock, self._state)
        self.clock = clock
        self.sleep = sleep
        self._line: deque[asyncio.Future[None]] = deque()  # those that leave as soon as it is their turn
        self._bare: deque[asyncio.Future[None]] = deque()  # those that have to get ready first
        self._opening: deque[asyncio.Future[None]] = deque()  # those that open a connection for it
        self._connected = -inf  # when the latest connection was opened, or might have been
        with self._state as moments:
            moments.next = max(moments.next, clock())
        self._reason = "a wait for all"

    @property
    def rate_now(self) -> float | None:
        """Attempts a second at this moment, None for no limit."""
        return self._pace.now() if self._interval() else None

    @property
    def waiting_for(self) -> str | None:
        """Why everybody pauses and for how long; None while nobody does."""
        left = self._state.paused_until - self.clock()
        return f"{self._reason}: {ceil(left)} s more" if left > 0 else None

    def is_free(self) -> bool:
        """Whether an attempt that gets ready now has none to wait for."""
        return not self._bare and self._is_near()

    async def near(self) -> None:
        """Wait until it is worth getting ready, first come first served. Nothing is paid yet."""
        if not self.is_free():
            await self._lead(self._bare, self._is_near, self._opens)

    def _is_near(self) -> bool:
        """Whether the gate is open, and no attempt waits at it."""
        return not self._line and self._is_open()

    async def connects(self) -> None:
        """Wait until one more connection may be opened: no more are in a second than may be used in one."""
        if self._opening or not self._connect():
            await self._lead(self._opening, self._connect, lambda: max(self._connect_opens(), self._opens()))

    def take(self) -> bool:
        """Take one's turn if nobody has to wait for theirs now."""
        return not self._line and self._pass()

    async def turn(self, still: Callable[[], bool] = lambda: True) -> bool:
        """Wait for one's turn and take it, first come first served; it is paid for, however the attempt ends.

        `still` is asked at the moment itself: where it says no, nothing is taken, and this returns False.
        """
        if self.take():
            return True
        is_taken = False

        def goes() -> bool:
            nonlocal is_taken
            if not self._is_open():
                return False
            if not still():
                return True
            is_taken = self._pass()
            return is_taken

        await self._lead(self._line, goes, self._opens)
        return is_taken

    async def _lead(
        self, line: deque[asyncio.Future[None]], goes: Callable[[], bool], opens: Callable[[], float]
    ) -> None:
        """Wait in a line, and as the first of it until one goes; `opens` is when to look again."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(place)
        try:
            if line[0] is not place:
                await place
            while not goes():
                await self.sleep(min(max(opens() - self.clock(), NAP_SECONDS), LOOK_SECONDS))
        finally:
            is_first = line[0] is place
            line.remove(place)
            if is_first and line and not line[0].done():
                line[0].set_result(None)

    def _interval(self) -> float:
        """Seconds between two attempts: one's own, or the longest of all that share the pace."""
        interval = max(self._own, self._state.interval)
        if interval:
            self._pace.cap = 1.0 / interval
        return interval

    def _opens(self) -> float:
        """When the gate opens, as far as is known."""
        return self._state.next

    def _is_open(self) -> bool:
        return self.clock() >= self._state.next

    def _pass(self) -> bool:
        """Go through the gate, if it is open."""
        state, now = self._state, self.clock()
        if now < state.next:
            return False
        if not (interval := self._interval()):
            return True
        with state:
            if now < state.next:  # another process was faster
                return False
            if self._pace.is_lowered:
                interval = self._lowered(interval)
            state.next = max(state.next, now - BURST_SECONDS) + interval
        return True

    def _lowered(self, interval: float) -> float:
        """The interval of a lowered rate; by the time it has climbed back, nobody waits for it any more."""
        return max(interval, min(1.0 / self._pace.now(), interval + CLIMB_SECONDS))

    def _connect(self) -> bool:
        """Open a connection, if one may be opened now."""
        now, opens = self.clock(), self._connect_opens()
        if now < max(opens, self._state.paused_until):
            return False
        self._connected = max(opens, now - BURST_SECONDS)
        return True

    def _connect_opens(self) -> float:
        return self._connected + self._interval()

    def pause(self, seconds: float, reason: str) -> None:
        """Let nobody start for so long, those included who wait for their turn already."""
        until = self.clock() + seconds
        with self._state as moments:
            moments.next = max(moments.next, until)
            if until > moments.paused_until:
                moments.paused_until = until
                self._reason = reason

    def lower(self, began: float, wait: float = 0.0) -> None:
        """Go slower after an attempt that began then, and climb again when `wait` seconds are over."""
        if self._interval():
            self._pace.lower(began, wait)
