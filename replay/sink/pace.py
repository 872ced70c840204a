"""How fast one may go at this moment: what was asked for, or less while the destination asks for less."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LOWERED_TO: Final = 0.7
CLIMB_SECONDS: Final = 30.0
FLOOR: Final = 0.05  # of the cap


class Pace:
    """A cap that is lowered when the destination asks for less, and climbs back within half a minute.

    The cap is a rate (attempts a second), or a number of attempts in flight; `clock` gives seconds.
    """

    def __init__(self, cap: float, clock: Callable[[], float]) -> None:
        self.cap = cap
        self.is_lowered = False
        self._clock = clock
        self._low = cap
        self._lowered_at = -inf
        self._climbs_from = -inf

    def now(self) -> float:
        """What holds at this moment."""
        if not self.is_lowered:
            return self.cap
        climbed = (self._clock() - self._climbs_from) / CLIMB_SECONDS
        if climbed >= 1.0:
            self.is_lowered = False
            return self.cap
        return self._low + (self.cap - self._low) * max(0.0, climbed)

    def lower(self, began: float, wait: float = 0.0) -> None:
        """Go slower after an attempt that began then, and climb again when `wait` seconds are over.

        An attempt that began before the last time says nothing new: it met the faster pace.
        """
        if began > self._lowered_at:
            self._low = max(self.now() * LOWERED_TO, self.cap * FLOOR)
            self._lowered_at = self._clock()
            self.is_lowered = True
        self._climbs_from = max(self._climbs_from, self._clock() + wait)
