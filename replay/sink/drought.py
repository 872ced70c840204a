"""How long no row got through, and when that has lasted too long."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from replay.sink.answer import Answer, Meaning

if TYPE_CHECKING:
    from collections.abc import Callable


class Drought:
    """The time since rows stopped to get through, of which there may be `most` seconds.

    It does not ask why: a destination that only ever asks for patience takes no rows either.
    """

    def __init__(self, most: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._since: float | None = None

    @property
    def deadline(self) -> float:
        """The moment at which it has lasted too long; infinite while rows get through."""
        return inf if self._since is None else self._since + self._most

    @property
    def left(self) -> float:
        """Seconds to the deadline."""
        return max(0.0, self.deadline - self._clock())

    def note(self, answer: Answer) -> None:
        """Take in how an attempt ended."""
        if answer.meaning is Meaning.ACCEPTED or answer.meaning is Meaning.ROW_REFUSED:
            self._since = None
        elif self._since is None:
            self._since = self._clock()

    def too_long(self, last: Answer) -> str | None:
        """Why the run should stop: it lasts too long, or will if the wish of the last answer is granted."""
        asked = last.retry_after or 0.0
        now = self._clock()
        if self._since is None or now + asked < self.deadline:
            return None
        wish = f", and it asks for {asked:.0f} s more" if asked else ""
        return (
            f"no row got through for {now - self._since:.0f} s{wish} (--max-outage {self._most:g}); "
            f"the last answer: {last.reason}"
        )
