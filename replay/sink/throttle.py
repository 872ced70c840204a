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
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BURST_SECONDS: Final = 0.015
NAP_SECONDS: Final = 0.001  # the shortest sleep: an event loop knows no shorter one, it would spin


class Throttle:
    """Lets attempts start at a pace.

    `rate` is attempts a second, None for no limit. `clock` gives seconds, `sleep` waits for some.
    `waiting_for` is why everybody pauses, None while nobody does.
    """

    def __init__(
        self,
        rate: float | None,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._interval = 0.0 if rate is None else 1.0 / rate
        self._clock = clock
        self._sleep = sleep
        self._line: deque[asyncio.Future[bool]] = deque()  # True: go through, False: lead
        self._next = clock()
        self.waiting_for: str | None = None

    async def turn(self) -> None:
        """Wait for one's turn, first come first served; it is paid for, however the attempt ends."""
        if self._line or not self._pass():
            await self._wait_in_line()

    async def _wait_in_line(self) -> None:
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        try:
            if self._line[0] is place or not await place:
                while not self._pass():
                    await self._sleep(max(self._next - self._clock(), NAP_SECONDS))
        finally:
            if self._line and self._line[0] is place:
                self._line.popleft()
                self._let_go()

    def _pass(self) -> bool:
        """Go through the gate, if it is open."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = max(self._next, now - BURST_SECONDS) + self._interval
        self.waiting_for = None
        return True

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
        until = self._clock() + seconds
        if until > self._next:
            self._next = until
            self.waiting_for = reason
