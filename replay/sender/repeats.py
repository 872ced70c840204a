"""The rows that wait for another try: first until it is time, then until the budget has one for them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.records import Event
    from replay.sink import Budget


class Repeats:
    """Puts rows back among the ready ones; needs a running loop."""

    def __init__(self, budget: Budget, put: Callable[[Event], None]) -> None:
        self._budget = budget
        self._put = put
        self._timers: dict[Event, asyncio.TimerHandle] = {}
        self._line: deque[Event] = deque()
        self._next_grant: asyncio.TimerHandle | None = None
        self._is_stopped = False

    def __len__(self) -> int:
        return len(self._timers) + len(self._line)

    def wait(self, event: Event, seconds: float, *, is_paid: bool) -> None:
        """Let a row wait so long, and longer if its try is paid for and the budget is used up."""
        if not self._is_stopped:
            loop = asyncio.get_running_loop()
            self._timers[event] = loop.call_later(seconds, self._is_time, event, is_paid)

    def note_attempt(self) -> None:
        """An attempt was made; a part of a repeat is earned."""
        self._budget.earn()
        if self._line:
            self._let_go()

    def stop(self) -> None:
        """Let nobody go any more."""
        self._is_stopped = True
        for timer in self._timers.values():
            timer.cancel()
        if self._next_grant is not None:
            self._next_grant.cancel()

    def _is_time(self, event: Event, is_paid: bool) -> None:
        del self._timers[event]
        if is_paid:
            self._line.append(event)
            self._let_go()
        else:
            self._put(event)

    def _let_go(self) -> None:
        while self._line and self._budget.take():
            self._put(self._line.popleft())
        if self._line and self._next_grant is None:
            loop = asyncio.get_running_loop()
            self._next_grant = loop.call_later(self._budget.wait_seconds(), self._is_granted)

    def _is_granted(self) -> None:
        self._next_grant = None
        self._let_go()
