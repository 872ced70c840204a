"""A bounded number of rows in flight, a user's rows in order, and a clean stop.

Rows are admitted in the order they come, into a window of bounded size. A row is ready when every
earlier row that shares a lane with it has ended, however that one ended. Workers, as many as
requests may be in flight, take ready rows; a row that must wait for another try gives its worker back.
"""

from __future__ import annotations

import asyncio
import random as _random
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from replay.errors import SourceError, StorageError
from replay.records import Event, Outcome, Result
from replay.sink import Again, Answer, End, Stop, Throttle, Tries, judge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from replay.settings import SendSettings

WINDOW_MIN: Final = 2_000
WINDOW_PER_SENDER: Final = 40
SAME_REFUSALS: Final = 50  # identical refusals from the start that tell of the destination, not of rows
_FIRST: Final = Tries()


class Sink(Protocol):
    """Where a body goes, once."""

    async def attempt(self, body: bytes, on_start: Callable[[], None] | None = None) -> Answer:
        """Send one body and say what the answer means."""


class Watcher(Protocol):
    """Who is told what happens to rows; all calls come from the event loop and must not block."""

    def on_start(self, event: Event) -> None:
        """A request of this row is about to leave."""

    def on_answer(self, event: Event, answer: Answer, before: Tries) -> None:
        """An attempt ended; `before` is what the row had behind it."""

    def on_end(self, event: Event, result: Result) -> None:
        """The row ended so."""

    def on_take_back(self, event: Event, result: Result) -> None:
        """What was told of this row's end does not hold: it is pending."""


