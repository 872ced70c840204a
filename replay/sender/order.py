"""Which rows may be sent: those whose user's earlier rows have all ended, however they ended."""

from __future__ import annotations

import asyncio
from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.records import Event


class Order:
    """The rows admitted and not yet ended; the oldest that may be sent comes first.

    `by_user`: a row waits for every earlier one that shares a lane with it. `offer` is given each row
    as it is released, to be `put` at once or later; without it that is done here. With `anew` a row that
    has no slot any more is offered again before another try.
    `admitted` counts rows, `released` those that wait for no other any more; `is_whole` once no more
    will be admitted.
    """

    def __init__(
        self, *, by_user: bool, offer: Callable[[Event], None] | None = None, anew: bool = False
    ) -> None:
        self._anew = anew
        self._by_user = by_user
        self._offer = offer or self.put
        self._tails: dict[str, Event] = {}
        self._serial = count()
        self._ready: list[tuple[int, int, int, Event]] = []
        self._takers: deque[asyncio.Future[Event]] = deque()
        self._room = asyncio.Event()
        self._most = 0
        self.admitted = 0
        self.released = 0
        self.is_whole = False

    def admit(self, event: Event) -> None:
        """Take a row in, after all those that were taken in before."""
        self.admitted += 1
        for lane in event.lanes if self._by_user else ():
            tail = self._tails.get(lane, event)
            if tail is not event:
                tail.followers = tail.followers or []
                tail.followers.append(event)
                event.waits += 1
            self._tails[lane] = event
        if not event.waits:
            self._release(event)

    def _release(self, event: Event) -> None:
        self.released += 1
        self._offer(event)

    def put(self, event: Event) -> None:
        """Make a row ready: for the first time, or for another try."""
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(event)
                return
        # An older row goes first: its next try, and whoever waits for it, should not queue behind the window.
        heappush(self._ready, (event.source, event.row, next(self._serial), event))

    def again(self, event: Event) -> None:
        """It is time for another try of a row."""
        if self._anew and event.slot < 0:
            self._offer(event)
        else:
            self.put(event)

    async def room_for(self, admitted: int) -> None:
        """Wait until no more rows than so many are admitted and not ended."""
        self._most = admitted
        while self.admitted > admitted:
            self._room.clear()
            await self._room.wait()

    def take(self) -> Event | None:
        """The oldest row that may be sent now, if there is one."""
        return heappop(self._ready)[-1] if self._ready else None

    async def ready(self) -> Event:
        """Wait for a row that may be sent now."""
        if (event := self.take()) is not None:
            return event
        taker: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._takers.append(taker)
        try:
            return await taker
        except asyncio.CancelledError:
            if taker.done() and not taker.cancelled():
                self.put(taker.result())
            raise

    def leave(self, event: Event) -> None:
        """Take an ended row out and let those go that waited for it."""
        self.admitted -= 1
        self.released -= 1
        for lane in event.lanes:
            if self._tails.get(lane) is event:
                del self._tails[lane]
        for follower in event.followers or ():
            follower.waits -= 1
            if not follower.waits:
                self._release(follower)
        if self.admitted <= self._most:
            self._room.set()
