"""The pace of attempts: evenly spaced, shared by all senders, paused for all at once.

Senders go one by one through a gate that opens one interval after the last passage. A passage that
came late may be caught up with, but by no more than BURST_SECONDS: the passage k places later is at
least k intervals less BURST_SECONDS away, so no window of a second holds more than
(1 + BURST_SECONDS) x rate + 1 of them, however late a busy loop wakes the sleeper.

Only the first in line sleeps. When it goes through, it takes along those for whom the gate is open
too, and the next one leads the line; one that is cancelled hands on the lead.
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
NAP_SECONDS: Final = 0.001  # the shortest sleep: an event loop knows no shorter one, it would spin


class Throttle:
    """Lets attempts start at a pace.

    `rate` is attempts a second, None for no limit. `clock` gives seconds, `sleep` waits for some. Those
    that share a `state` share one pace; their clocks must be one.
    """

    def __init__(
        self,
        rate: float | None,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        state: State | None = None,
    ) -> None:
        self._state = State() if state is None else state
        self._pace = Pace(inf if rate is None else rate, clock, self._state)
        self._interval = 0.0 if rate is None else 1.0 / rate
        self.clock = clock
        self.sleep = sleep
        self._line: deque[asyncio.Future[bool]] = deque()  # True: go through, False: lead
        with self._state as moments:
            moments.next = max(moments.next, clock())
        self._reason = "a wait for all"

    @property
    def rate_now(self) -> float | None:
        """Attempts a second at this moment, None for no limit."""
        return self._pace.now() if self._interval else None

    @property
    def waiting_for(self) -> str | None:
        """Why everybody pauses and for how long; None while nobody does."""
        left = self._state.paused_until - self.clock()
        return f"{self._reason}: {ceil(left)} s more" if left > 0 else None

    async def turn(self) -> None:
        """Wait for one's turn, first come first served; it is paid for, however the attempt ends."""
        if not self.take():
            await self._wait_in_line()

    def take(self) -> bool:
        """Take one's turn if nobody has to wait for theirs now."""
        return not self._line and self._pass()

    async def _wait_in_line(self) -> None:
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        try:
            if self._line[0] is place or not await place:
                while not self._pass():
                    await self.sleep(max(self._opens() - self.clock(), NAP_SECONDS))
        finally:
            if self._line and self._line[0] is place:
                self._line.popleft()
                self._let_go()

    def _opens(self) -> float:
        """When the gate opens, as far as is known."""
        return self._state.next

    def _pass(self) -> bool:
        """Go through the gate, if it is open."""
        state, now = self._state, self.clock()
        if now < state.next:
            return False
        if not self._interval:
            return True
        with state:
            if now < state.next:  # another process was faster
                return False
            interval = self._lowered() if self._pace.is_lowered else self._interval
            state.next = max(state.next, now - BURST_SECONDS) + interval
        return True

    def _lowered(self) -> float:
        """The interval of a lowered rate; by the time it has climbed back, nobody waits for it any more."""
        return min(1.0 / self._pace.now(), self._interval + CLIMB_SECONDS)

    def _let_go(self) -> None:
        while self._line:
            first = self._line[0]
            if not first.done() and not self._pass():
                first.set_result(False)
                return
            self._line.popleft()
            if not first.done():  # it is where its sender was cancelled
                first.set_result(True)

    def pause(self, seconds: float, reason: str) -> None:
        """Let nobody start for so long, those included who wait for their turn already."""
        until = self.clock() + seconds
        with self._state as moments:
            if until > moments.next:
                moments.next = moments.paused_until = until
                self._reason = reason

    def lower(self, began: float, wait: float = 0.0) -> None:
        """Go slower after an attempt that began then, and climb again when `wait` seconds are over."""
        if self._interval:
            self._pace.lower(began, wait)