class Sender:
    """Sends events through a sink at the throttle's pace until they end or the run is stopped."""

    def __init__(
        self,
        sink: Sink,
        throttle: Throttle,
        settings: SendSettings,
        watcher: Watcher,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self._sink = sink
        self._throttle = throttle
        self._settings = settings
        self._watcher = watcher
        self._random = random
        self._window = max(WINDOW_MIN, WINDOW_PER_SENDER * settings.concurrency)
        self._ready: asyncio.Queue[Event] = asyncio.Queue()
        self._tails: dict[str, Event] = {}
        self._tries: dict[Event, Tries] = {}
        self._timers: dict[Event, asyncio.TimerHandle] = {}
        self._suspects: list[tuple[Event, Result]] | None = []
        self._tried = 0
        self._failures = 0
        self._admitted = 0
        self._room = asyncio.Event()
        self._idle: set[asyncio.Task[None]] = set()
        self._workers: list[asyncio.Task[None]] = []
        self._error: BaseException | None = None
        self.stopped_by: str | None = None
        self.stop_reason: str | None = None
        self.in_flight = 0

    async def run(self, batches: AsyncIterator[Sequence[Event]]) -> None:
        """Send every event of every batch; return when all have ended, or the run has stopped."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._settings.concurrency)]
        self._idle.update(self._workers)
        try:
            async for batch in batches:
                if not await self._admit_all(batch):
                    break
            await self._drain()
        except (SourceError, StorageError) as error:
            self.stop(error.kind, str(error))
        except BaseException:
            self.stop("error")
            raise
        finally:
            for worker in self._idle:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
            self._tell_the_doubtful()
            self._take_back()
        if self._error is not None:
            raise self._error

    def stop(self, stopped_by: str, reason: str | None = None) -> None:
        """Start nothing more; what is in flight is waited for. The first word stands."""
        if self.stopped_by is not None:
            return
        self.stopped_by = stopped_by
        self.stop_reason = reason
        for timer in self._timers.values():
            timer.cancel()
        for worker in self._idle:
            worker.cancel()
        self._room.set()

    def abort(self) -> None:
        """End at once: what is in flight is not waited for, and its rows are ambiguous."""
        self.stop("interrupted")
        for worker in self._workers:
            worker.cancel()

    async def _admit_all(self, batch: Sequence[Event]) -> bool:
        for event in batch:
            while self._admitted >= self._window and self.stopped_by is None:
                self._room.clear()
                await self._room.wait()
            if self.stopped_by is not None:
                return False
            self._admit(event)
        return True

    async def _drain(self) -> None:
        while self._admitted and self.stopped_by is None:
            self._room.clear()
            await self._room.wait()

    def _admit(self, event: Event) -> None:
        self._admitted += 1
        for lane in event.lanes:
            tail = self._tails.get(lane)
            if tail is not None:
                tail.followers.append(event)
                event.waits += 1
            self._tails[lane] = event
        if not event.waits:
            self._ready.put_nowait(event)

    def _leave(self, event: Event) -> None:
        """Take an ended row out of the window and let those go that waited for it."""
        self._admitted -= 1
        self._tries.pop(event, None)
        for lane in event.lanes:
            if self._tails.get(lane) is event:
                del self._tails[lane]
        for follower in event.followers:
            follower.waits -= 1
            if not follower.waits:
                self._ready.put_nowait(follower)
        if self._admitted <= self._window - 64 or not self._admitted:
            self._room.set()

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            while self.stopped_by is None:
                event = await self._ready.get()
                await self._throttle.turn()
                self._idle.discard(task)
                await self._send(event)
                self._idle.add(task)
        except StorageError as error:
            self.stop(error.kind, str(error))
        except Exception as error:
            self._error = self._error or error
            self.stop("error", str(error))
        finally:
            self._idle.discard(task)

    async def _send(self, event: Event) -> None:
        event.started = False
        self.in_flight += 1
        try:
            answer = await self._sink.attempt(event.body, partial(self._start, event))
        except asyncio.CancelledError:
            self._abandon(event)
            raise
        finally:
            self.in_flight -= 1
        self._settle(event, answer)

    def _start(self, event: Event) -> None:
        event.started = True
        self._watcher.on_start(event)

    def _abandon(self, event: Event) -> None:
        tries = self._tries.pop(event, _FIRST)
        if event.started or tries.unknowns:
            reason = "ended by hand while its request was under way"
            self._watcher.on_end(event, Result(Outcome.AMBIGUOUS, None, tries.attempts + 1, reason))

    def _settle(self, event: Event, answer: Answer) -> None:
        """Decide what an answer makes of its row, and carry it out."""
        before = self._tries.get(event, _FIRST)
        tries = before.after(answer)
        verdict = judge(answer, tries, self._settings.retries, self._settings.on_ambiguous, self._random)
        self._watcher.on_answer(event, answer, before)
        match verdict:
            case End(outcome):
                result = Result(outcome, answer.status, tries.attempts, answer.reason)
                self._end(event, result)
                self._suspect(event, result)
            case Stop(stopped_by, outcome):
                if outcome is not Outcome.PENDING:
                    self._end(event, Result(outcome, answer.status, tries.attempts, answer.reason))
                self.stop(stopped_by, answer.reason)
            case Again(seconds, everybody):
                self._tries[event] = tries
                if everybody:
                    self._throttle.pause(seconds, answer.reason)
                self._try_again(event, seconds)

    def _end(self, event: Event, result: Result) -> None:
        self._watcher.on_end(event, result)
        self._leave(event)
        self._tried += 1
        self._failures += result.outcome is not Outcome.DELIVERED
        if self._settings.max_failures.reached(self._failures, self._tried):
            self.stop(
                "max-failures", f"{self._failures} of {self._tried} rows failed; the last: {result.reason}"
            )

    def _try_again(self, event: Event, seconds: float) -> None:
        if self.stopped_by is None:
            loop = asyncio.get_running_loop()
            self._timers[event] = loop.call_later(seconds, self._requeue, event)

    def _requeue(self, event: Event) -> None:
        del self._timers[event]
        self._ready.put_nowait(event)

    def _tell_the_doubtful(self) -> None:
        """A row that waited for another try after an attempt whose end is not known is ambiguous."""
        for event, tries in self._tries.items():
            if tries.unknowns:
                reason = "the run stopped after an attempt whose end is not known"
                self._watcher.on_end(event, Result(Outcome.AMBIGUOUS, None, tries.attempts, reason))

    def _suspect(self, event: Event, result: Result) -> None:
        """Stop when the first answers of all are the same refusal: that is no fault of the rows."""
        if self._suspects is None:
            return
        first = self._suspects[0][1] if self._suspects else result
        if result.outcome is Outcome.REJECTED and result.reason == first.reason:
            self._suspects.append((event, result))
            if len(self._suspects) >= SAME_REFUSALS:
                self.stop("destination", f"the first {SAME_REFUSALS} answers were all: {result.reason}")
        elif self.stopped_by is None:
            self._suspects = None

    def _take_back(self) -> None:
        """Rows refused by a destination that refuses every row are pending, not rejected."""
        if self._suspects is not None and len(self._suspects) >= SAME_REFUSALS:
            for event, result in self._suspects:
                self._watcher.on_take_back(event, result)
