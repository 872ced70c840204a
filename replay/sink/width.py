"""How many attempts may be under way at this moment."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.sink.pace import Pace


class Width:
    """Room for as many as the pace allows, never less than one; first come, first served."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._line: deque[asyncio.Future[None]] = deque()
        self._inside = 0

    @property
    def allowed(self) -> int:
        """How many may be inside now."""
        pace = self._pace
        return max(1, int(pace.now())) if pace.is_lowered else int(pace.cap)

    def take(self) -> bool:
        """Go in if there is room and nobody waits for it; who is in must leave."""
        if self._line or self._inside >= self.allowed:
            return False
        self._inside += 1
        return True

    async def wait(self) -> None:
        """Wait for room, and go in."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Make room for the next, if there still is any."""
        self._inside -= 1
        while self._line and self._inside < self.allowed:
            place = self._line.popleft()
            if not place.done():  # it is where its waiter was cancelled
                # The room is theirs from now on: nobody who comes in between may take it.
                self._inside += 1
                place.set_result(None)
