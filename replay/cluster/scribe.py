"""Writes down what happens to a share's rows: intents before requests leave, ends in groups.

The intents in the ledger are the rows announced and not yet told of, less those of which it stands there
already that nobody knows how they ended. There is room for as many as requests may be in flight, so a
worker that is killed leaves no more rows in doubt than that, whoever looks from wherever.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from replay.errors import StorageError
from replay.ledger import NO_SLOT, End, Standing
from replay.sender import Attempts
from replay.sink import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from replay.ledger import Claim
    from replay.records import Event, Result
    from replay.sink import Answer, Tries

BEAT_SECONDS: Final = 0.05
TOLD_SECONDS: Final = 0.5  # how old a worker's word of how it stands may get
_SLOT: Final = 0  # of any row that stands announced

Place = tuple[int, int]
"""(copy, number)"""


class Scribe:
    """The watcher of one share. `width`: the most requests in flight; `disk`: the thread of the claim."""

    def __init__(self, claim: Claim, width: int, disk: Executor) -> None:
        self._claim = claim
        self._width = width
        self._disk = disk
        self._open: set[Place] = set()
        self._closed: set[Place] = set()  # of the open ones, those that the next write withdraws
        self._doubtful: set[Place] = set()  # of the open ones, those that no write can make less doubtful
        self._ends: list[End] = []
        self._writing = asyncio.Lock()
        self._written = 0.0
        self.is_done = False
        self.attempts = Attempts()
        self.standing: Callable[[], Standing] = Standing

    @property
    def room(self) -> int:
        """How many more rows may be announced and not ended."""
        return self._width - (len(self._open) - len(self._closed) - len(self._doubtful))

    async def announce(self, events: Sequence[Event]) -> None:
        """Write that these rows are about to be sent, and all that happened meanwhile."""
        await self._write([(event.copy, event.number) for event in events])
        for event in events:
            event.slot = _SLOT

    async def beat(self) -> None:
        """Write what happened since, and now and then that this worker lives, until `is_done`."""
        while not self.is_done:
            await asyncio.sleep(BEAT_SECONDS)
            is_old = time.monotonic() - self._written > TOLD_SECONDS
            if is_old or ((self._ends or self._closed) and not self._writing.locked()):
                await self._write([])

    async def finish(self) -> None:
        """Write the last word: what was announced and is not told of by now never left."""
        async with self._writing:
            loop = asyncio.get_running_loop()
            last = self._standing()
            await loop.run_in_executor(self._disk, lambda: self._claim.write([], self._ends, last, last=True))

    def on_start(self, event: Event) -> None:
        """A request leaves only while the lease holds: later another may have the row."""
        if time.monotonic() > self._claim.held_until:
            raise StorageError("The ledger did not renew this worker's lease in time; it sends nothing more.")
        self.attempts.start(event)

    def on_answer(self, event: Event, answer: Answer, before: Tries) -> None:
        """Count an attempt."""
        self.attempts.add(event, answer, before)
        if answer.meaning is Meaning.UNKNOWN:
            self._doubtful.add((event.copy, event.number))

    def on_wait(self, event: Event) -> None:
        """The row waits, and stands announced no more from the next write on."""
        self._close(event)

    def on_end(self, event: Event, result: Result) -> None:
        """Tell how a row ended, with the next write."""
        self._close(event)
        said = result.outcome, result.status, result.attempts, result.reason, result.group
        end = End(event.copy, event.number, event.source, event.row, *said, result.reports_failure)
        self._ends.append(end)

    def on_take_back(self, event: Event, result: Result) -> None:
        """Only whoever sees all rows of a run takes back how one ended."""
        raise RuntimeError(f"row {event.row} was taken back by a part of its run ({result.outcome})")

    def _close(self, event: Event) -> None:
        event.slot = NO_SLOT
        place = event.copy, event.number
        self._doubtful.discard(place)
        if place in self._open:
            self._closed.add(place)

    async def _write(self, new: Sequence[Place]) -> None:
        async with self._writing:
            # What is withdrawn makes room at once: the next write comes after this one.
            self._open = (self._open - self._closed).union(new)
            self._closed, ends = set(), self._ends
            self._ends = []
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(
                    self._disk, self._claim.write, [*self._open], ends, self._standing()
                )
            except BaseException:
                self._ends = ends + self._ends
                raise
            self._written = time.monotonic()

    def _standing(self) -> Standing:
        standing, attempts = self.standing(), self.attempts
        standing.requests, standing.retries = attempts.requests, attempts.retries
        standing.duplicates, standing.answers = attempts.duplicates, attempts.answers.copy()
        return standing
