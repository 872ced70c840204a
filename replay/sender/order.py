"""Which rows may be sent: those whose user's earlier rows have all ended, however they ended."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.records import Event


class Order:
    """The rows admitted and not yet ended; the oldest that may be sent comes first.

    `by_user`: a row waits for every earlier one that shares a lane with it. `admitted` counts rows.
    """

    def __init__(self, *, by_user: bool) -> None:
        self._by_user = by_user
        self._tails: dict[str, Event] = {}
        self._serial = count()
        self._ready: asyncio.PriorityQueue[tuple[int, int, int, Event]] = asyncio.PriorityQueue()
        self.admitted = 0

    def admit(self, event: Event) -> None:
        """Take a row in, after all those that were taken in before."""
        self.admitted += 1
        for lane in event.lanes if self._by_user else ():
            tail = self._tails.get(lane, event)
            if tail is not event:
                tail.followers.append(event)
                event.waits += 1
            self._tails[lane] = event
        if not event.waits:
            self.put(event)

    def put(self, event: Event) -> None:
        """Make a row ready: for the first time, or for another try."""
        # An older row goes first: its next try, and whoever waits for it, should not queue behind the window.
        self._ready.put_nowait((event.source, event.row, next(self._serial), event))

    async def ready(self) -> Event:
        """Wait for a row that may be sent now."""
        return (await self._ready.get())[-1]

    def leave(self, event: Event) -> None:
        """Take an ended row out and let those go that waited for it."""
        self.admitted -= 1
        for lane in event.lanes:
            if self._tails.get(lane) is event:
                del self._tails[lane]
        for follower in event.followers:
            follower.waits -= 1
            if not follower.waits:
                self.put(follower)
