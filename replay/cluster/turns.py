"""The pace of one worker: it goes through at the moments that it was lent, and at no others."""

from __future__ import annotations

from collections import deque
from math import ceil, inf
from typing import TYPE_CHECKING, Final

from replay.cluster.lending import GOES_ON, LENT_SECONDS, Wish
from replay.sink import Throttle

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from replay.cluster.lending import Lent

LATE_SECONDS: Final = 0.05  # a turn that is over for longer has lapsed
SOON_SECONDS: Final = 0.005  # how soon one looks again who was lent nothing yet


class Turns(Throttle):
    """A throttle whose turns are lent; `asks` is set when there is something to ask or tell at once."""

    def __init__(self, rate: float | None, clock: Callable[[], float], asks: asyncio.Event) -> None:
        super().__init__(rate, clock)
        self._rate = rate
        self._asks = asks
        self._turns: deque[float] = deque()
        self._ahead_of = 0.0  # this machine's clock, less the server's
        self._wish = Wish()
        self._less: tuple[float, float] | None = None
        self._pause = -inf

    def wish(self, halted: int = GOES_ON, outage: str | None = None) -> Wish:
        """What to ask for and tell now; what is told is not told again."""
        lowered, paused = self._less, self._pause
        self._less, self._pause = None, -inf
        return Wish(
            turns=max(0, self._waiting - len(self._turns)),
            paused_until=paused - self._ahead_of,
            lowered=None if lowered is None else (lowered[0] - self._ahead_of, lowered[1]),
            halted=halted,
            outage=outage,
        )

    def take_in(self, lent: Lent) -> None:
        """Take what was lent, and what holds for all."""
        self._ahead_of = lent.heard - lent.now
        mine, theirs = self._state, lent.state
        for name in ("low", "lowered_at", "climbs_from"):
            moment = getattr(theirs, name)
            setattr(mine, name, moment if name == "low" else moment + self._ahead_of)
        until = theirs.paused_until + self._ahead_of
        if until > max(mine.paused_until + LATE_SECONDS, self.clock()):
            super().pause(until - self.clock(), "a wait that another worker was told of")
            self._turns.clear()
        first = lent.first + self._ahead_of
        self._turns.extend(first + turn * lent.interval for turn in range(lent.turns))

    @property
    def is_short(self) -> bool:
        """Whether more wait than have turns, and the turns are nearly used up."""
        if not self._rate or not self._waiting:
            return False
        few = ceil(self._rate * LENT_SECONDS / 2)
        return len(self._turns) < min(few, self._waiting)

    @property
    def _waiting(self) -> int:
        """How many wait for a turn, ready or not."""
        return len(self._line) + len(self._bare)

    def pause(self, seconds: float, reason: str) -> None:
        """Let nobody start for so long, here at once and elsewhere soon."""
        super().pause(seconds, reason)
        self._pause = max(self._pause, self.clock() + seconds)
        while self._turns and self._turns[0] < self._pause:
            self._turns.popleft()
        self._asks.set()

    def lower(self, began: float, wait: float = 0.0) -> None:
        """Go slower, all of the run's workers."""
        super().lower(began, wait)
        self._less = began, max(wait, self._less[1] if self._less else 0.0)
        self._asks.set()

    def _opens(self) -> float:
        opens = self._state.next
        if self._interval():
            opens = max(opens, self._turns[0] if self._turns else self.clock() + SOON_SECONDS)
        return opens

    def _is_open(self) -> bool:
        now = self.clock()
        if now < self._state.next:
            return False
        if not self._interval():
            return True
        turns = self._turns
        while turns and turns[0] < now - LATE_SECONDS:
            turns.popleft()
        if self.is_short:
            self._asks.set()
        return bool(turns) and turns[0] <= now

    def _pass(self) -> bool:
        """Go through, if it is one's turn."""
        if not self._is_open():
            return False
        if self._interval():
            self._turns.popleft()
        return True
