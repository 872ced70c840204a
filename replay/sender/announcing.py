"""Rows are announced before their first attempt: in groups, ahead of the pace, one call at a time.

Where nothing tells later which announced rows were started (`room` is given), as many are announced as there
is room for, a row that waits for another try is announced no more, and is so again before that.
"""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from replay.records import Event


class Announcing:
    """The released rows that nobody was told of yet, the oldest first.

    At most `ahead` rows are announced and neither under way nor ended. A group is made up when but a
    quarter of them is left: seldom enough to be cheap, early enough that the pace never waits.
    `room`: how many more may be announced and not ended; None for any number.
    """

    def __init__(
        self,
        announce: Callable[[Sequence[Event]], Awaitable[None]],
        ahead: int,
        put: Callable[[Event], None],
        room: Callable[[], int] | None = None,
    ) -> None:
        self._room = room
        self._announce = announce
        self._ahead = ahead
        self._most_before_more = ahead // 4
        self._put = put
        self._fresh: list[tuple[int, int, int, Event]] = []
        self._serial = count()
        self._idle: set[Event] = set()
        self._wake = asyncio.Event()

    def offer(self, event: Event) -> None:
        """A row may be sent, once it is announced."""
        heappush(self._fresh, (event.source, event.row, next(self._serial), event))
        self._look()

    def begins(self, event: Event) -> None:
        """An announced row is under way."""
        self._idle.discard(event)
        self._look()

    def waits(self, event: Event) -> None:
        """An announced row is under way no more, and was not accepted."""
        if self._room is None or event.slot >= 0:
            self._idle.add(event)
        else:
            self._look()

    def ended(self) -> None:
        """A row has ended; where room is scarce there is more of it."""
        if self._room is not None:
            self._look()

    async def group(self) -> Sequence[Event]:
        """Wait for rows to announce, and take them all, or as many as may be ahead."""
        while not self._may_announce():
            self._wake.clear()
            await self._wake.wait()
        room = self._ahead - len(self._idle)
        if self._room is not None:
            room = min(room, self._room())
        group = [heappop(self._fresh)[-1] for _ in range(min(room, len(self._fresh)))]
        self._idle.update(group)
        return group

    async def announce(self, group: Sequence[Event]) -> None:
        """Announce a group; its rows are ready when this returns."""
        await self._announce(group)
        for event in group:
            self._put(event)

    def _look(self) -> None:
        if self._may_announce():
            self._wake.set()

    def _may_announce(self) -> bool:
        if not self._fresh or len(self._idle) > self._most_before_more:
            return False
        return self._room is None or self._room() > 0
