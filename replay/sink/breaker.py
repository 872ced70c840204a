"""Whether the destination is there at all: an outage stops all attempts but a probe now and then."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from math import ceil, inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from replay.sink.answer import Answer
    from replay.sink.drought import Drought

IN_A_ROW: Final = 20  # attempts in trouble that tell of an outage
LAST: Final = 1_000
OF_LAST: Final = 50  # of the last thousand: 5 %
PAUSE_SECONDS: Final = 0.5
PAUSE_MAX_SECONDS: Final = 30.0
OUTAGE: Final = "the destination does not answer"
_NAP_SECONDS: Final = 0.001  # a sleep may end a little early by another clock


@dataclass(slots=True)
class Outage:
    """An outage while it lasts; `next_probe` in seconds of the clock."""

    reason: str
    next_probe: float
    probes: int = 0


class Breaker:
    """Opens on an outage, and closes when a probe is answered.

    `clock` gives seconds, `sleep` waits for some, `random` gives a number from 0 to 1. The last probe
    is sent at the drought's deadline at the latest.
    """

    def __init__(
        self,
        drought: Drought,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        random: Callable[[], float],
    ) -> None:
        self._drought = drought
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._attempts = 0
        self._trouble: deque[int] = deque()  # which attempts of the last thousand were in trouble
        self._in_a_row = 0
        self._probing = asyncio.Lock()  # whoever holds it waits for the next probe, or is it
        self.outage: Outage | None = None

    async def turn(self) -> bool:
        """Wait while there is an outage; whether the caller is its next probe, whose end must be noted."""
        if self.outage is None:
            return False
        await self._probing.acquire()
        try:
            while self.outage is not None and (left := self.outage.next_probe - self._clock()) > 0:
                await self._sleep(max(left, _NAP_SECONDS))
        except BaseException:
            self._probing.release()
            raise
        if self.outage is None:
            self._probing.release()
        return self.outage is not None

    def note(self, answer: Answer, *, probe: bool = False) -> None:
        """Take in how an attempt ended; during an outage only a probe's end says anything new."""
        if probe:
            self._note_probe(answer)
        elif self.outage is None and self._tells(trouble=answer.is_trouble):
            self.open(answer.reason)

    def open(self, reason: str) -> None:
        """Open on the word of another sender of the same run."""
        if self.outage is None:
            self.outage = Outage(reason, self._next_probe(0))

    @property
    def waiting_for(self) -> str | None:
        """What is wrong and what comes next; None while all is well."""
        if self.outage is None:
            return None
        left = ceil(self.outage.next_probe - self._clock())
        probe = f"next probe in {left} s" if left > 0 else "probing"
        end = "" if self._drought.left == inf else f", the run stops in {ceil(self._drought.left)} s"
        return f"{OUTAGE} ({self.outage.reason}); {probe}{end}"

    def _tells(self, *, trouble: bool) -> bool:
        """Count one more attempt; whether the counts tell of an outage."""
        self._attempts += 1
        if not trouble:
            self._in_a_row = 0
            return False
        self._in_a_row += 1
        self._trouble.append(self._attempts)
        while self._trouble[0] <= self._attempts - LAST:
            self._trouble.popleft()
        return self._in_a_row >= IN_A_ROW or len(self._trouble) >= OF_LAST

    def _note_probe(self, answer: Answer) -> None:
        if self.outage is not None and answer.is_trouble:
            self.outage.probes += 1
            self.outage.reason = answer.reason
            self.outage.next_probe = self._next_probe(self.outage.probes)
        else:
            self.outage = None
            self._in_a_row = 0
            self._trouble.clear()
        self._probing.release()

    def _next_probe(self, probes: int) -> float:
        """Pauses grow; at least a half of each is waited, so that many tools do not probe at once."""
        ceiling = min(PAUSE_MAX_SECONDS, PAUSE_SECONDS * 2.0 ** min(probes, 10))
        pause = ceiling * (0.5 + 0.5 * self._random())
        return min(self._clock() + pause, self._drought.deadline)
