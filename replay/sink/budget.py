"""How many attempts may be repeats: about a tenth of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SHARE: Final = 0.1
SAVED_MAX: Final = 50.0
LEAST_A_SECOND: Final = 2.0
_NAP_SECONDS: Final = 0.001  # sums of tenths may miss a whole by less than any clock can tell


class Budget:
    """Every attempt earns a tenth of a repeat. It slows repeats down and never forbids one.

    Some are granted by the clock (in seconds) alone, so that the last rows of a run, with no other
    attempts left to earn for them, get their tries too.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._saved = SAVED_MAX
        self._seen = clock()

    def earn(self) -> None:
        """An attempt was made."""
        if self._saved < SAVED_MAX:
            self._saved += SHARE

    def take(self) -> bool:
        """Whether a repeat may be made now; it is paid for if so."""
        now = self._clock()
        self._saved = min(SAVED_MAX, self._saved + (now - self._seen) * LEAST_A_SECOND)
        self._seen = now
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True

    def wait_seconds(self) -> float:
        """How long until the next repeat is granted at the latest."""
        return max(_NAP_SECONDS, (1.0 - self._saved) / LEAST_A_SECOND)
