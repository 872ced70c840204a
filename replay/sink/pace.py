"""How fast one may go at this moment: what was asked for, or less while the destination asks for less."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from replay.sink.moments import State

if TYPE_CHECKING:
    from collections.abc import Callable

LOWERED_TO: Final = 0.7
CLIMB_SECONDS: Final = 30.0
FLOOR: Final = 0.05  # of the cap


class Pace:
    """A cap that is lowered when the destination asks for less, and climbs back within half a minute.

    The cap is a rate (attempts a second), or a number of attempts in flight; `clock` gives seconds.
    """

    def __init__(self, cap: float, clock: Callable[[], float], state: State | None = None) -> None:
        self.cap = cap
        self._clock = clock
        self._state = State() if state is None else state

    @property
    def is_lowered(self) -> bool:
        """Whether it was lowered and has not climbed back."""
        return self._state.low < inf and self._climbed() < 1.0

    def now(self) -> float:
        """What holds at this moment."""
        if not self.is_lowered:
            return self.cap
        low = self._state.low
        return low + (self.cap - low) * min(self._climbed(), 1.0)

    def _climbed(self) -> float:
        """How much of the way back is behind it: 1 and more for all."""
        return max(0.0, (self._clock() - self._state.climbs_from) / CLIMB_SECONDS)

    def lower(self, began: float, wait: float = 0.0) -> None:
        """Go slower after an attempt that began then, and climb again when `wait` seconds are over.

        An attempt that began before the last time says nothing new: it met the faster pace.
        """
        state = self._state
        with state:
            if began > state.lowered_at:
                state.low = max(self.now() * LOWERED_TO, self.cap * FLOOR)
                state.lowered_at = self._clock()
            state.climbs_from = max(state.climbs_from, self._clock() + wait)
