"""The pace of attempts: evenly spaced, shared by all senders, paused for all at once.

A token is an instant, not a count: the n-th attempt may start one interval after the one before
it. A sender that woke late may catch up, but by no more than BURST_SECONDS' worth, so that no
window of a second holds more than 1.01 x rate + 1 attempts.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BURST_SECONDS: Final = 0.01


class Throttle:
    """Hands out the instants at which attempts may start.

    `rate` is attempts a second, None for no limit. `clock` gives seconds, `sleep` waits for some.
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
        self._next = clock()
        self._paused_until = self._next
        self.waiting_for: str | None = None

    async def turn(self) -> None:
        """Wait for one's turn; it is paid for, whether or not the attempt succeeds."""
        while True:
            await self._sleep_until(self._reserve())
            if self._clock() >= self._paused_until:
                self.waiting_for = None
                return

    def pause(self, seconds: float, reason: str) -> None:
        """Let nobody start for so long; turns already handed out for that time are taken again."""
        until = self._clock() + seconds
        if until > self._paused_until:
            self._paused_until = until
            self._next = until
            self.waiting_for = reason

    def _reserve(self) -> float:
        turn = max(self._next, self._clock() - BURST_SECONDS, self._paused_until)
        self._next = turn + self._interval
        return turn

    async def _sleep_until(self, instant: float) -> None:
        while (left := instant - self._clock()) > 0:
            await self._sleep(left)
