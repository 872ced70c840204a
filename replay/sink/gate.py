"""What every attempt passes before it leaves, and learns from when it is back: room, breaker, throttle.

Who enters has room and gets ready; the slot of the rate is taken last, right before the request leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replay.sink.answer import Answer, Meaning
from replay.sink.breaker import Breaker
from replay.sink.drought import Drought
from replay.sink.pace import Pace
from replay.sink.width import Width

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.sink.throttle import Throttle


class CalledOff(Exception):  # noqa: N818 - it is no error
    """An attempt that had not begun to leave when an outage began."""


@dataclass(slots=True)  # not frozen: there is one an attempt, and frozen ones take thrice as long to make
class Passage:
    """An attempt that was let through: when it began (seconds of the clock), and whether it is a probe.

    It begins when its slot is taken, so `began` moves on until then.
    """

    gate: Gate
    began: float
    is_probe: bool

    async def connects(self) -> None:
        """Wait until one more connection may be opened; raises CalledOff where an outage began meanwhile."""
        await self.gate.throttle.connects()
        self.check()

    def take(self) -> bool:
        """Take a slot of the rate if one is free now."""
        if not self.gate.throttle.take():
            return False
        self.began = self.gate.clock()
        return True

    async def wait(self, still: Callable[[], bool]) -> bool:
        """Wait for a slot and take it, unless `still` says at that moment that it is of no use any more."""
        is_taken = await self.gate.throttle.turn(still)
        self.began = self.gate.clock()
        return is_taken

    def check(self) -> None:
        """Raise CalledOff where an outage keeps all but probes back."""
        if self.gate.is_closed and not self.is_probe:
            raise CalledOff


class Gate:
    """Lets attempts through, one after another, as the destination can bear them.

    `concurrency` is the most under way, `max_outage` the seconds that no row may get through.
    A destination that asks for less gets it by the rate, or by the number under way if there is none.
    """

    def __init__(
        self, throttle: Throttle, concurrency: int, max_outage: float, random: Callable[[], float]
    ) -> None:
        self.throttle = throttle
        self.clock = throttle.clock
        self.random = random
        self._drought = Drought(max_outage, throttle.clock)
        self._breaker = Breaker(self._drought, throttle.clock, throttle.sleep, random)
        pace = Pace(concurrency, throttle.clock)
        self._width = Width(pace)
        self._narrow = pace.lower

    @property
    def is_closed(self) -> bool:
        """Whether an outage keeps all but probes back."""
        return self._breaker.outage is not None

    @property
    def outage(self) -> str | None:
        """Why the breaker is open; None while it is not."""
        return None if self._breaker.outage is None else self._breaker.outage.reason

    def expect_outage(self, reason: str) -> None:
        """Open the breaker on somebody else's word."""
        self._breaker.open(reason)

    @property
    def allowed_in_flight(self) -> int:
        """The most that may be under way at this moment."""
        return self._width.allowed

    @property
    def waiting_for(self) -> str | None:
        """Why nobody is let through right now; None while they are."""
        return self._breaker.waiting_for or self.throttle.waiting_for

    def pass_now(self) -> Passage | None:
        """Go through if nothing is to be waited for; who is through must come back and leave."""
        if self._breaker.outage is not None or not self.throttle.is_free() or not self._width.take():
            return None
        return Passage(self, self.clock(), is_probe=False)

    async def enter(self) -> Passage:
        """Wait until an attempt may get ready; who is through must come back and leave."""
        if not self._width.take():
            await self._width.wait()
        try:
            return await self._wait()
        except BaseException:
            self._width.leave()
            raise

    async def _wait(self) -> Passage:
        while True:
            probe = await self._breaker.turn()
            await self.throttle.near()
            # An outage may have begun while this one stood in line.
            if probe or not self.is_closed:
                return Passage(self, self.clock(), probe)

    def note(self, passage: Passage, answer: Answer) -> str | None:
        """Take in how an attempt ended; why the run should stop, if it should."""
        self._drought.note(answer)
        self._breaker.note(answer, probe=passage.is_probe)
        if answer.meaning is Meaning.ACCEPTED:
            return None
        if answer.throttled:
            lower = self._narrow if self.throttle.rate_now is None else self.throttle.lower
            lower(passage.began, answer.retry_after or 0.0)
        if answer.retry_after:
            self.throttle.pause(answer.retry_after, "Retry-After")
        return self._drought.too_long(answer)

    def leave(self) -> None:
        """Make room: what an attempt came back with is noted."""
        self._width.leave()

    def pause(self, seconds: float, reason: str) -> None:
        """Let nobody through for so long, unless an outage does that already."""
        if not self.is_closed:
            self.throttle.pause(self.within_outage(seconds), reason)

    def within_outage(self, seconds: float) -> float:
        """As long a wait, or what is left to the moment at which a last attempt decides."""
        return min(seconds, self._drought.left)
